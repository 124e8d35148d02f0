// The page of all rules.
import { can, get, post, session, useLoad } from "../api.js";
import { CloseButton, openDialog } from "../dialog.js";
import { html, useEffect, useRef, useState } from "../html.js";
import { local, money, moneyText, numberText, percent, t, time, tn, word } from "../i18n.js";
import { notice as doneNotice, rollBack } from "../lifecycle.js";
import * as v from "../parts.js";
import { go, replaceAddress } from "../router.js";
import { store } from "../storage.js";
import { ReloadFailure } from "../tasks.js";

/** @typedef {import("../openapi").paths["/v1/rules"]["get"]["parameters"]["query"]} Parameters */

export const lastMatch = (rule) => (rule.last_match
  ? html`<a href=${v.decisionHref(rule.last_match.seq)}>${time(rule.last_match.at, true)}</a>` : t("never"));

/** How far back hits and amounts are counted. @type {Parameters["period"][]} */
export const PERIODS = ["24h", "7d", "30d", "90d", "all"];

/** Hundredths of a tenge, exactly. */
const tiyn = (amount) => BigInt(String(amount ?? "0").replace(".", ""));

/** The last match, if it lies in the period that is looked at. */
const lastIn = ({ last_match: last }, { from }) => (last && (!from || Date.parse(last.at) >= Date.parse(from)) ? last : null);

/** What the rule held or refused; and of all that it matched, where that is more. */
function amountCell({ in_period: counted }) {
  const matched = tiyn(counted.amount) > tiyn(counted.amount_stopped)
    && html`<div class="muted small">${t("rules_of_amount", { amount: moneyText(counted.amount) })}</div>`;
  return html`<div>${counted.stopped ? money(counted.amount_stopped) : "—"}${matched}</div>`;
}

function hitsCell({ id, in_period: counted, hits_per_hour: hours }, { name, from }) {
  const found = html`<span class="num">${numberText(counted.hits)}</span>`;
  const link = counted.hits ? html`<a href=${v.decisionsHref({ rule: id, ...(name === "all" ? {} : { from }) })}>${found}</a>` : found;
  return html`<div class="hits">${name === "24h" && html`<${v.Sparkline} hours=${hours}/> `}${link}</div>`;
}

const SEVERITIES = ["low", "medium", "high", "critical"];

/** A number for a severity, which is one of the usual words, a number of the bank's own, or any other text. */
const rankOf = (severity) => SEVERITIES.indexOf(severity) + 1 || Number(severity) || 0;

/** Every column: its text, how its cells look, and what they are sorted by, the greatest first where `isDown`. */
const COLUMNS = [
  { text: "col_rule", by: (rule) => local(rule.title, rule.id), cell: (rule) => html`<div>
    <a href=${v.ruleHref(rule.id)} class="primary">${local(rule.title, rule.id)}</a><div class="muted small dots">
    <code>${rule.id}</code><span>${v.clausesText(rule.clauses)}</span></div></div>` },
  { text: "col_owner", by: (rule) => rule.owner ?? "", cell: (rule) => rule.owner ?? "—" },
  { text: "col_severity", isDown: true, by: (rule) => rankOf(rule.severity),
    cell: (rule) => (rule.severity ? word("severity_", rule.severity) : "—") },
  { text: "col_mode", by: (rule) => rule.mode, cell: (rule) => v.modeBadge(rule.mode) },
  { text: "col_state", by: (rule) => rule.state, cell: v.stateText },
  { text: "col_hits", class: "right", isDown: true, by: (rule) => rule.in_period.hits, cell: hitsCell },
  { text: "col_amount_stopped", class: "right", isDown: true, by: (rule) => tiyn(rule.in_period.amount_stopped), cell: amountCell },
  { text: "col_share", class: "right", isDown: true, by: (rule) => rule.in_period.share, cell: (rule) => percent(rule.in_period.share) },
  { text: "col_last", class: "nowrap", isDown: true, by: (rule, period) => lastIn(rule, period)?.at ?? "",
    cell: (rule, period) => (lastIn(rule, period) ? lastMatch(rule) : "—") },
];
const KEY = "kuzet.rules.order";

const compare = (a, b) => (typeof a === "string" ? a.localeCompare(b) : Number(a > b) - Number(a < b));

/** The order that the address names: a column, and whether it is turned around; without one, the order of the files. */
function useOrder(order, choose) {
  const [text, direction] = order.split(" ");
  const column = COLUMNS.find((known) => known.text === `col_${text}`);
  const next = (chosen) => {
    if (chosen !== column) return chosen.text.slice(4);
    return direction === "turned" ? "" : `${text} turned`;
  };
  const sign = (column?.isDown ? -1 : 1) * (direction === "turned" ? -1 : 1);
  const sorted = (rules, period) => (column
    ? [...rules].sort((a, b) => sign * compare(column.by(a, period), column.by(b, period))) : rules);
  const columns = COLUMNS.map((known) => ({
    title: t(known.text), class: known.class,
    sort: known !== column ? undefined : sign < 0 ? "descending" : "ascending",
    head: html`<button type="button" class="sort" data-sort=${known.text} onClick=${() => choose(next(known))}>${t(known.text)}
      <span aria-hidden="true">${known !== column ? "" : sign < 0 ? " ↓" : " ↑"}</span></button>`,
  }));
  return { columns, sorted };
}

