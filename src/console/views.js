// Pieces that several pages show.
import { each, explain, get } from "./api.js";
import { append, h, svg } from "./dom.js";
import { evidenceValue, isMoney, local, money, t, time, timeText, tn, word, zonedText } from "./i18n.js";

export const VERDICTS = ["allow", "challenge", "hold", "refuse"];
export const TYPES = [
  "transfer", "payment", "cash_out", "redemption", "top_up", "refund", "login", "secret_answer", "pin", "cancelled",
  "wallet_block_requested", "wallet_unblock_requested", "ownership_disputed", "identity_confirmed", "ip_unblock_requested",
  "cash_out_details_wrong", "fraud_reported", "documents_refused", "tampering_detected",
  "suspicion_confirmed", "operation_disputed", "complaint_received", "seizure_ordered", "seizure_lifted",
];
export const DEBITS = ["transfer", "payment", "cash_out", "redemption"];
export const CREDITS = ["top_up", "refund"];
export const MOVES = [...DEBITS, ...CREDITS];
/** The proofs of identity: what lifts a restriction that names nobody. */
export const IDENTITY_PROOFS = ["pin", "secret_answer", "identity_document", "mobile_contract", "agreed"];
/** Whatever support may say was proved. */
export const PROOFS = [...IDENTITY_PROOFS, "explanations", "facts_established"];
export const SOURCES = ["client", "support", "issuer", "payment_system", "antifraud_centre", "law_enforcement", "court"];

export const walletHref = (id) => `#/wallets/${encodeURIComponent(id)}`;
export const ruleHref = (id) => `#/rules/${encodeURIComponent(id)}`;
export const decisionHref = (seq) => `#/decisions/${encodeURIComponent(seq)}`;

/** An id to look at: characters that cannot be seen or that turn the text around show as their codes. */
export const idText = (id) => String(id).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\u3164\u115f\u1160]/gu, (hidden) => `\\u{${hidden.codePointAt(0).toString(16)}}`);

export const idSpan = (id) => h("span", { class: "id", dir: "auto" }, idText(id));
export const walletLink = (id, more = "") => h("a", { href: walletHref(id), class: `id ${more}`.trim(), dir: "auto" }, idText(id));
export const ruleLink = (id, text = id) => h("a", { href: ruleHref(id), class: "rule" }, text);

export const verdictBadge = (verdict) => h("span", { class: `badge verdict-${VERDICTS.includes(verdict) ? verdict : "other"}` }, word("verdict_", verdict));

export const clausesText = (clauses) => (clauses?.length ? t(clauses.length > 1 ? "clauses" : "clause_one", { list: clauses.join(", ") }) : "");

const lifterNames = (lifters) => lifters.map((who) => word("by_", who)).join(", ");

/** Who may lift a restriction; all five proofs together have a name of their own. */
export function lifters(names) {
  if (!names?.length) return t("lifted_by_nobody");
  if (!IDENTITY_PROOFS.every((proof) => names.includes(proof))) return lifterNames(names);
  const others = names.filter((who) => !IDENTITY_PROOFS.includes(who));
  return h("span", {}, h("span", { title: lifterNames(IDENTITY_PROOFS) }, t("by_any")), others.length ? `, ${lifterNames(others)}` : null);
}

export function heading(title, ...more) {
  return h("div", { class: "heading" }, h("h1", { tabindex: "-1" }, title), more);
}

export const section = (title, ...children) => h("section", { class: "card" }, h("h2", {}, title), children);

export const loading = () => h("p", { class: "state", role: "status" }, t("loading"));

export const empty = (text) => h("p", { class: "state muted" }, text);

export function failure(error, retry, role) {
  const again = retry && h("button", { type: "button", onclick: retry }, t("retry"));
  return h("div", { class: "state error", role: "alert" }, h("strong", {}, t("error_title")), h("p", {}, explain(error, role)), again);
}

/** A table whose cells know their column's name, for narrow screens. */
export function table(columns, rows, name) {
  const head = h("tr", {}, columns.map((column) => h("th", { scope: "col", class: column.class }, column.title)));
  const body = h("tbody", {}, rows);
  const element = h("table", { "aria-label": name }, h("thead", {}, head), body);
  return { element: h("div", { class: "scroll" }, element), body };
}

export function row(columns, cells, attributes = {}) {
  return h("tr", { "data-row": true, ...attributes }, cells.map((cell, index) => {
    const column = columns[index] || {};
    return h("td", { class: column.class, "data-label": column.title }, h("div", {}, cell));
  }));
}

export function facts(pairs) {
  return h("dl", { class: "facts" }, pairs.filter(Boolean).map(([name, value]) => h("div", {}, h("dt", {}, name), append(h("dd", {}), value))));
}

