// The page of one client's wallet: what restricts it, what waits, what happened and what was done about it.
import { ActionButton, RestrictionButtons, WaitingButtons, WalletButtons } from "../actions.js";
import { can, each, get, Problem, segment, useLoad } from "../api.js";
import { columnsOf, DecisionRow } from "../decision-table.js";
import { html, useState } from "../html.js";
import { ageText, evidenceValue, money, normalMoney, numberText, t, time, tn, word } from "../i18n.js";
import * as v from "../parts.js";
import { ClientMessage } from "./decision.js";

const AT_ONCE = 5;
/** Of so many waiting operations the amounts are asked for; the others show by their ids. */
const WAITING_TOLD = 100;
/** The chart shows so many of the newest decisions. */
const CHARTED = 1000;
const COLUMNS = ["time", "verdict", "type", "amount", "counterparty", "rules", "effect"];

/** What the client was told of a restriction: when its operation was held, or its rule matched last. */
function messageOf(restriction, decisions) {
  const own = decisions.filter(({ op_id: id }) => id === restriction.op_id);
  const matches = (own.length ? own : decisions).flatMap((decision) => decision.matches || []);
  return matches.find(({ rule, message }) => rule === restriction.rule && message)?.message;
}

function RestrictionCard({ restriction, message, done }) {
  const facts = [
    [t("col_age"), html`${ageText(restriction.age_seconds)} · ${time(restriction.from, true)}`],
    [t("col_until"), v.untilText(restriction)],
    [t("col_lifted_by"), v.lifters(restriction.lifted_by)],
    restriction.ip && [t("ip"), html`<code>${restriction.ip}</code>`],
    restriction.op_id && [t("operation"), v.idSpan(restriction.op_id)],
    [t("clause"), (restriction.clauses || []).join(", ") || "—"],
  ];
  return html`<li data-restriction=${restriction.restriction_id}>
    <div class="cardhead"><strong>${v.restrictionKind(restriction)}</strong>${v.ruleLink(restriction.rule)}</div>
    <${v.Facts} pairs=${facts}/><${ClientMessage} message=${message}/>
    <${RestrictionButtons} restriction=${restriction} done=${done}/></li>`;
}

function Restrictions({ wallet, done }) {
  if (!wallet.restrictions.length) return html`<${v.Empty}>${t("restrictions_none")}<//>`;
  const cards = wallet.restrictions.map((restriction) => html`<${RestrictionCard} key=${restriction.restriction_id}
    restriction=${restriction} message=${messageOf(restriction, wallet.decisions)} done=${done}/>`);
  return html`<ul class="cards">${cards}</ul>`;
}

/** What would end the waiting of an operation: what lifts each of its causes. */
function endsBy(waiting) {
  const causes = [...waiting.holds.map((hold) => hold.lifted_by ?? []), ...(waiting.pins || []).map(() => ["pin"])];
  const distinct = [...new Map(causes.map((by) => [by.join(), by])).values()];
  if (distinct.length === 1) return v.lifters(distinct[0]);
  return html`<ul class="plain">${distinct.map((by) => html`<li>${v.lifters(by)}</li>`)}</ul>`;
}

