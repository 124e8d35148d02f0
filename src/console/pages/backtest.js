// Backtests: what the rules in use match in the operations that are kept, or what going back would change; and the
// report of one that was run, by its number.
import { can, get, Problem, segment, useLoad } from "../api.js";
import { save } from "../export.js";
import { html, useState } from "../html.js";
import { fieldOfTime, moneyText, numberText, t, time, timeOfField } from "../i18n.js";
import { backtest, DaysField, Impact, RuleFigures } from "../impact.js";
import * as v from "../parts.js";
import { Task, useTask } from "../tasks.js";

/** What is asked for, by its name in the form. */
const KINDS = { current: { rules: "current" }, previous: { rules: "previous", against: "current" } };

function Report({ answer }) {
  const { id, report } = answer;
  const facts = [
    [t("backtest_number"), html`<a href=${`#/backtests/${id}`} data-report-link>${id}</a>`],
    [t("backtest_operations"), numberText(report.operations)], [t("backtest_days"), numberText(report.days)],
    report.first && [t("count_from"), time(report.first, true)], report.last && [t("count_to"), time(report.last, true)],
    [t("ruleset"), html`<code>${report.rules.hash}</code>`],
    report.against && [t("backtest_against"), html`<code>${report.against.hash}</code>`],
    [t("backtest_matched"), html`${numberText(report.total.alerts.operations)} · ${moneyText(report.total.alerts.amount)}`],
  ];
  const download = () => save(new Blob([JSON.stringify(report, null, 2)], { type: "application/json" }), `kuzet-backtest-${id}.json`);
  return html`<section class="card" data-backtest=${id}><${v.Facts} pairs=${facts}/>
    ${report.against ? html`<${Impact} answer=${answer}/><details><summary>${t("backtest_all")}</summary><${RuleFigures} report=${report} all/></details>`
    : html`<div data-report="done"><${RuleFigures} report=${report} all/></div>`}
    <div class="buttons"><button type="button" data-action="download" onClick=${download}>JSON</button></div></section>`;
}

function Ask() {
  const [values, setValues] = useState({ kind: "current", days: "7", from: "", to: "" });
  const [state, run] = useTask();
  const set = (more) => setValues((before) => ({ ...before, ...more }));
  const { kind, days, from, to } = values;
  const start = (event) => {
    event.preventDefault();
    const span = from || to ? { from: from || null, to: to || null } : { days: Number(days) };
    run((told, signal) => backtest({ ...KINDS[kind], ...span }, told, signal));
  };
  const field = (name) => html`<label>${t(`filter_${name}`, { zone: t("zone") })} <input type="datetime-local" name=${name} value=${fieldOfTime(values[name])}
    onChange=${(event) => set({ [name]: timeOfField(event.currentTarget.value) })}/></label>`;
  const kinds = Object.keys(KINDS).map((name) => [name, t(`backtest_${name}`)]);
  return html`<form class="card" onSubmit=${start}><div class="buttons"><label>${t("backtest_kind")} <${v.Select} value=${kind} options=${kinds}
      change=${(next) => set({ kind: next })} data-field="kind"/></label><${DaysField} days=${days} change=${(next) => set({ days: next })}/>
      ${field("from")}${field("to")}
      <button type="submit" class="primary-button" data-action="backtest">${t("backtest_run")}</button></div>
    <p class="muted small">${t("backtest_note")}</p></form>
    <div aria-live="polite"><${Task} state=${state}>${(answer) => html`<${Report} answer=${answer}/>`}<//></div>`;
}

/** A report that is kept. */
function Kept({ id }) {
  const load = useLoad((signal) => get(`/v1/backtests/${segment(id)}`, signal), [id]);
  if (load.error) return html`<${v.Failure} error=${load.error} retry=${load.again} role="support, analyst"/>`;
  if (!load.value) return html`<${v.Loading}/>`;
  const { state, report, done, operations, error } = load.value;
  if (report) return html`<${Report} answer=${load.value}/>`;
  const said = state === "running" ? t("impact_running", { n: operations ? Math.round((100 * done) / operations) : 0 }) : error ?? t("backtest_stopped");
  return html`<p class="state" data-backtest-state=${state}>${said} <button type="button" onClick=${load.again}>${t("retry")}</button></p>`;
}

/** @param {{parts: string[]}} given */
export function Page({ parts: [, id] }) {
  const title = t("backtest_title");
  const inside = id ? html`<${Kept} id=${id}/>` : can("analyst") ? html`<${Ask}/>` : html`<${v.Failure} error=${new Problem(403)} role="analyst"/>`;
  return html`<div class="page"><${v.Heading} title=${title}>${id && can("analyst") && html`<a href="#/backtests">${t("backtest_new")}</a>`}
    <a href="#/rules">${t("rules_title")}</a><//>${inside}</div>`;
}
