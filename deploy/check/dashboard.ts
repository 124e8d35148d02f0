// What a dashboard of deploy/grafana must be: Grafana's own types, narrowed to the panels that are used and to
// what this repository wants of each of them. A file is checked as `… satisfies Checked`.

import type { Dashboard, FieldConfig, Panel, VariableModel } from "@grafana/schema";
import type {
  FieldConfig as HeatmapFields,
  Options as HeatmapOptions,
} from "@grafana/schema/dist/esm/raw/composable/heatmap/panelcfg/x/HeatmapPanelCfg_types.gen.js";
import type { Options as StatOptions } from "@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen.js";
import type {
  FieldConfig as TableFields,
  Options as TableOptions,
} from "@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen.js";
import type {
  FieldConfig as TimeSeriesFields,
  Options as TimeSeriesOptions,
} from "@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen.js";

/** The type as JSON spells it: an enum of texts is those texts. */
type Plain<T> = unknown extends T ? T
  : T extends string ? `${T}`
  : T extends object ? { [K in keyof T]: Plain<T[K]> }
  : T;

type Source = { type: "prometheus"; uid: "${datasource}" };

type Target = {
  datasource: Source;
  editorMode: "code";
  expr: string;
  format: "time_series" | "table" | "heatmap";
  instant: boolean;
  legendFormat: string;
  range: boolean;
  refId: string;
};

/** A panel of one kind; title, description, unit, place and number are wanted of each. */
type Kind<Name extends string, Options, Fields> =
  & Omit<Plain<Panel>, "type" | "options" | "fieldConfig" | "targets" | "datasource" | "title" | "description" | "gridPos" | "id">
  & {
    type: Name;
    datasource: Source;
    description: string;
    fieldConfig: {
      defaults: Omit<Plain<FieldConfig>, "custom" | "unit"> & { custom?: Plain<Fields>; unit: string };
      overrides: [];
    };
    gridPos: { h: number; w: number; x: number; y: number };
    id: number;
    options: Plain<Options>;
    targets: [Target, ...Target[]];
    title: string;
  };

type Panels =
  | Kind<"timeseries", TimeSeriesOptions, TimeSeriesFields>
  | Kind<"stat", StatOptions, never>
  // `showTypeIcons` and the like have defaults, though their types want them.
  | Kind<"table", Partial<TableOptions>, Partial<TableFields>>
  | Kind<"heatmap", HeatmapOptions, HeatmapFields>;

export type Checked = Omit<Plain<Dashboard>, "panels" | "templating" | "editable" | "uid" | "title"> & {
  editable: false;
  panels: Panels[];
  templating: { list: Plain<VariableModel>[] };
  title: string;
  uid: string;
};
