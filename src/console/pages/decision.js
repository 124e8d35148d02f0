// The page of one decision: why it was made, what it commands, and what became of it.
import { get, segment, useLoad } from "../api.js";
import { CommandList } from "../commands.js";
import { html } from "../html.js";
import { evidenceValue, hasText, isMoney, lang, local, money, normalMoney, t, time, word } from "../i18n.js";
import * as v from "../parts.js";
import { Basis, NearlyFired, Sentences, useWhy } from "../why.js";

const FIELDS = [
  "type", "client_status", "amount", "currency", "counterparty.kind", "counterparty.wallet_id", "counterparty.account",
  "counterparty.phone", "ip", "country", "ip.country", "device_id", "outcome", "ref_op_id", "proof", "order", "actor",
  "source", "attributes.case", "attributes.comment",
];
const SHOWN_ABOVE = new Set(["op_id", "wallet_id", "occurred_at"]);
const WORDS = ["client_status", "outcome", "order", "counterparty.kind"];

function flat(object, prefix = "") {
  return Object.entries(object || {}).flatMap(([name, value]) => {
    const isInner = value !== null && typeof value === "object" && !Array.isArray(value);
    return isInner ? flat(value, `${prefix}${name}.`) : [[prefix + name, value]];
  });
}

const decisionsBy = (name, value) => html`<a href=${v.decisionsHref({ [name]: value })} class="id" dir="auto">${v.idText(value)}</a>`;

function operationValue(name, value) {
  if (name === "amount") return isMoney(normalMoney(value)) ? money(normalMoney(value)) : String(value);
  if (name === "type") return word("type_", value);
  if (name === "proof") return word("by_", value);
  if (name === "source") return word("source_", value);
  if (name === "counterparty.wallet_id") return v.walletLink(value);
  if (name === "ip") return decisionsBy("ip", value);
  if (name === "device_id") return decisionsBy("device", value);
  if (name === "ref_op_id") return decisionsBy("op_id", value);
  if (WORDS.includes(name)) return word("w_", value);
  if (/country/.test(name)) return evidenceValue(name, value);
  return html`<span class="value" dir="auto">${typeof value === "string" ? value : JSON.stringify(value)}</span>`;
}

/** What an operation says, as names and values; known fields first. */
function OperationFacts({ operation }) {
  const rank = (name) => (FIELDS.includes(name) ? FIELDS.indexOf(name) : FIELDS.length);
  const found = flat(operation).filter(([name, value]) => value !== null && !SHOWN_ABOVE.has(name));
  const pairs = found.sort((a, b) => rank(a[0]) - rank(b[0])).map(([name, value]) => {
    const key = name === "ip.country" ? "f_country" : `f_${name.replaceAll(".", "_")}`;
    return [hasText(key) ? t(key) : html`<code>${name}</code>`, operationValue(name, value)];
  });
  return html`<${v.Facts} pairs=${pairs}/>`;
}

const HOLDS = { true: ["✓", "holds_yes", "yes"], false: ["✗", "holds_no", "no"], null: ["?", "holds_unknown", "unknown"] };

function Conditions({ rule }) {
  const columns = [
    { title: t("holds_yes"), class: "icon" }, { title: t("condition"), class: "wide" }, { title: t("values") },
    { title: t("needed"), class: "wide" },
  ];
  const rows = rule.conditions.map((condition) => {
    const [sign, key, name] = HOLDS[String(condition.holds ?? null)] || HOLDS.null;
    const cells = [
      html`<span class=${`sign sign-${name}`} title=${t(key)} role="img" aria-label=${t(key)}>${sign}</span>`,
      html`<code>${condition.text}</code>`,
      Object.keys(condition.values || {}).length ? html`<${v.EvidenceList} evidence=${condition.values}/>` : "—",
      condition.needed ? html`<code class="needed">${condition.needed}</code>` : t("needed_none"),
    ];
    return html`<${v.Row} isFixed columns=${columns} cells=${cells}/>`;
  });
  return html`<${v.Table} columns=${columns} name=${t("condition")}>${rows}<//>`;
}

/** What the client is told, in each language, ready to copy. */
export function ClientMessage({ message }) {
  const text = local(message);
  if (!text) return null;
  const others = ["kk", "ru", "en"].filter((code) => message[code] && code !== lang());
  const more = others.map((code) => html`<li><span class="tag">${code}</span> <span lang=${code}>${message[code]}</span>
    <${v.CopyButton} text=${message[code]}/></li>`);
  return html`<div class="message" data-note="message"><p><strong>${t("message_title")}: </strong>
      <span lang=${lang()}>${text}</span> <${v.CopyButton} text=${text}/></p>
    ${others.length > 0 && html`<details><summary>${t("message_others")}</summary><ul class="plain">${more}</ul></details>`}</div>`;
}

