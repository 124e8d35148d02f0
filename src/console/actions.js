// What support staff can do to a wallet: each action is a dialog, then one event, then its outcome.
import { can, explain, get, post, Problem, segment } from "./api.js";
import { closeButton, openDialog } from "./dialog.js";
import { h, replace } from "./dom.js";
import { money, t, time, tn, word } from "./i18n.js";
import * as v from "./views.js";

const ACTIONS = {
  confirm: { path: "identity-confirmed", title: "dialog_confirm_title", button: "action_confirm", form: confirmForm },
  unblock: { path: "wallet-unblock-requested", title: "dialog_unblock_title", button: "action_unblock", form: textForm("dialog_unblock_text") },
  ip: { path: "ip-unblock-requested", title: "dialog_ip_title", button: "action_ip", form: addressForm },
  block: { path: "wallet-block-requested", title: "dialog_block_title", button: "action_block", form: textForm("dialog_block_text") },
  dispute: { path: "ownership-disputed", title: "dialog_dispute_title", button: "action_dispute", form: textForm("dialog_dispute_text") },
  fraud: { path: "fraud-reported", title: "dialog_fraud_title", button: "action_fraud", form: fraudForm },
  documents: { path: "documents-refused", title: "dialog_documents_title", button: "action_documents", form: textForm("dialog_documents_text") },
  settle: { path: "identity-confirmed", title: "dialog_settle_title", button: "action_one_settle", form: settleForm },
  disputed: { path: "operation-disputed", title: "dialog_disputed_title", button: "action_disputed", form: operationForm("dialog_disputed_text", { source: "client" }, true) },
  details: { path: "cash-out-details-wrong", title: "dialog_details_title", button: "action_details", form: operationForm("dialog_details_text", {}, false, "cash_out") },
  suspicion: { path: "suspicion-confirmed", title: "dialog_suspicion_title", button: "action_suspicion", form: textForm("dialog_suspicion_text") },
  complaint: { path: "complaint-received", title: "dialog_complaint_title", button: "action_complaint", form: textForm("dialog_complaint_text") },
  seizure: { path: "seizure-ordered", title: "dialog_seizure_title", button: "action_seizure", form: textForm("dialog_seizure_text", { source: "court" }) },
  unseize: { path: "seizure-lifted", title: "dialog_unseize_title", button: "action_unseize", form: textForm("dialog_unseize_text", { source: "court" }) },
};

/** Which actions can end a restriction. */
export function actionsOf(restriction) {
  const by = restriction.lifted_by || [];
  const found = [];
  if (restriction.ip && by.includes("support")) found.push("ip");
  if (by.some((who) => v.PROOFS.includes(who))) found.push("confirm");
  if (by.includes("client")) found.push("unblock");
  if (by.includes("court")) found.push("unseize");
  return found;
}

/** A button of an action, only for those who may use it. */
export function actionButton(name, target, done, text = ACTIONS[name].button) {
  if (!can("support")) return null;
  return h("button", { type: "button", "data-action": name, onclick: () => run(ACTIONS[name], target, done) }, t(text));
}

export const restrictionButtons = (restriction, done) =>
  h("div", { class: "buttons" }, actionsOf(restriction).map((name) => actionButton(name, { wallet: restriction.wallet_id, ip: restriction.ip, restriction }, done)));

const LISTED_MOST = 50;

/**
 * Opens the dialog of an action. What the event would do to each waiting operation is asked of the service whenever
 * an answer changes, and shows before it can be sent. It is sent for that state of the wallet only: if the wallet has
 * changed meanwhile, nothing happens and the fresh list shows.
 */