/** Asks what a new rule is called, and where its files are to lie. */
function NewRule({ close }) {
  const [values, setValues] = useState({ id: "", folder: "behaviour" });
  const set = (name) => (event) => setValues({ ...values, [name]: event.currentTarget.value.trim() });
  const submit = (event) => {
    event.preventDefault();
    close();
    go(`${v.ruleHref(values.id)}/new?${new URLSearchParams({ folder: values.folder })}`);
  };
  return html`<form onSubmit=${submit}>
    <label class="field">${t("id")} <input type="text" name="id" required maxlength="64" pattern="[a-z0-9]+(-[a-z0-9]+)*" autocomplete="off"
      spellcheck=${false} value=${values.id} onInput=${set("id")}/></label><p class="muted small">${t("new_id_note")}</p>
    <label class="field">${t("new_folder")} <input type="text" name="folder" maxlength="100" pattern="[A-Za-z0-9_\\-]+(/[A-Za-z0-9_\\-]+)*" autocomplete="off"
      spellcheck=${false} value=${values.folder} onInput=${set("folder")}/></label>
    <div class="buttons"><button type="submit" class="primary-button" data-action="submit">${t("new_go")}</button>
      <${CloseButton} close=${close} text=${t("cancel")}/></div></form>`;
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
  const rollback = () => rollBack(found, ({ ruleset }) => {
    setNotice(html`<div class="state success" role="status">${t("rollback_done", { id: ruleset })}</div>`);
    again();
  });
  const buttons = can("analyst") && html`
    <button type="button" data-action="new" onClick=${() => openDialog(t("new_rule"), NewRule)}>${t("new_rule")}</button>
    <a href="#/backtests" data-action="backtests">${t("backtest_title")}</a>
    <button type="button" data-action="reload" disabled=${isBusy} onClick=${reload}>${t("reload")}</button>
    ${found?.previous && html`<button type="button" class="quiet" data-action="rollback" disabled=${isBusy}
      onClick=${rollback}>${t("rollback")}</button>`}`;
  return { buttons, notice };
}

/** From when to when is counted, in words. */
function periodText({ from, to, decisions }) {
  if (!to) return t("rules_none_decided");
  return tn("rules_counted", { from: time(from, true), to: time(to, true), n: numberText(decisions) });
}

function Rules({ found, again, view, set }) {
  const { buttons, notice } = useActions(found, again);
  const { columns, sorted } = useOrder(view.order, (order) => set({ order }));
  const rows = sorted(found.rules, found.period).map((rule) => html`<${v.Row} key=${rule.id} columns=${columns} data-rule=${rule.id}
    cells=${COLUMNS.map((column) => column.cell(rule, found.period))}/>`);
  const choices = PERIODS.map((name) => [name, t(`period_${name}`)]);
  return html`<div class="page"><${v.Heading} title=${t("rules_title")}>${buttons}<//>
    <p class="muted lead dots"><span>${tn("rules_lead", { n: found.rules.length, time: time(found.loaded_at) })}</span>
      <span>${t("ruleset")} <code>${found.ruleset}</code></span>
      ${found.previous && html`<span>${t("rules_previous", { id: found.previous })}</span>`}</p>
    <div aria-live="polite">${notice}${doneNotice.value?.rule === null && html`<div class="state success" role="status"
      data-notice>${doneNotice.value.text}</div>`}</div>
    <div class="filters"><${v.Field} name=${t("filter_period")}><${v.Select} value=${view.period} options=${choices}
      change=${(period) => set({ period })} data-filter="period"/><//><p class="muted small" aria-live="polite">${periodText(found.period)}</p></div>
    ${rows.length ? html`<${v.Table} columns=${columns} name=${t("rules_title")}>${rows}<//>` : html`<${v.Empty}>${t("rules_empty")}<//>`}
  </div>`;
}

/** What the address says of the period and the order; of the order else what was chosen last. */
function viewOf(query) {
  const period = PERIODS.find((name) => name === query.get("period")) ?? PERIODS[0];
  return { period, order: query.get("order") ?? store("localStorage", KEY) ?? "" };
}

/** @param {{query: URLSearchParams}} given */
export function Page({ query }) {
  const [view, setView] = useState(() => viewOf(query));
  const load = useLoad((signal) => get(`/v1/rules?period=${view.period}`, signal), [view.period]);
  // While another period is counted, what shows stays.
  const before = useRef(null);
  before.current = load.value ?? (load.error ? null : before.current);
  const set = (more) => {
    const next = { ...view, ...more };
    store("localStorage", KEY, next.order || null);
    replaceAddress(`#/rules?${new URLSearchParams(next)}`);
    setView(next);
  };
  useEffect(() => () => {
    if (doneNotice.peek()?.rule === null) doneNotice.value = null;
  }, []);
  // Whoever loads other rules, this page shows them.
  useEffect(() => {
    if (load.value && session.value && load.value.ruleset !== session.value.ruleset) load.again();
  }, [session.value?.ruleset]);
  return html`<${v.Loaded} title=${t("rules_title")} load=${{ ...load, value: before.current }}>
    ${(found) => html`<${Rules} found=${found} again=${load.again} view=${view} set=${set}/>`}<//>`;
}
