// The page of one wallet.
import { each, get, Problem, segment } from "./api.js";
import { restrictionButtons, waitingButtons, walletButtons } from "./actions.js";
import { h, replace } from "./dom.js";
import { ageText, credit, evidenceValue, money, numberText, t, time, tn, word } from "./i18n.js";
import * as v from "./views.js";

const AT_ONCE = 5;
/** Of so many waiting operations the amounts are asked for; the others show by their ids. */
const WAITING_TOLD = 50;

function restrictionCards(wallet, done) {
  if (!wallet.restrictions.length) return v.empty(t("restrictions_none"));
  return h("ul", { class: "cards" }, wallet.restrictions.map((restriction) => h("li", { "data-restriction": restriction.restriction_id },
    h("div", { class: "cardhead" }, h("strong", {}, v.restrictionKind(restriction)), v.ruleLink(restriction.rule)),
    v.facts([
      [t("col_age"), [ageText(restriction.age_seconds), " · ", time(restriction.from, true)]],
      [t("col_until"), v.untilText(restriction)],
      [t("col_lifted_by"), v.lifters(restriction.lifted_by)],
      restriction.ip && [t("ip"), h("code", {}, restriction.ip)],
      restriction.op_id && [t("operation"), v.idSpan(restriction.op_id)],
      [t("clause"), (restriction.clauses || []).join(", ") || "—"],
    ]),
    restrictionButtons(restriction, done))));
}

function waitingCard(wallet, waiting, done) {
  const { operation, seq } = waiting;
  return h("li", { "data-waiting": waiting.op_id },
    operation ? h("div", { class: "cardhead" }, h("strong", {}, word("type_", operation.type)), h("strong", {}, money(v.normalMoney(operation.amount)))) : null,
    v.receiverOf(operation) ? h("p", { class: "small" }, "→ ", v.receiverOf(operation)) : null,
    h("p", { class: "small dots" }, h("span", {}, seq ? h("a", { href: v.decisionHref(seq) }, v.idSpan(waiting.op_id)) : v.idSpan(waiting.op_id)), h("span", { class: "muted" }, tn("waiting_since", { time: time(waiting.since, true) }))),
    v.causes(waiting),
    waitingButtons(wallet, waiting, done));
}

function waitingList(wallet, done) {
  if (!wallet.waiting.length) return v.empty(t("waiting_none"));
  return h("ul", { class: "cards" }, wallet.waiting.map((waiting) => waitingCard(wallet, waiting, done)));
}

function windowTable(wallet) {
  if (!wallet.windows.length) return v.empty(t("windows_none"));
  const columns = [{ title: t("aggregate") }, { title: t("col_rules") }, { title: t("value"), class: "right" }, { title: t("entries"), class: "right" }, { title: t("clears_at"), class: "nowrap" }];
  const rows = wallet.windows.map((window) => v.row(columns, [
    h("code", {}, window.aggregate),
    h("span", { class: "list" }, (window.rules || []).map((rule) => v.ruleLink(rule))),
    window.value === null ? "—" : /^\d+$/.test(window.value) ? h("span", { class: "num" }, numberText(window.value)) : evidenceValue(window.aggregate, window.value),
    window.entries === undefined || window.entries === null ? "—" : numberText(window.entries),
    window.clears_at ? time(window.clears_at, true) : t("clears_never"),
  ]));
  for (const row of rows) row.removeAttribute("data-row");
  return v.table(columns, rows, t("windows_title")).element;
}

export async function walletPage(page, id) {
  const title = [t("wallet_title"), " ", v.idSpan(id)];
  replace(page.element, v.heading(title), v.loading());
  try {
    const wallet = await get(`/v1/wallets/${segment(id)}`, page.signal);
    await v.addOperations(wallet.waiting.slice(0, WAITING_TOLD), AT_ONCE, page.signal);
    const chart = h("div", { class: "timeline" }, v.loading());
    const columns = v.decisionColumns(false);
    const rows = (decisions) => decisions.map((decision) => v.decisionRow(columns, decision, { withWallet: false }));
    const table = v.table(columns, rows(wallet.decisions), t("recent_decisions"));
    const buttons = walletButtons(wallet, page.again);
    const query = new URLSearchParams({ wallet: id });
    const body = h("div", { class: "page" },
      v.heading(title, h("span", { class: "muted" }, wallet.newest ? tn("wallet_newest", { time: time(wallet.newest) }) : t("wallet_no_ops"))),
      buttons ? h("div", { class: "toolbar" }, buttons) : null,
      v.section(t("restrictions_active"), restrictionCards(wallet, page.again)),
      v.section(t("waiting_title"), waitingList(wallet, page.again)),
      v.section(t("timeline"), chart),
      v.section(t("windows_title"), wallet.as_of ? h("p", { class: "muted small", "data-note": "as-of" }, tn("windows_as_of", { time: time(wallet.as_of) })) : null, windowTable(wallet)),
      v.section(t("recent_decisions"), wallet.decisions.length ? table.element : v.empty(t("decisions_empty")), h("p", {}, h("a", { href: `#/decisions?${query}` }, t("all_decisions")))));
    replace(page.element, body);
    credit(body);
    const [detailed, { drawTimeline }] = await Promise.all([details(wallet.decisions, page.signal), import("./timeline.js")]);
    if (page.signal.aborted) return;
    replace(table.body, rows(detailed));
    drawTimeline(chart, detailed, page.signal);
    credit(body);
  } catch (error) {
    if (page.signal.aborted) return;
    const unknown = error instanceof Problem && error.status === 404;
    replace(page.element, v.heading(title), unknown ? v.empty(t("wallet_unknown")) : v.failure(error, page.again));
  }
}

/** Adds the operation and the reasons to each decision; one that is gone stays as it is. */
async function details(decisions, signal) {
  const found = new Map();
  await each(decisions, AT_ONCE, async (decision) => {
    try {
      found.set(decision.seq, { ...decision, ...(await get(`/v1/decisions/${segment(decision.seq)}`, signal)) });
    } catch (error) {
      if (error instanceof Problem && error.status === 401) throw error;
    }
  });
  return decisions.map((decision) => found.get(decision.seq) || decision);
}