function run(action, target, done) {
  return openDialog(t(action.title), (content, close) => {
    const form = action.form(target);
    const problem = h("div", { "aria-live": "assertive" });
    const submit = h("button", { type: "submit", class: "primary-button", "data-action": "submit" }, t("submit"));
    const foreseen = foresight(form, target, (body, query) => post(`${path()}${query}`, body));
    const path = () => `/v1/wallets/${segment(form.wallet?.() ?? target.wallet)}/${action.path}`;
    const send = async (event) => {
      event.preventDefault();
      submit.disabled = true;
      submit.textContent = t("sending");
      replace(problem);
      try {
        const decision = await foreseen.send();
        if (!decision) {
          replace(problem, h("p", { class: "warning", "data-note": "look" }, t("foresee_look")));
          submit.disabled = false;
          submit.textContent = t("submit");
          return;
        }
        showOutcome(content, close, decision);
        done?.(decision);
      } catch (error) {
        const changed = error instanceof Problem && error.body.code === "wallet-changed";
        replace(problem, h("p", { class: changed ? "warning" : "state error", "data-note": changed ? "wallet-changed" : null }, changed ? t("wallet_changed") : explain(error, "support")));
        submit.disabled = false;
        submit.textContent = t("submit");
        if (changed) foreseen.ask();
      }
    };
    const element = h("form", { onsubmit: send, onchange: (event) => foreseen.changed(event) }, form.element, foreseen.element, problem, h("div", { class: "buttons" }, submit, closeButton(close, t("cancel"))));
    replace(content, element);
    foreseen.ask();
  });
}

/** The list of waiting operations in a dialog, each with what will become of it, and the sending of what it shows. */
function foresight(form, target, call) {
  const element = h("div", { class: "foreseen", "aria-live": "polite", "data-state": "ready" });
  /** What was chosen for single operations, where that differs from what was chosen for all. */
  let choices = new Map();
  let [found, asked, answered] = [null, 0, Promise.resolve()];

  const body = () => (choices.size ? { ...form.body(), order: "complete" } : form.body());
  const chosen = (item) => choices.get(item.op_id) ?? form.body().order ?? "complete";
  const will = (item) => (choices.size && chosen(item) === "cancel" ? "cancel" : item.will);

  /** What shows, as a text: whether a person has seen it. */
  const seen = () => [...element.querySelectorAll("[data-foreseen]")].map((row) => `${row.dataset.foreseen} ${row.dataset.will}`).join("\n");

  async function look(mine) {
    try {
      const answer = await call(body(), "?dry_run=true");
      const listed = (answer.waiting || []).filter((item) => !target.operation || item.op_id === target.operation.op_id);
      await v.addOperations(listed.slice(0, LISTED_MOST), AT_ONCE);
      if (mine !== asked) return;
      found = { ...answer, listed };
      show();
    } catch (error) {
      // What is wrong with the event itself is said when it is sent.
      if (mine === asked) replace(element, error instanceof Problem ? null : h("p", { class: "warning" }, t("foresee_failed")));
    } finally {
      if (mine === asked) element.dataset.state = "ready";
    }
  }

  function ask() {
    const mine = (asked += 1);
    found = null;
    const wallet = form.wallet?.() ?? target.wallet;
    const isWhole = (form.isWhole?.() ?? true) && element.closest("form")?.checkValidity();
    if (wallet && isWhole) {
      element.dataset.state = "asking";
      answered = look(mine);
    } else {
      element.dataset.state = "ready";
      answered = Promise.resolve();
      replace(element);
    }
  }

  function choice(item) {
    if (!form.perOperation) return null;
    const select = h("select", { "aria-label": t("dialog_order_one"), "data-choice": item.op_id, onchange: (event) => {
      event.stopPropagation();
      for (const other of found.listed) if (!choices.has(other.op_id)) choices.set(other.op_id, chosen(other));
      choices.set(item.op_id, select.value);
      if (new Set(choices.values()).size === 1 && select.value === form.body().order) choices = new Map();
      ask();
    } }, ["complete", "cancel"].map((value) => h("option", { value }, t(`order_one_${value}`))));
    select.value = chosen(item);
    return select;
  }

  function show() {
    if (!found.listed.length) {
      replace(element);
      return;
    }
    const row = (item) => h("li", { "data-foreseen": item.op_id, "data-will": will(item) },
      h("div", { class: "cardhead" }, h("span", {}, operationText(item.operation, item.op_id)), h("strong", { class: `will will-${will(item)}` }, t(`will_${will(item)}`))),
      v.receiverOf(item.operation) ? h("p", { class: "small" }, "→ ", v.receiverOf(item.operation)) : null,
      v.causes(item), choice(item));
    const counts = ["release", "cancel", "wait"].map((name) => [name, found.listed.filter((item) => will(item) === name).length]).filter(([, n]) => n);
    const rest = found.listed.length - LISTED_MOST;
    replace(element, h("strong", {}, t("foresee_title")),
      h("p", { class: "small muted dots" }, counts.map(([name, n]) => h("span", {}, `${t(`will_${name}`)}: ${n}`))),
      h("ul", { class: "cards" }, found.listed.slice(0, LISTED_MOST).map(row)),
      rest > 0 ? h("p", { class: "muted small" }, t("foresee_more", { n: rest })) : null);
  }

  /**
   * Sends the event, and before it one for each operation that is cancelled by itself. Sends nothing, and gives
   * null, where what would become of the operations was not yet to be seen.
   */
  async function send() {
    const before = seen();
    await answered;
    if (seen() !== before) return null;
    let state = found?.state;
    const query = () => (state ? `?${new URLSearchParams({ state })}` : "");
    const commands = [];
    const alone = choices.size ? found.listed.filter((item) => chosen(item) === "cancel") : [];
    for (const item of alone) {
      const decision = await call({ ...form.body(), order: "cancel", ref_op_id: item.op_id }, query());
      commands.push(...(decision.commands || []));
      choices.delete(item.op_id);
      state = decision.state;
    }
    const decision = await call(alone.length ? { ...form.body(), order: "complete" } : body(), query());
    return { ...decision, commands: [...commands, ...(decision.commands || [])] };
  }

  const changed = (event) => {
    if (event.target.name === "order") choices = new Map();
    ask();
  };
  return { element, ask, changed, send };
}

