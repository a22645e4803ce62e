import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { api } from './api.ts';
import { broker } from './broker.ts';
import { database } from './database.ts';
import { overview } from './overview.ts';
import { worker } from './worker.ts';

export function dashboards(): Dashboard[] {
  return [overview(), api(), worker(), database(), broker()];
}