export const json = (value) => h("details", {}, h("summary", {}, t("copy_json")), h("pre", { tabindex: "0" }, JSON.stringify(value, null, 2)));

/** Adds to each item that has a `seq` the operation as it was sent; one that is gone stays as it is. */
export const addOperations = (items, width, signal) => each(items.filter(({ seq }) => seq), width, async (item) => {
  try {
    ({ operation: item.operation } = await get(`/v1/operations/${item.seq}`, signal));
  } catch {
    // What is no longer kept, or kept elsewhere, shows by its id.
  }
});

/** The amount of a decision as far as it is known: its operation's, else the one in evidence. */
export function amountOf(decision) {
  const sent = decision.operation?.amount;
  if (sent !== undefined && sent !== null) return normalMoney(sent);
  for (const match of decision.matches || []) {
    if (isMoney(match.evidence?.amount)) return match.evidence.amount;
  }
  return null;
}

/** `150000` and `150000.5` as `150000.00` and `150000.50`. */
export function normalMoney(amount) {
  const match = /^(\d+)(?:\.(\d{0,2})\d*)?$/.exec(String(amount));
  return match ? `${match[1]}.${(match[2] || "").padEnd(2, "0")}` : String(amount);
}

export function evidenceList(evidence) {
  const pairs = Object.entries(evidence || {});
  if (!pairs.length) return null;
  return h("ul", { class: "evidence" }, pairs.map(([name, value]) => h("li", {}, h("code", {}, name), " ", h("strong", {}, evidenceValue(name, value)))));
}

// Commands.

function subject(command) {
  const of = command.subject || {};
  if (of.wallet !== undefined) return h("span", {}, tn("subject_wallet", { id: walletLink(of.wallet) }));
  const kind = of.ip !== undefined ? "ip" : "operation";
  return h("span", {}, tn(`subject_${kind}`, { id: idSpan(of[kind] ?? "—") }));
}

function commandKey(prefix, command) {
  const detail = command.challenge || command.direction;
  const key = `${prefix}${command.command}`;
  const full = `${key}_${detail}`;
  return detail && word("", full) !== full ? full : key;
}

const reasonText = (reason) => (word("by_", reason) === reason ? word("source_", reason) : word("by_", reason));

/** A command as a sentence, and below it what it rests on. */
export function commandItem(command) {
  let key = commandKey("cmd_", command);
  if (command.command === "lift" && !command.reason) key = "cmd_lift_plain";
  if (word("", key) === key) key = "cmd_other";
  const values = {
    subject: subject(command), command: command.command,
    reason: command.reason && reasonText(command.reason), to: command.to ? word("source_", command.to) : "—",
  };
  const terms = [];
  if (command.from && command.command !== "lift") {
    const from = time(command.from);
    terms.push(h("span", {}, command.until ? tn("from_until", { from, until: time(command.until) }) : tn("from_open", { from })));
    terms.push(h("span", {}, command.lifted_by?.length ? tn("lifted_by", { who: lifters(command.lifted_by) }) : t("lifted_by_nobody")));
  }
  const rests = [command.rule && ruleLink(command.rule), clausesText(command.clauses), ...terms].filter(Boolean);
  if (command.ended) {
    // What was asked for is over: the sentence says what was, and how it ended.
    key = command.command === "hold" ? "cmd_hold_over" : key;
    rests.unshift(h("span", { class: "over", "data-ended": command.ended.command }, tn(`ended_${command.ended.command}`, { time: time(command.ended.at) })));
  }
  const small = h("div", { class: "muted small dots" }, rests.map((item) => h("span", {}, item)));
  return h("li", { class: command.ended ? "over" : null }, h("span", { class: `mark mark-${command.command}`, "aria-hidden": "true" }), h("div", {}, h("div", {}, tn(key, values)), small));
}

export function commandList(commands) {
  if (!commands?.length) return null;
  return h("ul", { class: "commands" }, commands.map(commandItem));
}

/** The commands of a decision in a few words. */
export function effects(decision) {
  const words = (decision.commands || []).map((command) => {
    const key = commandKey("short_", command);
    return word("", key) === key ? command.command : t(key);
  });
  return [...new Set(words)].join(", ");
}

/** Rules of a decision as links: those that fired, then those whose earlier restrictions spoke. */
export function matchLinks(decision, titles) {
  const modes = new Map((decision.matches || []).map((match) => [match.rule, match.mode]));
  const rules = new Set([...modes.keys(), ...(decision.commands || []).map((command) => command.rule)]);
  if (!rules.size) return null;
  return h("span", { class: "list" }, [...rules].map((rule) => {
    const link = ruleLink(rule);
    if (titles?.get(rule)) link.title = local(titles.get(rule));
    return h("span", {}, link, modes.get(rule) === "shadow" ? h("span", { class: "tag" }, t("shadow")) : null);
  }));
}