function showOutcome(content, close, decision) {
  const open = decision.seq === undefined ? null : h("a", { href: v.decisionHref(decision.seq), onclick: () => close() }, t("result_decision"));
  const shut = closeButton(close);
  replace(content, h("div", { class: "outcome", role: "status" },
    h("p", {}, h("strong", {}, t("result_title")), " ", v.verdictBadge(decision.verdict)),
    v.commandList(decision.commands) || v.empty(t("result_none"))),
    h("div", { class: "buttons" }, shut, open));
  shut.focus();
}

function textForm(key, body = {}) {
  return (target) => ({ element: h("p", {}, tn(key, { wallet: v.walletLink(target.wallet) })), body: () => body });
}

const RECENT = 20;
const AT_ONCE = 5;

/** An operation in few words; its own page tells the rest. */
function operationText(operation, opId) {
  const of = operation || {};
  const amount = of.amount === undefined ? null : [" ", money(v.normalMoney(of.amount))];
  return [of.type ? h("strong", {}, word("type_", of.type), amount, " ") : null, v.idSpan(opId)];
}

/** Finds the outgoing operations that an event may speak of: those that wait, then the newest others. */
async function outgoing(wallet) {
  const found = await get(`/v1/wallets/${segment(wallet)}`);
  const waits = new Set(found.waiting.map(({ op_id: id }) => id));
  const others = found.decisions.filter(({ type, op_id: id }) => v.DEBITS.includes(type) && !waits.has(id));
  const all = [...found.waiting.map((item) => ({ ...item, waits: true })), ...others.map((item) => ({ ...item, since: item.occurred_at }))].slice(0, RECENT);
  await v.addOperations(all, AT_ONCE);
  return all;
}

/**
 * Says which operation an event speaks of: one of the wallet's newest, or any other by its id. Where it may
 * speak of none, that is chosen at first. `only` leaves out what is known to be of another type.
 */
