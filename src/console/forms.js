// The forms of support's dialogs: what is asked of a person before an event is sent.
import { get, Problem, segment, useLoad } from "./api.js";
import { html, useState } from "./html.js";
import { money, normalMoney, t, time, tn, word } from "./i18n.js";
import { addOperations, DEBITS, idSpan, PROOFS, SOURCES, walletLink } from "./parts.js";

const RECENT = 20;
const AT_ONCE = 5;
/** Stands for an operation that is named by its id; no id holds a space. */
export const OTHER = " other";

/** An operation in few words; its own page tells the rest. */
export function OperationText({ operation, id }) {
  const of = operation || {};
  const amount = of.amount !== undefined && html` ${money(normalMoney(of.amount))} `;
  return html`${of.type && html`<strong>${word("type_", of.type)}${amount}</strong>`} ${idSpan(id)}`;
}

/** One choice of several; `options` have `value`, `text` and maybe a `note`. */
function Radios({ legend, name, options, value, change }) {
  const items = options.map((option) => html`<label class="radio"><input type="radio" name=${name} value=${option.value} required
      checked=${value === option.value} onChange=${() => change(option.value)}/>
    <span>${option.text}${option.note && html`<span class="muted small"> — ${option.note}</span>`}</span></label>`);
  return html`<fieldset><legend>${legend}</legend>${items}</fieldset>`;
}

export const TextForm = ({ name, target }) => html`<p>${tn(`dialog_${name}_text`, { wallet: walletLink(target.wallet) })}</p>`;

const Restrictions = ({ items }) => html`<ul>${items.map((item) => html`<li>${word("kind_", item.kind)}: <code>${item.rule}</code></li>`)}</ul>`;

/** What a proof lifts on a wallet, and what stays. */
function Lifts({ wallet, proof }) {
  if (!wallet || !proof) return null;
  const known = new Set(wallet.restrictions.map((restriction) => restriction.restriction_id));
  const holds = wallet.waiting.flatMap((waiting) => waiting.holds.filter((hold) => hold.is_own && !known.has(hold.restriction_id)));
  const isLifted = (restriction) => (restriction.lifted_by || []).includes(proof);
  const all = [...wallet.restrictions, ...holds];
  const list = (name, items) => items.length > 0 && html`<div><strong>${t(name)}</strong><${Restrictions} items=${items}/></div>`;
  const lifts = all.filter(isLifted);
  return html`${lifts.length ? list("lifts", lifts) : html`<p class="warning">${t("lifts_nothing")}</p>`}
    ${list("stays", all.filter((restriction) => !isLifted(restriction)))}`;
}

/** Proof and order; what the proof lifts on this wallet shows as it is chosen. */
export function ConfirmForm({ target, values, set }) {
  // The forecast is a help only: the event can be sent without it.
  const { value: wallet } = useLoad((signal) => get(`/v1/wallets/${segment(target.wallet)}`, signal), []);
  const by = target.restriction?.lifted_by;
  const proofs = PROOFS.map((value) => ({ value, text: word("by_", value), note: by && !by.includes(value) ? t("cannot_lift") : null }));
  const orders = ["complete", "cancel"].map((value) => ({ value, text: t(`order_${value}`) }));
  return html`<p>${t("wallet")} ${walletLink(target.wallet)}</p>
    <${Radios} legend=${t("dialog_proof")} name="proof" options=${proofs} value=${values.proof} change=${(proof) => set({ proof })}/>
    <div class="forecast" aria-live="polite"><${Lifts} wallet=${wallet} proof=${values.proof}/></div>
    ${(!wallet || wallet.waiting.length > 0) && html`<${Radios} legend=${t("dialog_order")} name="order" options=${orders}
      value=${values.order} change=${(order) => set({ order })}/>`}`;
}

/** What a settled operation goes on waiting for: what this proof does not lift. */
function left(item, proof, restrictions) {
  const holds = item.holds.filter((hold) => !hold.lifted_by?.includes(proof));
  const pins = (item.pins || []).map((pin) => ({ ...pin, kind: "pin" }));
  const blocks = restrictions.filter(({ kind, direction }) => kind === "block" && direction !== "login");
  const isNew = (block) => !holds.some(({ restriction_id: id }) => id === block.restriction_id);
  return [...holds, ...pins, ...blocks.filter(isNew)];
}

const SETTLED = { release: "settle_completes", wait: "settle_waits" };

/** Says of each chosen operation what the dry run says of it. */
function Settled({ ahead, values }) {
  const { listed = [], restrictions = [] } = ahead.found.value ?? {};
  if (values.order === "cancel") return html`<p>${t("settle_cancels")}</p>`;
  const kinds = [...new Set(listed.map((item) => item.will))];
  return kinds.map((will) => {
    const items = listed.filter((item) => item.will === will).flatMap((item) => (will === "release" ? [] : left(item, values.proof, restrictions)));
    const named = [...new Map(items.map((item) => [`${item.kind} ${item.rule}`, item])).values()];
    return html`<p class=${will === "release" ? null : "warning"}>${t(SETTLED[will] ?? "settle_blocked")}</p>
      ${named.length > 0 && html`<${Restrictions} items=${named}/>`}`;
  });
}

