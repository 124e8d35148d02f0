// The page of all rules.
import { can, explain, get, post, Problem, session, useLoad } from "../api.js";
import { ask } from "../dialog.js";
import { html, useEffect, useState } from "../html.js";
import { local, numberText, percent, t, time, tn } from "../i18n.js";
import * as v from "../parts.js";
import { store } from "../storage.js";

export const lastMatch = (rule) => (rule.last_match
  ? html`<a href=${v.decisionHref(rule.last_match.seq)}>${time(rule.last_match.at, true)}</a>` : t("never"));

/** What went wrong with a reload; rule errors keep their carets. */
export function ReloadFailure({ error, title }) {
  const text = error instanceof Problem ? error.body.text : null;
  const listed = error instanceof Problem && !text ? error.body.errors : null;
  const line = (item) => `${item.file || ""}:${item.line ?? ""}:${item.column ?? ""} ${item.code || ""}: ${item.message || ""}`;
  const lines = text || listed?.map(line).join("\n");
  const said = error instanceof Problem && error.status === 422 ? title ?? t("reload_failed") : explain(error, "analyst");
  return html`<div class="state error banner" role="alert"><strong>${said}</strong>${lines && html`<pre tabindex="0">${lines}</pre>`}</div>`;
}

const sum = (hours) => (hours || []).reduce((total, hits) => total + hits, 0);

/** Every column: its text, how its cells look, and what they are sorted by, the greatest first where `isDown`. */
const COLUMNS = [
  { text: "col_rule", by: (rule) => local(rule.title, rule.id), cell: (rule) => html`<div>
    <a href=${v.ruleHref(rule.id)} class="primary">${local(rule.title, rule.id)}</a><div class="muted small dots">
    <code>${rule.id}</code><span>${v.clausesText(rule.clauses)}</span>${rule.owner && html`<span>${rule.owner}</span>`}</div></div>` },
  { text: "col_mode", by: (rule) => rule.mode, cell: (rule) => v.modeBadge(rule.mode) },
  { text: "col_state", by: (rule) => rule.state, cell: v.stateText },
  { text: "col_severity", class: "right", isDown: true, by: (rule) => rule.severity ?? 0, cell: (rule) => rule.severity ?? "—" },
  { text: "col_hours", isDown: true, by: (rule) => sum(rule.hits_per_hour),
    cell: (rule) => html`<${v.Sparkline} hours=${rule.hits_per_hour}/>` },
  { text: "col_hits", class: "right", isDown: true, by: (rule) => rule.hits, cell: (rule) => numberText(rule.hits) },
  { text: "col_share", class: "right", isDown: true, by: (rule) => rule.share, cell: (rule) => percent(rule.share) },
  { text: "col_last", class: "nowrap", isDown: true, by: (rule) => rule.last_match?.at ?? "", cell: lastMatch },
];
const KEY = "kuzet.rules.order";

const compare = (a, b) => (typeof a === "string" ? a.localeCompare(b) : a - b);

/** The order that was chosen last: a column, and whether it is turned around; none is the order of the files. */
function useOrder() {
  const [order, setOrder] = useState(() => store("localStorage", KEY) || "");
  const [text, direction] = order.split(" ");
  const column = COLUMNS.find((known) => known.text === text);
  const choose = (chosen) => {
    const next = chosen === column ? (direction === "turned" ? "" : `${text} turned`) : chosen.text;
    setOrder(next);
    store("localStorage", KEY, next || null);
  };
  const sign = (column?.isDown ? -1 : 1) * (direction === "turned" ? -1 : 1);
  const sorted = (rules) => (column ? [...rules].sort((a, b) => sign * compare(column.by(a), column.by(b))) : rules);
  const columns = COLUMNS.map((known) => ({
    title: t(known.text), class: known.class,
    sort: known !== column ? undefined : sign < 0 ? "descending" : "ascending",
    head: html`<button type="button" class="sort" data-sort=${known.text} onClick=${() => choose(known)}>${t(known.text)}
      <span aria-hidden="true">${known !== column ? "" : sign < 0 ? " ↓" : " ↑"}</span></button>`,
  }));
  return { columns, sorted };
}

/** Buttons of an analyst: each acts, then says what it did. */
function useActions(found, again) {
  const [notice, setNotice] = useState(null);
  const [isBusy, setBusy] = useState(false);
  const act = async (path, done) => {
    setBusy(true);
    try {
      const result = await post(path);
      setNotice(html`<div class="state success" role="status">${done(result)}</div>`);
      again();
    } catch (error) {
      setNotice(html`<${ReloadFailure} error=${error}/>`);
    } finally {
      setBusy(false);
    }
  };
  const reload = () => act("/v1/rules/reload", ({ changed, ruleset }) => t(changed ? "reload_done" : "reload_same", { id: ruleset }));
  const rollback = async () => {
    const { ruleset: current, previous } = found;
    const agreed = await ask(t("rollback_title"), t("rollback_text", { current, previous }));
    if (agreed) await act("/v1/rules/rollback", ({ ruleset }) => t("rollback_done", { id: ruleset }));
  };
  const buttons = can("analyst") && html`
    <button type="button" data-action="reload" disabled=${isBusy} onClick=${reload}>${t("reload")}</button>
    ${found?.previous && html`<button type="button" class="quiet" data-action="rollback" disabled=${isBusy}
      onClick=${rollback}>${t("rollback")}</button>`}`;
  return { buttons, notice };
}

function Rules({ found, again }) {
  const { buttons, notice } = useActions(found, again);
  const { columns, sorted } = useOrder();
  const rows = sorted(found.rules).map((rule) => html`<${v.Row} key=${rule.id} columns=${columns}
    cells=${COLUMNS.map((column) => column.cell(rule))}/>`);
  return html`<div class="page"><${v.Heading} title=${t("rules_title")}>${buttons}<//>
    <p class="muted lead dots"><span>${tn("rules_lead", { n: found.rules.length, time: time(found.loaded_at) })}</span>
      <span>${t("ruleset")} <code>${found.ruleset}</code></span>
      ${found.previous && html`<span>${t("rules_previous", { id: found.previous })}</span>`}</p>
    <div aria-live="polite">${notice}</div>
    ${rows.length ? html`<${v.Table} columns=${columns} name=${t("rules_title")}>${rows}<//>` : html`<${v.Empty}>${t("rules_empty")}<//>`}
  </div>`;
}

export function Page() {
  const load = useLoad((signal) => get("/v1/rules", signal), []);
  // Whoever loads other rules, this page shows them.
  useEffect(() => {
    if (load.value && session.value && load.value.ruleset !== session.value.ruleset) load.again();
  }, [session.value?.ruleset]);
  return html`<${v.Loaded} title=${t("rules_title")} load=${load}>
    ${(found) => html`<${Rules} found=${found} again=${load.again}/>`}<//>`;
}