function operationForm(key, more, required, only = null) {
  return (target) => {
    const chosen = target.operation?.op_id;
    const place = h("div", { "aria-live": "polite" }, h("p", { class: "muted small" }, t("loading")));
    const field = h("input", { type: "text", id: "other-operation", maxlength: 64, autocomplete: "off", spellcheck: "false", pattern: "[A-Za-z0-9._:\\-]{1,64}", "aria-label": t("op_id") });
    const OTHER = " other"; // No id holds a space.
    const select = () => {
      field.hidden = chosenIn(element, "operation") !== OTHER;
      field.required = !field.hidden;
      if (!field.hidden) field.focus();
    };
    const show = (all) => {
      const known = all.map((item) => ({ value: item.op_id, text: operationText(item.operation, item.op_id), note: [item.waits ? `${t("operation_waits")}, ` : "", time(item.since, true)] }));
      const none = required ? [] : [{ value: "", text: t("operation_none") }];
      // What the event must speak of is chosen by a person, unless there is nothing to choose from.
      const first = required ? (known.length ? null : OTHER) : "";
      replace(place, radios(t("dialog_operation"), "operation", [...none, ...known, { value: OTHER, text: t("operation_other") }], first, select), field);
      select();
    };
    const element = h("div", {},
      h("p", {}, tn(key, { wallet: v.walletLink(target.wallet) })),
      chosen ? h("p", {}, t("operation"), " ", operationText(target.operation.operation, chosen)) : place);
    if (!chosen) outgoing(target.wallet).then((all) => show(all.filter(({ operation }) => !only || !operation || operation.type === only)), () => show([]));
    const named = () => {
      const value = chosen ?? chosenIn(element, "operation") ?? "";
      return value === OTHER ? field.value.trim() : value;
    };
    return { element, isWhole: () => !required || Boolean(named()), body: () => (named() ? { ...more, ref_op_id: named() } : more) };
  };
}

/** Settles one waiting operation: the wallet's restrictions and whatever else waits stay. */
function settleForm(target) {
  const { op_id: opId, operation, holds, pins = [] } = target.operation;
  const forecast = h("div", { class: "forecast", "aria-live": "polite" });
  const options = v.PROOFS.map((value) => ({ value, text: word("by_", value), note: holds.some(({ lifted_by: by }) => by?.includes(value)) ? null : t("clears_nothing") }));
  const orders = ["complete", "cancel"].map((value) => ({ value, text: t(`order_one_${value}`) }));
  const foresee = () => {
    const proof = chosenIn(element, "proof");
    if (chosenIn(element, "order") === "cancel") {
      replace(forecast, h("p", {}, t("settle_cancels")));
      return;
    }
    if (!proof) {
      replace(forecast);
      return;
    }
    const clears = holds.filter(({ lifted_by: by }) => by?.includes(proof));
    const stays = [...holds.filter((hold) => !clears.includes(hold)), ...pins.map((pin) => ({ ...pin, kind: "pin" }))];
    const blocks = (target.restrictions || []).filter(({ kind, direction }) => kind === "block" && direction !== "login");
    const ends = stays.length || blocks.some(({ until }) => !until) ? "settle_waits" : blocks.length ? "settle_blocked" : "settle_completes";
    const named = [...stays, ...blocks.filter((block) => !stays.some(({ restriction_id: id }) => id === block.restriction_id))];
    replace(forecast, h("p", { class: ends === "settle_completes" ? null : "warning" }, t(ends)),
      named.length ? h("ul", {}, named.map((item) => h("li", {}, word("kind_", item.kind), ": ", h("code", {}, item.rule)))) : null);
  };
  const element = h("div", {},
    h("p", {}, t("operation"), " ", operationText(operation, opId), h("br"), t("wallet"), " ", v.walletLink(target.wallet)),
    radios(t("dialog_order_one"), "order", orders, "complete", () => foresee()),
    radios(t("dialog_proof"), "proof", options, null, () => foresee()),
    forecast, h("p", { class: "muted small" }, t("settle_note")));
  return { element, body: () => ({ proof: chosenIn(element, "proof"), order: chosenIn(element, "order"), ref_op_id: opId }) };
}

/** A block of an address belongs to no wallet: support says for which client it is lifted. */
function addressForm(target) {
  const warning = h("p", { class: "warning", "aria-live": "polite" });
  const field = h("input", { type: "text", id: "asked-by", required: true, maxlength: 64, autocomplete: "off", spellcheck: "false", onchange: look });
  const wallet = () => field.value.trim();

  async function look() {
    const asked = wallet();
    replace(warning);
    if (!asked) return;
    try {
      await get(`/v1/wallets/${segment(asked)}`);
    } catch (error) {
      if (error instanceof Problem && error.status === 404 && asked === wallet()) replace(warning, t("wallet_unknown"));
    }
  }

  const element = h("div", {},
    h("p", {}, tn("dialog_ip_text", { ip: h("code", {}, target.ip) })),
    h("label", { class: "field", for: "asked-by" }, t("dialog_ip_wallet")), field, warning);
  return { element, wallet, body: () => ({ ip: target.ip }) };
}