/** Settles chosen operations: the wallet's restrictions and whatever else waits stay. */
export function SettleForm({ target, values, set, ahead }) {
  const { operations } = target;
  const clears = (value) => operations.some(({ holds }) => holds.some(({ lifted_by: by }) => by?.includes(value)));
  const proofs = PROOFS.map((value) => ({ value, text: word("by_", value), note: clears(value) ? null : t("clears_nothing") }));
  const isOne = operations.length === 1;
  const orders = ["complete", "cancel"].map((value) => ({ value, text: t(`${isOne ? "order_one" : "order"}_${value}`) }));
  const one = isOne && html`<p>${t("operation")} <${OperationText} operation=${operations[0].operation}
    id=${operations[0].op_id}/><br/>${t("wallet")} ${walletLink(target.wallet)}</p>`;
  return html`${one || html`<p>${t("settle_many", { n: operations.length })} · ${t("wallet")} ${walletLink(target.wallet)}</p>`}
    <${Radios} legend=${t(one ? "dialog_order_one" : "dialog_order_many")} name="order" options=${orders} value=${values.order}
      change=${(order) => set({ order })}/>
    <${Radios} legend=${t("dialog_proof")} name="proof" options=${proofs} value=${values.proof} change=${(proof) => set({ proof })}/>
    ${one && html`<div class="forecast" aria-live="polite"><${Settled} ahead=${ahead} values=${values}/></div>`}
    <p class="muted small">${t("settle_note")}</p>`;
}

/** Finds the outgoing operations that an event may speak of: those that wait, then the newest others. */
async function outgoing(wallet, signal) {
  const found = await get(`/v1/wallets/${segment(wallet)}`, signal);
  const waits = new Set(found.waiting.map(({ op_id: id }) => id));
  const others = found.decisions.filter(({ type, op_id: id }) => DEBITS.includes(type) && !waits.has(id));
  const all = [...found.waiting.map((item) => ({ ...item, waits: true })), ...others.map((item) => ({ ...item, since: item.occurred_at }))];
  const newest = all.slice(0, RECENT);
  await addOperations(newest, AT_ONCE, signal);
  return newest;
}

/**
 * Asks which operation an event speaks of: one of the wallet's newest, or any other by its id. Where it may speak of
 * none, that is chosen at first; what it must speak of is chosen by a person, unless there is nothing to choose from.
 */
function OperationChoice({ action, target, values, set }) {
  const load = useLoad((signal) => outgoing(target.wallet, signal), []);
  if (!load.value && !load.error) return html`<p class="muted small">${t("loading")}</p>`;
  const fits = ({ operation }) => !action.only || !operation || operation.type === action.only;
  const known = (load.value ?? []).filter(fits).map((item) => ({
    value: item.op_id, text: html`<${OperationText} operation=${item.operation} id=${item.op_id}/>`,
    note: html`${item.waits && `${t("operation_waits")}, `}${time(item.since, true)}`,
  }));
  const none = action.required ? [] : [{ value: "", text: t("operation_none") }];
  const chosen = values.operation ?? (action.required ? (known.length ? null : OTHER) : "");
  const options = [...none, ...known, { value: OTHER, text: t("operation_other") }];
  const typed = (event) => set({ operation: OTHER, other: event.currentTarget.value });
  return html`<${Radios} legend=${t("dialog_operation")} name="operation" options=${options} value=${chosen}
      change=${(operation) => set({ operation })}/>
    ${chosen === OTHER && html`<input type="text" maxlength="64" autocomplete="off" spellcheck=${false} required
      pattern="[A-Za-z0-9._:\\-]{1,64}" aria-label=${t("op_id")} value=${values.other} onChange=${typed}/>`}`;
}

export function OperationForm({ name, action, target, values, set }) {
  const chosen = target.operation;
  return html`<p>${tn(`dialog_${name}_text`, { wallet: walletLink(target.wallet) })}</p>
    ${chosen ? html`<p>${t("operation")} <${OperationText} operation=${chosen.operation} id=${chosen.op_id}/></p>`
    : html`<${OperationChoice} action=${action} target=${target} values=${values} set=${set}/>`}`;
}

export function FraudForm({ name, action, target, values, set }) {
  const options = SOURCES.map((value) => ({ value, text: word("source_", value) }));
  return html`<${OperationForm} name=${name} action=${action} target=${target} values=${values} set=${set}/>
    <${Radios} legend=${t("dialog_source")} name="source" options=${options} value=${values.source} change=${(source) => set({ source })}/>`;
}

/** A block of an address belongs to no wallet: support says for which client it is lifted. */
export function AddressForm({ target, set, values }) {
  const [isUnknown, setUnknown] = useState(false);
  const look = async (event) => {
    const asked = event.currentTarget.value;
    set({ asked });
    setUnknown(false);
    if (!asked.trim()) return;
    try {
      await get(`/v1/wallets/${segment(asked.trim())}`);
    } catch (error) {
      setUnknown(error instanceof Problem && error.status === 404);
    }
  };
  return html`<p>${tn("dialog_ip_text", { ip: html`<code>${target.ip}</code>` })}</p>
    <label class="field" for="asked-by">${t("dialog_ip_wallet")}</label>
    <input type="text" id="asked-by" required maxlength="64" autocomplete="off" spellcheck=${false} value=${values.asked} onChange=${look}/>
    <p class="warning" aria-live="polite">${isUnknown && t("wallet_unknown")}</p>`;
}

