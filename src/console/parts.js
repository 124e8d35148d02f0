// Pieces that several pages show.
import { each, explain, get } from "./api.js";
import { html, useState } from "./html.js";
import { evidenceValue, isCountry, isMoney, local, normalMoney, t, time, timeText, tn, word, zonedText } from "./i18n.js";

/** @typedef {import("./openapi").components["schemas"]["Operation"]} Operation */
/** @typedef {import("./filter.js").Parameters} Parameters */

/** @type {Parameters["verdict"][]} */
export const VERDICTS = ["allow", "challenge", "hold", "refuse"];
/** @type {Parameters["type"][]} */
export const TYPES = [
  "transfer", "payment", "cash_out", "redemption", "top_up", "refund", "login", "secret_answer", "pin", "cancelled",
  "wallet_block_requested", "wallet_unblock_requested", "ownership_disputed", "identity_confirmed", "ip_unblock_requested",
  "cash_out_details_wrong", "fraud_reported", "documents_refused", "tampering_detected",
  "suspicion_confirmed", "operation_disputed", "complaint_received", "seizure_ordered", "seizure_lifted",
  "rule_rearmed",
];
export const DEBITS = ["transfer", "payment", "cash_out", "redemption"];
export const CREDITS = ["top_up", "refund"];
/** The proofs of identity: what lifts a restriction that names nobody. @type {Operation["proof"][]} */
export const IDENTITY_PROOFS = ["pin", "secret_answer", "identity_document", "mobile_contract", "agreed"];
/** Whatever support may say was proved. @type {Operation["proof"][]} */
export const PROOFS = [...IDENTITY_PROOFS, "explanations", "facts_established"];
/** @type {Operation["source"][]} */
export const SOURCES = ["client", "support", "issuer", "payment_system", "antifraud_centre", "law_enforcement", "court"];

export const walletHref = (id) => `#/wallets/${encodeURIComponent(id)}`;
export const ruleHref = (id) => `#/rules/${encodeURIComponent(id)}`;
export const decisionHref = (seq) => `#/decisions/${encodeURIComponent(seq)}`;
/** The list of decisions that filters mean. */
export function decisionsHref(filters) {
  const query = new URLSearchParams(Object.entries(filters).filter(([, value]) => value));
  return `#/decisions${query.size ? `?${query}` : ""}`;
}

const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\u3164\u115f\u1160]/gu;
/** An id to look at: characters that cannot be seen or that turn the text around show as their codes. */
export const idText = (id) => String(id).replace(HIDDEN, (hidden) => `\\u{${hidden.codePointAt(0).toString(16)}}`);

export const idSpan = (id) => html`<span class="id" dir="auto">${idText(id)}</span>`;
export const walletLink = (id, more = "") =>
  html`<a href=${walletHref(id)} class=${`id ${more}`.trim()} dir="auto">${idText(id)}</a>`;
export const ruleLink = (id, text = id, title = null) => html`<a href=${ruleHref(id)} class="rule" title=${title}>${text}</a>`;

export function verdictBadge(verdict) {
  const name = VERDICTS.includes(verdict) ? verdict : "other";
  return html`<span class=${`badge verdict-${name}`}>${word("verdict_", verdict)}</span>`;
}

export function clausesText(clauses) {
  return clauses?.length ? t(clauses.length > 1 ? "clauses" : "clause_one", { list: clauses.join(", ") }) : "";
}

const lifterNames = (lifters) => lifters.map((who) => word("by_", who)).join(", ");

/** Who may lift a restriction; all five proofs together have a name of their own. */
export function lifters(names) {
  if (!names?.length) return t("lifted_by_nobody");
  if (!IDENTITY_PROOFS.every((proof) => names.includes(proof))) return lifterNames(names);
  const others = names.filter((who) => !IDENTITY_PROOFS.includes(who));
  const any = html`<span title=${lifterNames(IDENTITY_PROOFS)}>${t("by_any")}</span>`;
  return html`<span>${any}${others.length ? `, ${lifterNames(others)}` : null}</span>`;
}

export const Heading = ({ title, children }) =>
  html`<div class="heading"><h1 tabindex="-1">${title}</h1>${children}</div>`;

export const Section = ({ title, children }) => html`<section class="card"><h2>${title}</h2>${children}</section>`;