function radios(legend, name, options, chosen, onchange) {
  return h("fieldset", {}, h("legend", {}, legend), options.map(({ value, text, note }) =>
    h("label", { class: "radio" }, h("input", { type: "radio", name, value, checked: value === chosen, required: true, onchange }), h("span", {}, text, note ? h("span", { class: "muted small" }, " — ", note) : null))));
}

const chosenIn = (element, name) => element.querySelector(`input[name="${name}"]:checked`)?.value;

function fraudForm(target) {
  const options = v.SOURCES.map((value) => ({ value, text: word("source_", value) }));
  const about = operationForm("dialog_fraud_text", {}, false)(target);
  const element = h("div", {}, about.element, radios(t("dialog_source"), "source", options, null));
  return { element, isWhole: about.isWhole, body: () => ({ ...about.body(), source: chosenIn(element, "source") }) };
}

/** Proof and order; what the proof lifts on this wallet shows as it is chosen. */
function confirmForm(target) {
  const lifters = target.restriction?.lifted_by;
  const options = v.PROOFS.map((value) => ({ value, text: word("by_", value), note: lifters && !lifters.includes(value) ? t("cannot_lift") : null }));
  const forecast = h("div", { class: "forecast", "aria-live": "polite" });
  const order = h("div", {}, radios(t("dialog_order"), "order", ["complete", "cancel"].map((value) => ({ value, text: t(`order_${value}`) })), "complete"));
  const element = h("div", {},
    h("p", {}, t("wallet"), " ", v.walletLink(target.wallet)),
    radios(t("dialog_proof"), "proof", options, null, () => foresee()),
    forecast, order);
  let wallet = null;

  function foresee() {
    const proof = chosenIn(element, "proof");
    if (!wallet || !proof) return;
    const holds = wallet.waiting.flatMap((waiting) => waiting.holds.filter((hold) => hold.is_own));
    const known = new Set(wallet.restrictions.map((restriction) => restriction.restriction_id));
    const all = [...wallet.restrictions, ...holds.filter((hold) => !known.has(hold.restriction_id))];
    const lists = { lifts: [], stays: [] };
    for (const restriction of all) lists[(restriction.lifted_by || []).includes(proof) ? "lifts" : "stays"].push(restriction);
    const list = (name) => (lists[name].length
      ? h("div", {}, h("strong", {}, t(name)), h("ul", {}, lists[name].map((item) => h("li", {}, word("kind_", item.kind), ": ", h("code", {}, item.rule))))) : null);
    replace(forecast, lists.lifts.length ? list("lifts") : h("p", { class: "warning" }, t("lifts_nothing")), list("stays"));
  }

  get(`/v1/wallets/${segment(target.wallet)}`).then((found) => {
    wallet = found;
    order.hidden = found.waiting.length === 0;
    foresee();
  }).catch(() => {}); // The forecast is a help only: the event can be sent without it.

  return { element, perOperation: true, body: () => ({ proof: chosenIn(element, "proof"), order: chosenIn(element, "order") }) };
}

/** All that support can do on a wallet's page, in groups: what the client asks for, what others report. */
export function walletButtons(wallet, done) {
  if (!can("support")) return null;
  const target = { wallet: wallet.wallet_id };
  const lifted = (who) => wallet.restrictions.some((restriction) => (restriction.lifted_by || []).includes(who));
  const groups = {
    actions_client: ["confirm", lifted("client") ? "unblock" : "block", "disputed", "details"],
    actions_reports: ["dispute", "documents", "suspicion", "complaint", "fraud", lifted("court") ? "unseize" : "seizure"],
  };
  return Object.entries(groups).map(([name, actions]) =>
    h("div", { role: "group", "aria-label": t(name) }, h("span", { class: "muted small" }, t(name)), h("div", { class: "buttons" }, actions.map((action) => actionButton(action, target, done)))));
}

/** What support can do about one operation that waits. */
export function waitingButtons(wallet, waiting, done) {
  if (!can("support")) return null;
  const target = { wallet: wallet.wallet_id, operation: waiting, restrictions: wallet.restrictions };
  const names = ["settle", "disputed", waiting.operation?.type === "cash_out" && "details"].filter(Boolean);
  return h("div", { class: "buttons" }, names.map((name) => actionButton(name, target, done, `action_one_${name}`)));
}