export function decisionColumns(withWallet = true) {
  return [
    { title: t("col_time"), class: "nowrap" }, { title: t("col_verdict") }, { title: t("col_type") },
    withWallet && { title: t("col_wallet"), class: "wallet" }, { title: t("col_amount"), class: "right" }, { title: t("col_rules") }, { title: t("col_effect") },
  ].filter(Boolean);
}

export function decisionRow(columns, decision, { withWallet = true, titles = null } = {}) {
  const opened = h("a", { href: decisionHref(decision.seq), class: "primary" }, time(decision.occurred_at, true));
  const amount = amountOf(decision);
  const cells = [
    opened, verdictBadge(decision.verdict),
    [word("type_", decision.type), decision.late ? h("span", { class: "tag" }, t("late")) : null],
    withWallet && walletLink(decision.wallet_id),
    amount === null ? h("span", { "data-amount": "unknown" }) : money(amount), matchLinks(decision, titles), effects(decision),
  ].filter((cell) => cell !== false);
  return row(columns, cells, { "data-seq": decision.seq });
}

// Operations that wait.

/** What an operation waits for. A block among it has suspended the operation, which goes on when it ends. */
export function causes(waiting) {
  const cause = (key, values, more) => h("li", {}, tn(key, values), more ? h("span", { class: "muted" }, [" (", more, ")"]) : null);
  const holds = waiting.holds.map((hold) => {
    const key = hold.kind === "block" ? "waiting_block" : hold.kind === "monitor" ? "waiting_monitor" : "waiting_hold";
    return cause(key, { rule: ruleLink(hold.rule) }, hold.lifted_by ? lifters(hold.lifted_by) : null);
  });
  return h("ul", { class: "small" }, holds, (waiting.pins || []).map((pin) => cause("waiting_pin", { rule: ruleLink(pin.rule) })));
}

/** The other side of an operation. */
export function receiverOf(operation) {
  const to = operation?.counterparty;
  if (!to) return null;
  if (to.wallet_id) return walletLink(to.wallet_id);
  return to.account || to.phone ? idSpan(to.account || to.phone) : word("w_", to.kind || "");
}

// Restrictions.

export function restrictionKind(restriction) {
  const direction = restriction.direction ? word("direction_", restriction.direction) : "";
  return h("span", {}, word("kind_", restriction.kind), direction && restriction.kind === "block" ? h("div", { class: "muted small" }, direction) : null);
}

/** When a restriction ends, and that its rule fired again: then it was extended, or lasts as long as before. */
export function untilText(restriction) {
  const until = restriction.until ? h("span", {}, tn("until_time", { time: time(restriction.until, true) })) : t("until_lifted");
  if (!restriction.fired_last || restriction.fired_last === restriction.from) return until;
  const again = tn(restriction.until ? "until_extended" : "fired_again", { time: time(restriction.fired_last, true) });
  return h("div", {}, until, h("div", { class: "muted small", "data-note": "again" }, again));
}

// Figures of a rule.

export function sparkline(hours, wide = false) {
  const values = (hours || []).map((value) => Number(value) || 0);
  const most = Math.max(1, ...values);
  const label = t("spark_label", { total: values.reduce((sum, value) => sum + value, 0), max: Math.max(0, ...values) });
  const [step, height] = wide ? [24, 80] : [4, 22];
  const bars = values.map((value, index) => {
    const size = value ? Math.max(2, (value / most) * height) : 1;
    return svg("rect", { x: index * step, y: height - size, width: step - 1, height: size, class: value ? "bar" : "bar none" });
  });
  const width = Math.max(1, values.length) * step;
  return svg("svg", { viewBox: `0 0 ${width} ${height}`, class: wide ? "spark wide" : "spark", role: "img", "aria-label": label }, svg("title", {}, label), bars);
}

export const modeBadge = (mode) => h("span", { class: `badge mode-${["enforce", "shadow", "off"].includes(mode) ? mode : "off"}` }, word("mode_", mode));

export function stateText(rule) {
  if (rule.state !== "warming") return word("state_", rule.state);
  return rule.warming_until ? t("state_warming", { time: zonedText(timeText(rule.warming_until, true)) }) : t("state_warming_open");
}

export function reloadBanner(error) {
  if (!error) return null;
  const heading = h("strong", {}, tn("reload_error", { time: time(error.at) }));
  return h("div", { class: "state error banner", role: "alert" }, heading, h("pre", { tabindex: "0" }, error.text || ""));
}
