// What support staff can do to a wallet: each action is a dialog, then one event, then its outcome.
import { can, explain, get, post, Problem, segment } from "./api.js";
import { closeButton, openDialog } from "./dialog.js";
import { h, replace } from "./dom.js";
import { t, tn, word } from "./i18n.js";
import * as v from "./views.js";

const ACTIONS = {
  confirm: { path: "identity-confirmed", title: "dialog_confirm_title", button: "action_confirm", form: confirmForm },
  unblock: { path: "wallet-unblock-requested", title: "dialog_unblock_title", button: "action_unblock", form: textForm("dialog_unblock_text") },
  ip: { path: "ip-unblock-requested", title: "dialog_ip_title", button: "action_ip", form: addressForm },
  block: { path: "wallet-block-requested", title: "dialog_block_title", button: "action_block", form: textForm("dialog_block_text") },
  dispute: { path: "ownership-disputed", title: "dialog_dispute_title", button: "action_dispute", form: textForm("dialog_dispute_text") },
  fraud: { path: "fraud-reported", title: "dialog_fraud_title", button: "action_fraud", form: fraudForm },
  documents: { path: "documents-refused", title: "dialog_documents_title", button: "action_documents", form: textForm("dialog_documents_text") },
};

/** Which actions can end a restriction. */
export function actionsOf(restriction) {
  const by = restriction.lifted_by || [];
  const found = [];
  if (restriction.ip && by.includes("support")) found.push("ip");
  if (by.some((who) => v.PROOFS.includes(who))) found.push("confirm");
  if (by.includes("client")) found.push("unblock");
  return found;
}

/** A button of an action, only for those who may use it. */
export function actionButton(name, target, done) {
  if (!can("support")) return null;
  const action = ACTIONS[name];
  return h("button", { type: "button", "data-action": name, onclick: () => run(action, target, done) }, t(action.button));
}

export const restrictionButtons = (restriction, done) =>
  h("div", { class: "buttons" }, actionsOf(restriction).map((name) => actionButton(name, { wallet: restriction.wallet_id, ip: restriction.ip, restriction }, done)));

function run(action, target, done) {
  return openDialog(t(action.title), (content, close) => {
    const form = action.form(target);
    const problem = h("div", { "aria-live": "assertive" });
    const submit = h("button", { type: "submit", class: "primary-button", "data-action": "submit" }, t("submit"));
    const send = async (event) => {
      event.preventDefault();
      submit.disabled = true;
      submit.textContent = t("sending");
      try {
        const decision = await post(`/v1/wallets/${segment(form.wallet?.() ?? target.wallet)}/${action.path}`, form.body());
        showOutcome(content, close, decision);
        done?.(decision);
      } catch (error) {
        replace(problem, h("p", { class: "state error" }, explain(error, "support")));
        submit.disabled = false;
        submit.textContent = t("submit");
      }
    };
    replace(content, h("form", { onsubmit: send }, form.element, problem, h("div", { class: "buttons" }, submit, closeButton(close, t("cancel")))));
  });
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

function textForm(key) {
  return (target) => ({ element: h("p", {}, tn(key, { wallet: v.walletLink(target.wallet) })), body: () => ({}) });
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
  const element = h("div", {}, h("p", {}, tn("dialog_fraud_text", { wallet: v.walletLink(target.wallet) })), radios(t("dialog_source"), "source", options, null));
  return { element, body: () => ({ source: chosenIn(element, "source") }) };
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
    const holds = wallet.waiting.flatMap((waiting) => waiting.holds.filter((hold) => hold.lifted_by).map((hold) => ({ ...hold, kind: "hold" })));
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
    order.append(h("p", { class: "muted small" }, t("waiting_count", { n: found.waiting.length })));
    foresee();
  }).catch(() => {}); // The forecast is a help only: the event can be sent without it.

  return { element, body: () => ({ proof: chosenIn(element, "proof"), order: chosenIn(element, "order") }) };
}

/** All that support can do on a wallet's page. */
export function walletButtons(wallet, done) {
  if (!can("support")) return null;
  const target = { wallet: wallet.wallet_id };
  const blockedByClient = wallet.restrictions.some((restriction) => (restriction.lifted_by || []).includes("client"));
  const names = ["confirm", blockedByClient ? "unblock" : "block", "dispute", "fraud", "documents"];
  return names.map((name) => actionButton(name, target, done));
}