export const Loading = () => html`<p class="state" role="status">${t("loading")}</p>`;

export const Empty = ({ children }) => html`<p class="state muted">${children}</p>`;

export function Failure({ error, retry, role }) {
  const again = retry && html`<button type="button" onClick=${retry}>${t("retry")}</button>`;
  return html`<div class="state error" role="alert">
    <strong>${t("error_title")}</strong><p>${explain(error, role)}</p>${again}</div>`;
}

/** A page's heading and what is loaded under it: loading, a failure, or `children(value)`. */
export function Loaded({ title, load, children }) {
  if (load.value) return children(load.value);
  const state = load.error ? html`<${Failure} error=${load.error} retry=${load.again}/>` : html`<${Loading}/>`;
  return html`<${Heading} title=${title}/>${state}`;
}

/** A table whose cells know their column's name, for narrow screens. Columns have `title`, `class` and maybe `head`. */
export function Table({ columns, name, children }) {
  const head = columns.map((column) => html`<th scope="col" class=${column.class} aria-sort=${column.sort}>
    ${column.head ?? column.title}</th>`);
  return html`<div class="scroll"><table aria-label=${name}>
    <thead><tr>${head}</tr></thead><tbody>${children}</tbody></table></div>`;
}

/** A row of a table; one that can be opened by keys is marked by `data-row`. */
export function Row({ columns, cells, isFixed = false, ...attributes }) {
  const inner = cells.map((cell, index) => html`<td class=${columns[index]?.class} data-label=${columns[index]?.title}>
    <div>${cell}</div></td>`);
  return html`<tr data-row=${isFixed ? undefined : ""} ...${attributes}>${inner}</tr>`;
}

