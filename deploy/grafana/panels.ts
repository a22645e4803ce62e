import {
  DashboardBuilder,
  DashboardCursorSync,
  RowBuilder,
  type Dashboard,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { ReduceDataOptionsBuilder } from '@grafana/grafana-foundation-sdk/common';
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as TimeSeriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries';

/** The uid in provisioning/datasources. */
const PROMETHEUS = { type: 'prometheus', uid: 'prometheus' };

export interface PanelOptions {
  readonly title: string;
  /** What it means, and when to worry. */
  readonly help: string;
  /** Of Grafana: s, reqps, bytes, percentunit, short ... */
  readonly unit: string;
  /** PromQL by its legend, which may have `{{label}}` in it. */
  readonly queries: Readonly<Record<string, string>>;
  /** Columns of 24; 8 if left out. */
  readonly width?: number;
}

/** Curves over time. */
export function curves({ title, help, unit, queries, width = 8 }: PanelOptions): TimeSeriesBuilder {
  return new TimeSeriesBuilder()
    .title(title)
    .description(help)
    .datasource(PROMETHEUS)
    .unit(unit)
    .min(0)
    .fillOpacity(8)
    .span(width)
    .height(8)
    .targets(targetsOf(queries));
}

/** The value of now, large. */
export function figure({ title, help, unit, queries, width = 4 }: PanelOptions): StatBuilder {
  return new StatBuilder()
    .title(title)
    .description(help)
    .datasource(PROMETHEUS)
    .unit(unit)
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(['lastNotNull']))
    .span(width)
    .height(4)
    .targets(targetsOf(queries));
}

export interface Row {
  readonly title: string;
  readonly panels: readonly (TimeSeriesBuilder | StatBuilder)[];
}

export function dashboard(uid: string, title: string, rows: readonly Row[]): Dashboard {
  const builder = new DashboardBuilder(title)
    .uid(uid)
    .tags(['groundswell'])
    .readonly()
    .timezone('browser')
    .time({ from: 'now-1h', to: 'now' })
    .refresh('10s')
    .tooltip(DashboardCursorSync.Crosshair);
  let id = 0;
  for (const row of rows) {
    builder.withRow(new RowBuilder(row.title).id((id += 1)));
    for (const panel of row.panels) builder.withPanel(panel.id((id += 1)));
  }
  return builder.build();
}

/** What of a histogram is below: PromQL for the median, the 99th percentile, or both, by legend. */
export function percentiles(bucket: string, by = ''): Record<string, string> {
  const legend = by === '' ? '' : `{{${by}}} `;
  return Object.fromEntries(
    [0.5, 0.99].map((quantile) => [
      `${legend}p${quantile * 100}`,
      `histogram_quantile(${quantile}, sum by (${by === '' ? 'le' : `le, ${by}`}) (rate(${bucket}[$__rate_interval])))`,
    ]),
  );
}

function targetsOf(queries: Readonly<Record<string, string>>): DataqueryBuilder[] {
  return Object.entries(queries).map(([legend, expression], index) =>
    new DataqueryBuilder()
      .refId(String.fromCodePoint('A'.charCodeAt(0) + index))
      .datasource(PROMETHEUS)
      .expr(expression)
      .legendFormat(legend)
      .range(),
  );
}
