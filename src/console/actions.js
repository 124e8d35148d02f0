// What support staff can do to a wallet: each action is a dialog, then one event, then its outcome.
import { can, explain, Problem } from "./api.js";
import { CommandList } from "./commands.js";
import { CloseButton, openDialog } from "./dialog.js";
import { AddressForm, ConfirmForm, FraudForm, OperationForm, OperationText, OTHER, SettleForm, TextForm } from "./forms.js";
import { eventPath, Foresight, LISTED_MOST } from "./foresight.js";
import { html, useEffect, useMemo, useRef, useState } from "./html.js";
import { t } from "./i18n.js";
import { Causes, decisionHref, Empty, PROOFS, receiverOf, verdictBadge } from "./parts.js";

/** @typedef {import("./openapi").components["schemas"]["Operation"]} Operation */

/** The operation that was named in the form, if any. */
const named = (values, target) => {
  const value = target.operation?.op_id ?? values.operation ?? "";
  return value === OTHER ? values.other.trim() : value;
};
const withOperation = (more) => (values, target) => (named(values, target) ? { ...more(values), ref_op_id: named(values, target) } : more(values));
const nothing = () => ({});
const always = () => true;

/**
 * Each action: where its event goes, its form, what it says, and when that is whole.
 * @type {Record<string, {path: import("./openapi").operations["post_support_event"]["parameters"]["path"]["event"],
 *   form: any, body?: Function, isWhole?: Function, wallet?: Function, perOperation?: boolean, isAlone?: boolean,
 *   required?: boolean, only?: Operation["type"], button?: string}>}
 */
const ACTIONS = {
  confirm: { path: "identity-confirmed", form: ConfirmForm, perOperation: true, body: ({ proof, order }) => ({ proof, order }), isWhole: ({ proof }) => proof },
  settle: { path: "identity-confirmed", form: SettleForm, body: ({ proof, order }) => ({ proof, order }), isWhole: ({ proof }) => proof, isAlone: true, button: "action_one_settle" },
  unblock: { path: "wallet-unblock-requested", form: TextForm },
  block: { path: "wallet-block-requested", form: TextForm },
  ip: { path: "ip-unblock-requested", form: AddressForm, body: (_, { ip }) => ({ ip }), wallet: ({ asked }) => asked.trim() },
  dispute: { path: "ownership-disputed", form: TextForm },
  documents: { path: "documents-refused", form: TextForm },
  suspicion: { path: "suspicion-confirmed", form: TextForm },
  complaint: { path: "complaint-received", form: TextForm },
  seizure: { path: "seizure-ordered", form: TextForm, body: () => ({ source: "court" }) },
  unseize: { path: "seizure-lifted", form: TextForm, body: () => ({ source: "court" }) },
  disputed: { path: "operation-disputed", form: OperationForm, required: true, body: withOperation(() => ({ source: "client" })), isWhole: (values, target) => named(values, target) },
  details: { path: "cash-out-details-wrong", form: OperationForm, only: "cash_out", body: withOperation(nothing) },
  fraud: { path: "fraud-reported", form: FraudForm, body: withOperation(({ source }) => ({ source })), isWhole: ({ source }) => source },
};

/** Which actions can end a restriction. */
function actionsOf(restriction) {
  const by = restriction.lifted_by || [];
  const found = [];
  if (restriction.ip && by.includes("support")) found.push("ip");
  if (by.some((who) => PROOFS.includes(who))) found.push("confirm");
  if (by.includes("client")) found.push("unblock");
  if (by.includes("court")) found.push("unseize");
  return found;
}

/** A button of an action, only for those who may use it. */
export function ActionButton({ name, target, done, text, disabled }) {
  if (!can("support")) return null;
  const many = target.operations?.length > 1 ? "_many" : "";
  const press = () => openDialog(t(`dialog_${name}${many}_title`), ActionDialog, { name, target, done });
  const label = text ?? t(ACTIONS[name].button ?? `action_${name}`);
  return html`<button type="button" data-action=${name} disabled=${disabled} onClick=${press}>${label}</button>`;
}

