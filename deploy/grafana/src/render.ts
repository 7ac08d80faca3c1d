import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import * as common from '@grafana/grafana-foundation-sdk/common';
import { GraphThresholdsStyleMode, StackingMode } from '@grafana/grafana-foundation-sdk/common';
import {
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  DatasourceVariableBuilder,
  type Panel as GrafanaPanel,
  MappingType,
  QueryVariableBuilder,
  RowBuilder,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus';
import * as stat from '@grafana/grafana-foundation-sdk/stat';
import * as statetimeline from '@grafana/grafana-foundation-sdk/statetimeline';
import * as table from '@grafana/grafana-foundation-sdk/table';
import * as timeseries from '@grafana/grafana-foundation-sdk/timeseries';
import type { Board, Kind, Panel, Query, Variable } from './model.ts';

/** What links the boards to each other, and lets Grafana's sidecar find them. */
const TAG = 'callmesh';
const SOURCE = { type: 'prometheus', uid: '${datasource}' };
const HEIGHT = 8;
const STAT_HEIGHT = 4;

/** A board as Grafana imports it. */
export function render({ uid, title, description, variables = [], rows }: Board): Dashboard {
  const board = new DashboardBuilder(title)
    .uid(uid)
    .description(description)
    .tags([TAG])
    .time({ from: 'now-1h', to: 'now' })
    .refresh('10s')
    .timezone('browser')
    .tooltip(DashboardCursorSync.Crosshair)
    .readonly()
    .link(
      new DashboardLinkBuilder('callmesh')
        .type(DashboardLinkType.Dashboards)
        .tags([TAG])
        .asDropdown(true)
        .keepTime(true)
        .includeVars(true),
    )
    .withVariable(new DatasourceVariableBuilder('datasource').label('Data source').type('prometheus'));
  for (const variable of variables) board.withVariable(choice(variable));
  for (const row of rows) {
    board.withRow(new RowBuilder(row.title));
    for (const panel of row.panels) board.withPanel(panelOf(panel));
  }
  return board.build();
}

function choice({ name, label, metric, of = name }: Variable): QueryVariableBuilder {
  return new QueryVariableBuilder(name)
    .label(label)
    .datasource(SOURCE)
    .query({ qryType: 1, query: `label_values(${metric}, ${of})`, refId: name })
    .definition(`label_values(${metric}, ${of})`)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc)
    .multi(true)
    .includeAll(true)
    .allValue('.*')
    .current({ selected: true, text: ['All'], value: ['$__all'] });
}

type AnyPanel = timeseries.PanelBuilder | stat.PanelBuilder | table.PanelBuilder | statetimeline.PanelBuilder;

const KINDS: Record<Kind, (panel: Panel) => AnyPanel> = {
  lines: () => graph().fillOpacity(8),
  stacked: () =>
    graph().fillOpacity(30).stacking(new common.StackingConfigBuilder().mode(StackingMode.Normal)),
  number: () =>
    new stat.PanelBuilder()
      .height(STAT_HEIGHT)
      .graphMode(common.BigValueGraphMode.Area)
      .colorMode(common.BigValueColorMode.Value)
      .reduceOptions(new common.ReduceDataOptionsBuilder().calcs(['lastNotNull'])),
  table: () =>
    new table.PanelBuilder().height(HEIGHT).withTransformation({
      id: 'organize',
      options: { excludeByName: { Time: true } },
    }),
  timeline: ({ values = {} }) =>
    new statetimeline.PanelBuilder()
      .height(HEIGHT)
      .mergeValues(true)
      .showValue(common.VisibilityMode.Never)
      .mappings([{ type: MappingType.ValueToText, options: values }]),
};

function graph(): timeseries.PanelBuilder {
  const legend = new common.VizLegendOptionsBuilder()
    .displayMode(common.LegendDisplayMode.List)
    .placement(common.LegendPlacement.Bottom)
    .showLegend(true);
  const tooltip = new common.VizTooltipOptionsBuilder()
    .mode(common.TooltipDisplayMode.Multi)
    .sort(common.SortOrder.Descending);
  return new timeseries.PanelBuilder()
    .height(HEIGHT)
    .lineWidth(1)
    .showPoints(common.VisibilityMode.Never)
    .axisSoftMin(0)
    .legend(legend)
    .tooltip(tooltip);
}

function panelOf(panel: Panel): Builder<GrafanaPanel> {
  const { kind = 'lines', title, description, unit, width, queries, warn, bad, max } = panel;
  const built = KINDS[kind](panel)
    .title(title)
    .datasource(SOURCE)
    .span(width ?? (kind === 'number' ? 4 : 8));
  if (description) built.description(description);
  if (unit) built.unit(unit);
  if (max !== undefined) built.max(max);
  if (warn !== undefined && bad !== undefined) limits(built, warn, bad);
  for (const [index, query] of queries.entries()) built.withTarget(target(query, index, kind));
  return built;
}

function target({ expr, legend }: Query, index: number, kind: Kind): DataqueryBuilder {
  const query = new DataqueryBuilder()
    .refId(String.fromCharCode(65 + index))
    .datasource(SOURCE)
    .expr(expr);
  if (legend) query.legendFormat(legend);
  return kind === 'table' ? query.instant().format(PromQueryFormat.Table) : query.range();
}

/** Green, then yellow, then red; the other way round where less is worse. */
function limits(panel: AnyPanel, warn: number, bad: number): void {
  const upwards = bad > warn;
  const [first, second] = upwards ? [warn, bad] : [bad, warn];
  const [low, middle, high] = upwards ? ['green', 'yellow', 'red'] : ['red', 'yellow', 'green'];
  panel.thresholds(
    new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps([
      { value: null, color: low! },
      { value: first, color: middle! },
      { value: second, color: high! },
    ]),
  );
  if (panel instanceof timeseries.PanelBuilder)
    panel.thresholdsStyle(
      new common.GraphThresholdsStyleConfigBuilder().mode(GraphThresholdsStyleMode.Dashed),
    );
}