/** What waits, as one table; chosen operations are settled together. */
function Waiting({ wallet, done }) {
  const [chosen, setChosen] = useState(new Set());
  if (!wallet.waiting.length) return html`<${v.Empty}>${t("waiting_none")}<//>`;
  const picked = wallet.waiting.filter(({ op_id: id }) => chosen.has(id));
  const toggle = (id) => setChosen((before) => new Set(before.has(id) ? [...before].filter((other) => other !== id) : [...before, id]));
  const all = () => setChosen(new Set(picked.length === wallet.waiting.length ? [] : wallet.waiting.map(({ op_id: id }) => id)));
  const mayAct = can("support");
  const box = (isChecked, label, change) =>
    html`<input type="checkbox" checked=${isChecked} aria-label=${label} onChange=${change}/>`;
  const columns = [
    mayAct && { title: t("choose"), class: "icon", head: box(picked.length === wallet.waiting.length, t("choose_all"), all) },
    { title: t("col_amount"), class: "right" }, { title: t("col_to_whom"), class: "wallet" }, { title: t("col_since"), class: "nowrap" },
    { title: t("col_causes"), class: "wide" }, { title: t("col_ends_by"), class: "middle" }, mayAct && { title: t("col_actions") },
  ].filter(Boolean);
  const rows = wallet.waiting.map((waiting) => {
    const { operation, seq, op_id: id } = waiting;
    const open = seq ? html`<a href=${v.decisionHref(seq)} class="primary">${v.idSpan(id)}</a>` : v.idSpan(id);
    const cells = [
      mayAct && box(chosen.has(id), t("choose_one", { id: v.idText(id) }), () => toggle(id)),
      html`${operation && html`<strong>${money(normalMoney(operation.amount))}</strong><div class="small">${word("type_", operation.type)}</div>`}
        <div class="small">${open}</div>`,
      v.receiverOf(operation) ?? "—", time(waiting.since, true), html`<${v.Causes} waiting=${waiting}/>`, endsBy(waiting),
      mayAct && html`<${WaitingButtons} wallet=${wallet} waiting=${waiting} done=${done}/>`,
    ].filter((_, index) => mayAct || ![0, 6].includes(index));
    return html`<${v.Row} key=${id} columns=${columns} cells=${cells} data-waiting=${id}/>`;
  });
  const target = { wallet: wallet.wallet_id, operations: picked };
  return html`<${v.Table} columns=${columns} name=${t("waiting_title")}>${rows}<//>
    ${mayAct && wallet.waiting.length > 1 && html`<p class="buttons"><${ActionButton} name="settle" target=${target} done=${done}
      disabled=${!picked.length} text=${t("settle_chosen", { n: picked.length })}/></p>`}`;
}

/** The value of a window: a count, or whatever its aggregate gives. */
function windowValue({ aggregate, value }) {
  if (value === null) return "—";
  return /^\d+$/.test(value) ? html`<span class="num">${numberText(value)}</span>` : evidenceValue(aggregate, value);
}

function Windows({ wallet }) {
  if (!wallet.windows.length) return html`<${v.Empty}>${t("windows_none")}<//>`;
  const columns = [
    { title: t("aggregate"), class: "wide" }, { title: t("col_rules") }, { title: t("value"), class: "right" },
    { title: t("entries"), class: "right" }, { title: t("clears_at"), class: "nowrap" },
  ];
  const rows = wallet.windows.map((window) => html`<${v.Row} isFixed columns=${columns} cells=${[
    html`<code>${window.aggregate}</code>`,
    html`<span class="list">${(window.rules || []).map((rule) => html`<span>${v.ruleLink(rule)}</span>`)}</span>`, windowValue(window),
    window.entries === undefined || window.entries === null ? "—" : numberText(window.entries),
    window.clears_at ? time(window.clears_at, true) : t("clears_never"),
  ]}/>`);
  return html`<${v.Table} columns=${columns} name=${t("windows_title")}>${rows}<//>`;
}

/** What people did: events with who sent them, what was proved, the case and the comment. */
function Done({ decisions }) {
  const acts = decisions.filter(({ operation }) => operation?.actor);
  if (!acts.length) return html`<${v.Empty}>${t("done_none")}<//>`;
  const columns = [
    { title: t("col_time"), class: "nowrap" }, { title: t("col_done") }, { title: t("col_by") }, { title: t("f_proof") },
    { title: t("case_number") }, { title: t("comment"), class: "wide" },
  ];
  const rows = acts.map(({ seq, type, occurred_at: at, operation }) => html`<${v.Row} columns=${columns} data-act=${seq} cells=${[
    html`<a href=${v.decisionHref(seq)} class="primary">${time(at, true)}</a>`,
    html`${word("type_", type)}${operation.ref_op_id && html`<div class="small">${v.idSpan(operation.ref_op_id)}</div>`}`,
    v.idSpan(operation.actor), operation.proof ? word("by_", operation.proof) : "—",
    operation.attributes?.case ? v.idSpan(operation.attributes.case) : "—",
    html`<span class="value" dir="auto">${operation.attributes?.comment ?? "—"}</span>`,
  ]}/>`);
  return html`<${v.Table} columns=${columns} name=${t("done_title")}>${rows}<//>`;
}

/** The chart, whose code is only fetched for it. */
function Timeline({ decisions }) {
  const { value: module } = useLoad(() => import("../timeline.js"), []);
  return module ? html`<${module.Timeline} decisions=${decisions}/>` : html`<${v.Loading}/>`;
}