export function RestrictionButtons({ restriction, done }) {
  const target = { wallet: restriction.wallet_id, ip: restriction.ip, restriction };
  const buttons = actionsOf(restriction).map((name) => html`<${ActionButton} name=${name} target=${target} done=${done}/>`);
  return html`<div class="buttons">${buttons}</div>`;
}

/** All that support can do on a wallet's page, in groups: what the client asks for, what others report. */
export function WalletButtons({ wallet, done }) {
  if (!can("support")) return null;
  const target = { wallet: wallet.wallet_id };
  const lifted = (who) => wallet.restrictions.some((restriction) => (restriction.lifted_by || []).includes(who));
  const groups = {
    actions_client: ["confirm", lifted("client") ? "unblock" : "block", "disputed", "details"],
    actions_reports: ["dispute", "documents", "suspicion", "complaint", "fraud", lifted("court") ? "unseize" : "seizure"],
  };
  const shown = Object.entries(groups).map(([group, names]) => html`<div role="group" aria-label=${t(group)}>
    <span class="muted small">${t(group)}</span><div class="buttons">${names.map((name) => html`<${ActionButton}
      key=${name} name=${name} target=${target} done=${done}/>`)}</div></div>`);
  return html`<div class="toolbar">${shown}</div>`;
}

/** What support can do about one operation that waits. */
export function WaitingButtons({ wallet, waiting, done }) {
  if (!can("support")) return null;
  const target = { wallet: wallet.wallet_id, operation: waiting, operations: [waiting] };
  const names = ["settle", "disputed", waiting.operation?.type === "cash_out" && "details"].filter(Boolean);
  const buttons = names.map((name) => html`<${ActionButton} name=${name} target=${target} done=${done} text=${t(`action_one_${name}`)}/>`);
  return html`<div class="buttons">${buttons}</div>`;
}

/** One operation that waits, with what will become of it. */
function Foreseen({ item, ahead, perOperation }) {
  const will = ahead.will(item);
  const options = ["complete", "cancel"].map((value) => html`<option value=${value}>${t(`order_one_${value}`)}</option>`);
  const choose = (event) => {
    event.stopPropagation();
    ahead.choose(item, event.currentTarget.value);
  };
  const receiver = receiverOf(item.operation);
  return html`<li data-foreseen=${item.op_id} data-will=${will}>
    <div class="cardhead"><span><${OperationText} operation=${item.operation} id=${item.op_id}/></span>
      <strong class=${`will will-${will}`}>${t(`will_${will}`)}</strong></div>
    ${receiver && html`<p class="small">→ ${receiver}</p>`}<${Causes} waiting=${item}/>
    ${perOperation && html`<select aria-label=${t("dialog_order_one")} data-choice=${item.op_id} value=${ahead.chosen(item)}
      onChange=${choose}>${options}</select>`}</li>`;
}

function ForeseenList({ ahead, perOperation }) {
  const { listed = [] } = ahead.found.value ?? {};
  const inner = () => {
    if (ahead.failed.value) return html`<p class="warning">${t("foresee_failed")}</p>`;
    if (!listed.length) return null;
    const counts = ["release", "cancel", "wait"].map((name) => [name, listed.filter((item) => ahead.will(item) === name).length])
      .filter(([, n]) => n).map(([name, n]) => html`<span>${`${t(`will_${name}`)}: ${n}`}</span>`);
    const rest = listed.length - LISTED_MOST;
    return html`<strong>${t("foresee_title")}</strong><p class="small muted dots">${counts}</p>
      <ul class="cards">${listed.slice(0, LISTED_MOST).map((item) => html`<${Foreseen} key=${item.op_id} item=${item}
        ahead=${ahead} perOperation=${perOperation}/>`)}</ul>
      ${rest > 0 && html`<p class="muted small">${t("foresee_more", { n: rest })}</p>`}`;
  };
  return html`<div class="foreseen" aria-live="polite" data-state=${ahead.state.value}>${inner()}</div>`;
}

