import { dashboards } from '../grafana/dashboards.ts';

interface PanelQuery {
  /** Of the dashboard. */
  readonly title: string;
  readonly panel: string;
  /** PromQL, with what Grafana would fill in. */
  readonly expression: string;
}

/** Every query of every panel, rows opened. */
export function panelQueries(): PanelQuery[] {
  return dashboards().flatMap(({ title = '', panels = [] }) =>
    flatten(panels).flatMap(({ title: panel = '', targets = [] }) =>
      targets.flatMap(({ expr }) =>
        expr === undefined
          ? []
          : [{ title, panel, expression: expr.replaceAll('$__rate_interval', '1m').replaceAll('$__range', '1h') }],
      ),
    ),
  );
}

interface Panel {
  readonly title?: string;
  readonly targets?: readonly { readonly expr?: string }[];
  readonly panels?: readonly Panel[];
}

/** As Grafana reads them: JSON. */
function flatten(panels: readonly unknown[]): Panel[] {
  const read: Panel[] = JSON.parse(JSON.stringify(panels));
  return read.flatMap((panel) => [panel, ...(panel.panels ?? [])]);
}
