// What rules would have done to the operations of the last days: a backtest, and the difference that it tells.
import { get, post, Problem } from "./api.js";
import { html } from "./html.js";
import { moneyText, numberText, t } from "./i18n.js";
import * as v from "./parts.js";

export const DAYS = ["1", "7", "30", "90"];
/** One backtest runs at a time: so often, and so long, another's end is waited for. */
const BUSY_MS = 500;
const BUSY_MOST = 20;
const ASK_EVERY = 1000;

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function begin(asked, signal) {
  for (let tries = 0; ; tries += 1) {
    try {
      return await post("/v1/backtests?wait=1s", asked);
    } catch (error) {
      const isBusy = error instanceof Problem && error.body.code === "backtest-running";
      if (!isBusy || signal.aborted || tries >= BUSY_MOST) throw error;
      await pause(BUSY_MS);
    }
  }
}

/** Runs a backtest to its end; `told` hears which share of it is done. Gives its id and its report. */
export async function backtest(asked, told, signal) {
  let answer = await begin(asked, signal);
  while (answer.state === "running") {
    if (signal.aborted) {
      // Nobody waits for it any more, and it would only keep the next one waiting.
      await post(`/v1/backtests/${answer.id}/stop`).catch(() => null);
      throw new Problem(0, { code: "left" });
    }
    told(answer.operations ? answer.done / answer.operations : 0);
    await pause(ASK_EVERY);
    answer = await get(`/v1/backtests/${answer.id}`);
  }
  if (!answer.report) throw new Problem(200, { detail: answer.error ?? answer.state });
  return answer;
}

export const DaysField = ({ days, change }) => html`<label>${t("impact_days")} <${v.Select} value=${days} change=${change}
  options=${DAYS.map((n) => [n, n])} data-field="days"/></label>`;

function Verdicts({ total }) {
  const [newly, gone] = [new Map(total.newly), new Map(total.no_longer)];
  const columns = [
    { title: t("col_verdict") }, { title: t("impact_newly"), class: "right" }, { title: t("col_amount"), class: "right" },
    { title: t("impact_gone"), class: "right" }, { title: t("col_amount"), class: "right" },
  ];
  const count = (found) => [numberText(found?.operations ?? 0), found?.operations ? moneyText(found.amount) : "—"];
  const isThere = (verdict) => newly.get(verdict)?.operations || gone.get(verdict)?.operations;
  const rows = v.VERDICTS.filter(isThere).map((verdict) => html`<${v.Row} isFixed columns=${columns}
    data-impact=${verdict} cells=${[v.verdictBadge(verdict), ...count(newly.get(verdict)), ...count(gone.get(verdict))]}/>`);
  if (!rows.length) return html`<p data-impact="none">${t("impact_same")}</p>`;
  return html`<${v.Table} columns=${columns} name=${t("impact_title")}>${rows}<//>`;
}

/** The rules of a report: what each matches, and what of it is new or gone; only those that changed, or all. */
export function RuleFigures({ report, all = false }) {
  const isChanged = (rule) => rule.newly.operations || rule.no_longer.operations;
  const shown = report.by_rule.filter((rule) => (all ? rule.alerts.operations || isChanged(rule) : isChanged(rule)));
  const columns = [
    { title: t("col_rule") }, { title: t("col_mode") }, { title: t("impact_matches"), class: "right" },
    { title: t("impact_newly"), class: "right" }, { title: t("impact_gone"), class: "right" },
    { title: t("impact_per_day"), class: "right" }, { title: t("impact_worst"), class: "right" },
  ];
  const mode = ({ mode, mode_against: before }) => (before && before !== mode
    ? html`${v.modeBadge(before)} → ${v.modeBadge(mode ?? "off")}` : v.modeBadge(mode ?? before ?? "off"));
  const worst = ([day, n]) => `${numberText(n)} (${day})`;
  const rows = shown.map((rule) => html`<${v.Row} isFixed columns=${columns} data-figures=${rule.rule} cells=${[v.ruleLink(rule.rule), mode(rule),
    numberText(rule.alerts.operations), numberText(rule.newly.operations), numberText(rule.no_longer.operations),
    numberText(rule.alerts.per_day.toFixed(1)), rule.alerts.worst_day ? worst(rule.alerts.worst_day) : "—"]}/>`);
  return rows.length > 0 && html`<${v.Table} columns=${columns} name=${t("col_rules")}>${rows}<//>`;
}

/** The difference that a backtest tells; `answer` is the backtest with its report. */
export function Impact({ answer: { id, report } }) {
  const { total, operations, days } = report;
  return html`<div data-report="done"><p>${t("impact_over", { n: numberText(operations), days })}
      ${" "}${t("impact_wallets", { n: numberText(total.wallets_touched) })}${" "}
      <a href=${`#/backtests/${id}`} data-report-link>${t("impact_report")}</a></p>
    <${Verdicts} total=${total}/><${RuleFigures} report=${report}/></div>`;
}