function Outcome({ decision, close }) {
  const button = useRef(null);
  useEffect(() => button.current.querySelector("button").focus(), []);
  const open = decision.seq !== undefined
    && html`<a href=${decisionHref(decision.seq)} onClick=${() => close()}>${t("result_decision")}</a>`;
  return html`<div class="outcome" role="status"><p><strong>${t("result_title")}</strong> ${verdictBadge(decision.verdict)}</p>
      ${decision.commands?.length ? html`<${CommandList} commands=${decision.commands}/>` : html`<${Empty}>${t("result_none")}<//>`}</div>
    <div class="buttons" ref=${button}><${CloseButton} close=${close}/>${open}</div>`;
}

const FIRST = { proof: "", order: "complete", source: "", operation: null, other: "", asked: "", caseNumber: "", comment: "" };

/** The body of the event: what the form says, with the case and the comment of whoever sends it. */
function bodyOf(action, values, target) {
  const attributes = Object.fromEntries([["case", values.caseNumber.trim()], ["comment", values.comment.trim()]].filter(([, text]) => text));
  const body = (action.body ?? nothing)(values, target);
  return Object.keys(attributes).length ? { ...body, attributes } : body;
}

function CaseFields({ values, set }) {
  return html`<div class="case"><label><span>${t("case_number")}</span><input type="text" name="case" maxlength="64" autocomplete="off"
      value=${values.caseNumber} onChange=${(event) => set({ caseNumber: event.currentTarget.value }, true)}/></label>
    <label class="wide"><span>${t("comment")}</span><textarea name="comment" maxlength="256" rows="2"
      value=${values.comment} onChange=${(event) => set({ comment: event.currentTarget.value }, true)}></textarea></label></div>`;
}

/**
 * The dialog of an action. What the event would do to each waiting operation shows before it can be sent. It is sent for
 * that state of the wallet only: if the wallet has changed meanwhile, nothing happens and the fresh list shows.
 */
function ActionDialog({ name, target, done, close }) {
  const action = ACTIONS[name];
  const values = useRef(FIRST);
  const [, redraw] = useState(0);
  const [problem, setProblem] = useState(null);
  const [isSending, setSending] = useState(false);
  const [decision, setDecision] = useState(null);
  const ahead = useMemo(() => new Foresight({
    alone: action.isAlone ? target.operations : null,
    body: () => bodyOf(action, values.current, target),
    path: () => {
      const wallet = action.wallet ? action.wallet(values.current) : target.wallet;
      return (action.isWhole ?? always)(values.current, target) ? eventPath(wallet, action.path) : null;
    },
  }), []);
  useEffect(() => ahead.ask(), []);
  const set = (more, isAside = false) => {
    values.current = { ...values.current, ...more };
    redraw((n) => n + 1);
    if ("order" in more) ahead.chooseForAll();
    if (!isAside) ahead.ask();
  };
  const send = async (event) => {
    event.preventDefault();
    if (!ahead.form.path()) return;
    setSending(true);
    setProblem(null);
    try {
      const answer = await ahead.send();
      if (answer) {
        setDecision(answer);
        done?.(answer);
      } else setProblem(html`<p class="warning" data-note="look">${t("foresee_look")}</p>`);
    } catch (error) {
      const hasChanged = error instanceof Problem && error.body.code === "wallet-changed";
      setProblem(hasChanged ? html`<p class="warning" data-note="wallet-changed">${t("wallet_changed")}</p>`
        : html`<p class="state error">${explain(error, "support")}</p>`);
      if (hasChanged) ahead.ask();
    } finally {
      setSending(false);
    }
  };
  if (decision) return html`<${Outcome} decision=${decision} close=${close}/>`;
  return html`<form onSubmit=${send}>
    <${action.form} name=${name} action=${action} target=${target} values=${values.current} set=${set} ahead=${ahead}/>
    <${ForeseenList} ahead=${ahead} perOperation=${action.perOperation}/>
    <${CaseFields} values=${values.current} set=${set}/>
    <div aria-live="assertive">${problem}</div>
    <div class="buttons"><button type="submit" class="primary-button" data-action="submit" disabled=${isSending}>
        ${t(isSending ? "sending" : "submit")}</button>
      <${CloseButton} close=${close} text=${t("cancel")}/></div></form>`;
}