export function Facts({ pairs }) {
  const shown = pairs.filter(Boolean).map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`);
  return html`<dl class="facts">${shown}</dl>`;
}

export const Json = ({ value }) => html`<details><summary>${t("copy_json")}</summary>
  <pre tabindex="0">${JSON.stringify(value, null, 2)}</pre></details>`;

export const Field = ({ name, children, class: more }) => html`<label class=${more}><span>${name}</span>${children}</label>`;

/** A choice of one of `options`, `[value, text]` each, or of none. */
export function Select({ value, options, any, change, ...attributes }) {
  const all = options.some(([known]) => known === value) || !value ? options : [...options, [value, value]];
  const items = all.map(([known, text, title]) => html`<option value=${known} title=${title}>${text}</option>`);
  const choose = (event) => change(event.currentTarget.value);
  const none = any === undefined ? null : html`<option value="">${any}</option>`;
  return html`<select value=${value ?? ""} onChange=${choose} ...${attributes}>${none}${items}</select>`;
}

/** Copies a text; where the clipboard is closed to us, the old way. */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const field = document.createElement("textarea");
    field.value = text;
    (document.querySelector("dialog[open]") ?? document.body).append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
  }
}

export function CopyButton({ text, label = t("copy") }) {
  const [isDone, setDone] = useState(false);
  const press = async (event) => {
    const button = event.currentTarget;
    await copy(text);
    button.focus();
    setDone(true);
    setTimeout(() => setDone(false), 2000);
  };
  return html`<button type="button" class="quiet" data-action="copy" onClick=${press}>
    <span aria-live="polite">${isDone ? t("copied") : label}</span></button>`;
}

/** Adds to each item that has a `seq` the operation as it was sent; one that is gone stays as it is. */
export const addOperations = (items, width, signal) => each(items.filter(({ seq }) => seq), width, async (item) => {
  try {
    ({ operation: item.operation } = await get(`/v1/operations/${item.seq}`, signal));
  } catch {
    // What is no longer kept, or kept elsewhere, shows by its id.
  }
});

/** The amount of a decision as far as it is known: as it is listed, its operation's, else the one in evidence. */
export function amountOf(decision) {
  const sent = decision.amount ?? decision.operation?.amount;
  if (sent !== undefined && sent !== null) return normalMoney(sent);
  for (const match of decision.matches || []) {
    if (isMoney(match.evidence?.amount)) return match.evidence.amount;
  }
  return null;
}

/** The other side of an operation. */
export function receiverOf(operation) {
  const to = operation?.counterparty;
  if (!to) return null;
  if (to.wallet_id) return walletLink(to.wallet_id);
  return to.account || to.phone ? idSpan(to.account || to.phone) : word("w_", to.kind || "");
}

export function EvidenceList({ evidence }) {
  const pairs = Object.entries(evidence || {});
  if (!pairs.length) return null;
  const items = pairs.map(([name, value]) => html`<li><code>${name}</code> <strong>${evidenceValue(name, value)}</strong></li>`);
  return html`<ul class="evidence">${items}</ul>`;
}

/** The credit of the country data, where a country shows. */
export function Credit({ shows }) {
  if (!shows) return null;
  const link = html`<a href="https://db-ip.com" rel="noopener noreferrer" target="_blank">IP Geolocation by DB-IP</a>`;
  return html`<p class="credit muted">${t("country_credit")} ${link}</p>`;
}

/** Tells whether a country is anywhere in what is shown. */
export function hasCountry(value, key = "") {
  if (value === null || typeof value !== "object") return isCountry(key, value);
  return Object.entries(value).some(([name, inner]) => hasCountry(inner, Array.isArray(value) ? key : name));
}

// Restrictions.

export function restrictionKind(restriction) {
  const direction = restriction.direction ? word("direction_", restriction.direction) : "";
  const more = direction && restriction.kind === "block" ? html`<div class="muted small">${direction}</div>` : null;
  return html`<span>${word("kind_", restriction.kind)}${more}</span>`;
}

/** When a restriction ends, and that its rule fired again: then it was extended, or lasts as long as before. */
export function untilText(restriction) {
  const { until, fired_last: fired, from } = restriction;
  const end = until ? html`<span>${tn("until_time", { time: time(until, true) })}</span>` : t("until_lifted");
  if (!fired || fired === from) return end;
  const again = tn(until ? "until_extended" : "fired_again", { time: time(fired, true) });
  return html`<div>${end}<div class="muted small" data-note="again">${again}</div></div>`;
}

/** What an operation waits for. A block among it has suspended the operation, which goes on when it ends. */
export function Causes({ waiting }) {
  const cause = (key, rule, more) =>
    html`<li>${tn(key, { rule: ruleLink(rule) })}${more && html`<span class="muted"> (${more})</span>`}</li>`;
  const keys = { block: "waiting_block", monitor: "waiting_monitor" };
  const holds = waiting.holds.map((hold) =>
    cause(keys[hold.kind] ?? "waiting_hold", hold.rule, hold.lifted_by ? lifters(hold.lifted_by) : null));
  const pins = (waiting.pins || []).map((pin) => cause("waiting_pin", pin.rule));
  return html`<ul class="small">${holds}${pins}</ul>`;
}

// Figures of a rule.

export function Sparkline({ hours, wide = false }) {
  const values = (hours || []).map((value) => Number(value) || 0);
  const most = Math.max(1, ...values);
  const total = values.reduce((sum, value) => sum + value, 0);
  const label = t("spark_label", { total, max: Math.max(0, ...values) });
  const [step, height] = wide ? [24, 80] : [4, 22];
  const bars = values.map((value, index) => {
    const size = value ? Math.max(2, (value / most) * height) : 1;
    const kind = value ? "bar" : "bar none";
    return html`<rect x=${index * step} y=${height - size} width=${step - 1} height=${size} class=${kind}/>`;
  });
  const box = `0 0 ${Math.max(1, values.length) * step} ${height}`;
  return html`<svg viewBox=${box} class=${wide ? "spark wide" : "spark"} role="img" aria-label=${label}>
    <title>${label}</title>${bars}</svg>`;
}

export function modeBadge(mode) {
  const known = ["enforce", "shadow", "off"].includes(mode) ? mode : "off";
  return html`<span class=${`badge mode-${known}`}>${word("mode_", mode)}</span>`;
}

export function stateText(rule) {
  if (rule.state !== "warming") return word("state_", rule.state);
  if (!rule.warming_until) return t("state_warming_open");
  return t("state_warming", { time: zonedText(timeText(rule.warming_until, true)) });
}

export function ReloadBanner({ error }) {
  if (!error) return null;
  return html`<div class="state error banner" role="alert">
    <strong>${tn("reload_error", { time: time(error.at) })}</strong><pre tabindex="0">${error.text || ""}</pre></div>`;
}

/** A rule by its title where that is known. */
export const ruleTitle = (titles, id) => local(titles?.get(id), id);