/** Adds the operation and the reasons to each decision; one that is gone stays as it is. */
async function details(decisions, signal) {
  const found = new Map();
  await each(decisions, AT_ONCE, async (decision) => {
    try {
      found.set(decision.seq, { ...decision, ...(await get(`/v1/decisions/${segment(decision.seq)}`, signal)) });
    } catch (error) {
      if (signal.aborted || (error instanceof Problem && error.status === 401)) throw error;
    }
  });
  return decisions.map((decision) => found.get(decision.seq) || decision);
}

/** The newest decisions of the wallet, many for the chart, of which the newest have their reasons. */
async function charted(wallet, signal) {
  const query = new URLSearchParams({ wallet: wallet.wallet_id, order: "desc", limit: String(CHARTED) });
  const [detailed, page] = await Promise.all([
    details(wallet.decisions, signal),
    get(`/v1/decisions?${query}`, signal).catch(() => ({ decisions: [] })),
  ]);
  const known = new Map(detailed.map((decision) => [decision.seq, decision]));
  const all = page.decisions.map((item) => (known.has(item.seq) ? { ...item, ...known.get(item.seq) } : item));
  const listed = new Set(all.map(({ seq }) => seq));
  return { detailed, all: [...all, ...detailed.filter(({ seq }) => !listed.has(seq))] };
}

function Wallet({ wallet, title, again }) {
  const seqs = wallet.decisions.map(({ seq }) => seq);
  const { value: more } = useLoad((signal) => charted(wallet, signal), [wallet.wallet_id, seqs]);
  const decisions = more?.detailed ?? wallet.decisions;
  const status = decisions.find(({ operation }) => operation?.client_status)?.operation.client_status;
  const rows = decisions.map((item) => html`<${DecisionRow} key=${item.seq} item=${item} names=${COLUMNS}/>`);
  const newest = wallet.newest ? tn("wallet_newest", { time: time(wallet.newest) }) : t("wallet_no_ops");
  const asOf = wallet.as_of
    && html`<p class="muted small" data-note="as-of">${tn("windows_as_of", { time: time(wallet.as_of) })}</p>`;
  return html`<div class="page"><${v.Heading} title=${title}><span class="muted dots"><span>${newest}</span>
      ${status && html`<span>${t("f_client_status")}: ${word("w_", status)}</span>`}</span><//>
    <${WalletButtons} wallet=${wallet} done=${again}/>
    <${v.Section} title=${t("restrictions_active")}><${Restrictions} wallet=${wallet} done=${again}/><//>
    <${v.Section} title=${t("waiting_title")}><${Waiting} wallet=${wallet} done=${again}/><//>
    <${v.Section} title=${t("done_title")}>${more ? html`<${Done} decisions=${decisions}/>` : html`<${v.Loading}/>`}<//>
    <${v.Section} title=${t("timeline")}>${more ? html`<${Timeline} decisions=${more.all}/>` : html`<${v.Loading}/>`}<//>
    <${v.Section} title=${t("windows_title")}>${asOf}<${Windows} wallet=${wallet}/><//>
    <${v.Section} title=${t("recent_decisions")}>${rows.length
      ? html`<${v.Table} columns=${columnsOf(COLUMNS)} name=${t("recent_decisions")}>${rows}<//>` : html`<${v.Empty}>${t("decisions_empty")}<//>`}
      <p><a href=${v.decisionsHref({ wallet: wallet.wallet_id })}>${t("all_decisions")}</a></p><//>
    <${v.Credit} shows=${v.hasCountry(wallet.windows.map(({ aggregate, value }) => ({ [aggregate]: value })))}/></div>`;
}

/** @param {{parts: string[]}} given */
export function Page({ parts: [, id] }) {
  const title = html`${t("wallet_title")} ${v.idSpan(id)}`;
  const load = useLoad(async (signal) => {
    const wallet = await get(`/v1/wallets/${segment(id)}`, signal);
    await v.addOperations(wallet.waiting.slice(0, WAITING_TOLD), AT_ONCE, signal);
    return wallet;
  }, [id]);
  if (load.error instanceof Problem && load.error.status === 404) {
    return html`<${v.Heading} title=${title}/><${v.Empty}>${t("wallet_unknown")}<//>`;
  }
  return html`<${v.Loaded} title=${title} load=${load}>
    ${(wallet) => html`<${Wallet} wallet=${wallet} title=${title} again=${load.again}/>`}<//>`;
}