/** What a match was made of: by the conditions of then, where the service still has them, or by those in use. */
function Why({ rule, told }) {
  const isGone = rule.is_in_use === false;
  const name = isGone ? rule.rule : v.ruleLink(rule.rule, local(rule.title, rule.rule));
  const source = rule.when?.trim();
  const changed = isGone ? "rule_gone" : rule.is_of_then ? "rule_changed_then" : "rule_changed";
  const hasConditions = rule.conditions?.length > 0;
  return html`<article class="why">
    <div class="rulehead"><h3>${name}</h3><span class="muted small dots"><code>${rule.rule}</code>
      <span>${v.clausesText(rule.clauses)}</span>${v.modeBadge(rule.mode)}</span></div>
    ${rule.is_current === false && html`<p class="muted small" data-note="changed">${t(changed)}</p>`}
    <${ClientMessage} message=${rule.message}/>
    ${told && html`<${Sentences} rule=${told}/>`}
    ${hasConditions ? html`<details open=${!told}><summary>${t("why_values")}</summary><${Conditions} rule=${rule}/></details>` : html`<p class="muted">${source || isGone ? "" : t("no_condition")}</p>`}
    ${!hasConditions && html`<${v.EvidenceList} evidence=${rule.evidence}/>`}
    ${source && html`<details><summary>${t("rule_text")}</summary><pre tabindex="0">${source}</pre></details>`}</article>`;
}

/** What later decisions did to this one's operation and restrictions, and by whom. */
function Later({ steps }) {
  const items = steps.map((step) => html`<li data-later=${step.seq}>
    <p class="dots"><a href=${v.decisionHref(step.seq)}>${time(step.at)}</a><span>${word("type_", step.type)}</span>
      ${step.actor && html`<span>${t("later_by", { name: step.actor })}</span>`}
      ${step.proof && html`<span>${word("by_", step.proof)}</span>`}</p>
    <${CommandList} commands=${step.commands}/></li>`);
  return html`<ul class="later">${items}</ul>`;
}

/** The commands as they stand now: one that asked for a wait which has ended says so. */
function commandsNow(decision) {
  const later = (decision.later || []).flatMap((step) => step.commands.map((command) => ({ ...command, at: step.at })));
  const end = later.find((command) => ["release", "cancel"].includes(command.command));
  return (decision.commands || []).map((command) => {
    if (command.command === "hold" && end) return { ...command, ended: end };
    const isOf = (other) => other.command === "lift" && other.restriction_id === command.restriction_id;
    const lift = command.restriction_id && later.find(isOf);
    return lift ? { ...command, ended: lift } : command;
  });
}

function Decision({ decision, title }) {
  const why = decision.why?.length ? decision.why : decision.matches || [];
  const amount = v.amountOf(decision);
  const later = decision.later || [];
  const commands = commandsNow(decision);
  const facts = [
    [t("occurred_at"), html`${time(decision.occurred_at)}${decision.late && html`<span class="tag">${t("late")}</span>`}`],
    decision.arrived_at && [t("arrived_at"), time(decision.arrived_at)],
    [t("op_id"), v.idSpan(decision.op_id)],
    [t("decision_id"), html`<span class="id">${decision.decision_id}</span>`],
    [t("ruleset"), html`<span class="id">${decision.ruleset}</span>`],
  ];
  const sentences = useWhy(decision.seq);
  const told = (rule, fired) => sentences?.rules?.find((known) => known.rule === rule && known.fired === fired);
  const nearly = (sentences?.rules ?? []).filter(({ fired }) => !fired);
  const none = t(decision.verdict === "allow" ? "why_none" : "why_restricted");
  return html`<div class="page"><${v.Heading} title=${title}>${v.verdictBadge(decision.verdict)}<//>
    <section class="card"><p class="summary">${word("type_", decision.type)}${amount !== null && html` · ${money(amount)}`}
        ${" · "}${t("wallet")} ${v.walletLink(decision.wallet_id)}</p><${v.Facts} pairs=${facts}/>
      ${decision.degraded?.length > 0 && html`<p class="warning">${t("degraded", { inputs: decision.degraded.join(", ") })}</p>`}
    </section>
    <${v.Section} title=${t("why_title")}>
      ${why.length ? why.map((rule) => html`<${Why} rule=${rule} told=${told(rule.rule, true)}/>`) : html`<${v.Empty}>${none}<//>`}
      ${sentences?.basis && html`<${Basis} basis=${sentences.basis}/>`}<//>
    ${nearly.length > 0 && html`<${v.Section} title=${t("why_nearly")}>${nearly.map((rule) => html`<${NearlyFired} rule=${rule}/>`)}<//>`}
    <${v.Section} title=${t("commands_title")}>
      ${commands.length ? html`<${CommandList} commands=${commands}/>` : html`<${v.Empty}>${t("commands_none")}<//>`}<//>
    ${later.length > 0 && html`<${v.Section} title=${t("later_title")}><${Later} steps=${later}/><//>`}
    ${decision.waits && html`<p class="warning" data-note="waits">${t("waits_now")}</p>`}
    <${v.Section} title=${t("operation")}>${decision.operation
      ? html`<${OperationFacts} operation=${decision.operation}/>` : html`<${v.Empty}>${t("operation_gone")}<//>`}<//>
    <${v.Json} value=${decision}/><${v.Credit} shows=${v.hasCountry(decision)}/></div>`;
}

/** @param {{parts: string[]}} given */
export function Page({ parts: [, seq] }) {
  const title = t("decision_title", { seq });
  const load = useLoad((signal) => get(`/v1/decisions/${segment(seq)}`, signal), [seq]);
  return html`<${v.Loaded} title=${title} load=${load}>
    ${(decision) => html`<${Decision} decision=${decision} title=${title}/>`}<//>`;
}
