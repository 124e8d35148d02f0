// A table of decisions: which columns there are, and a row.
import { effects } from "./commands.js";
import { html, signal } from "./html.js";
import { local, money, t, time, word } from "./i18n.js";
import { amountOf, decisionHref, idSpan, receiverOf, Row, ruleLink, verdictBadge, walletLink } from "./parts.js";
import { store } from "./storage.js";

/** Titles of rules by their ids, once a page has asked for them. */
export const titles = signal(new Map());

/** Rules of a decision as links: those that fired, then those whose earlier restrictions spoke. */
function MatchLinks({ decision }) {
  const modes = new Map((decision.matches || []).map((match) => [match.rule, match.mode]));
  const rules = new Set([...modes.keys(), ...(decision.commands || []).map((command) => command.rule)]);
  if (!rules.size) return null;
  const links = [...rules].map((rule) => html`<span>${ruleLink(rule, rule, local(titles.value.get(rule), "") || null)}
    ${modes.get(rule) === "shadow" ? html`<span class="tag">${t("shadow")}</span>` : null}</span>`);
  return html`<span class="list">${links}</span>`;
}

const late = (decision) => (decision.late ? html`<span class="tag">${t("late")}</span>` : null);

function amount(decision) {
  const known = amountOf(decision);
  return known === null ? null : money(known);
}

/** Every column by its name; the first one opens the decision. */
const COLUMNS = {
  time: { text: "col_time", class: "nowrap", cell: (item) =>
    html`<a href=${decisionHref(item.seq)} class="primary">${time(item.occurred_at, true)}</a>` },
  verdict: { text: "col_verdict", cell: (item) => verdictBadge(item.verdict) },
  type: { text: "col_type", cell: (item) => html`${word("type_", item.type)}${late(item)}` },
  wallet: { text: "col_wallet", class: "wallet", cell: (item) => walletLink(item.wallet_id) },
  amount: { text: "col_amount", class: "right", cell: amount },
  counterparty: { text: "col_counterparty", class: "wallet", cell: (item) => receiverOf(item.counterparty ? item : item.operation) },
  rules: { text: "col_rules", cell: (item) => html`<${MatchLinks} decision=${item}/>` },
  effect: { text: "col_effect", cell: effects },
  seq: { text: "col_seq", class: "right", cell: (item) => html`<span class="num">${item.seq}</span>` },
  op_id: { text: "op_id", class: "wallet", cell: (item) => idSpan(item.op_id) },
};
export const COLUMN_NAMES = Object.keys(COLUMNS);
const FIRST = ["time", "verdict", "type", "wallet", "amount", "counterparty", "rules", "effect"];
const KEY = "kuzet.columns";

function remembered() {
  const names = (store("localStorage", KEY) || "").split(",").filter((name) => COLUMN_NAMES.includes(name));
  return names.length ? names : FIRST;
}

/** The columns that this person chose. */
export const chosen = signal(remembered());

export function toggleColumn(name) {
  const wanted = new Set(chosen.value);
  if (wanted.has(name)) wanted.delete(name);
  else wanted.add(name);
  // The time opens the decision.
  wanted.add("time");
  chosen.value = COLUMN_NAMES.filter((column) => wanted.has(column));
  store("localStorage", KEY, chosen.value.join(","));
}

export const columnText = (name) => t(COLUMNS[name].text);

/** The columns of these names, for a table. */
export const columnsOf = (names) => names.map((name) => ({ name, title: columnText(name), class: COLUMNS[name].class }));

/** A row of a decision. Where nothing of it changes, it is not made again. */
export function DecisionRow({ item, names, isFresh }) {
  const columns = columnsOf(names);
  const cells = names.map((name) => COLUMNS[name].cell(item));
  return html`<${Row} columns=${columns} cells=${cells} data-seq=${item.seq} class=${isFresh ? "fresh" : null}/>`;
}
