// The page of one rule: what it says, what it did, how it came to be so, and what an analyst may do with it.
import { can, get, segment, session, useLoad } from "../api.js";
import { Changes, touches } from "../changes.js";
import { html, useEffect } from "../html.js";
import { local, moneyText, numberText, percent, t, time, word } from "../i18n.js";
import { Budget, changeMode, notice, rearm, removeRule, withdraw } from "../lifecycle.js";
import { Cause, historyOf } from "../news.js";
import * as v from "../parts.js";
import { go } from "../router.js";
import { RunTests } from "../rule-tests.js";
import { lastMatch } from "./rules.js";

/** So many changes of the rules are looked through for those of this one. */
const CHANGES = 50;
/** So many of the newest decisions of the rule are counted. */
const COUNTED = 1000;

const onText = (on) => [on].flat().map((type) => word("type_", type)).join(", ");

function Messages({ message }) {
  const codes = ["kk", "ru", "en"].filter((code) => message?.[code]);
  if (!codes.length) return html`<${v.Empty}>${t("message_none")}<//>`;
  const quotes = codes.map((code) => html`<blockquote lang=${code}><span class="tag">${code}</span> ${message[code]} <${v.CopyButton}
    text=${message[code]}/></blockquote>`);
  return html`<div class="messages">${quotes}</div>`;
}

/** Counts the decisions that a rule matched, by the mode that it had then. */
function counted(decisions, id) {
  const modes = new Map();
  for (const decision of decisions) {
    const match = decision.matches.find(({ rule }) => rule === id);
    if (!match) continue;
    const found = modes.get(match.mode) ?? { decisions: 0, wallets: new Set(), amount: 0, stopped: 0, oldest: "", newest: decision.occurred_at };
    found.decisions += 1;
    found.wallets.add(decision.wallet_id);
    found.amount += Number(decision.amount ?? 0);
    found.stopped += decision.verdict === "allow" ? 0 : 1;
    found.oldest = decision.occurred_at;
    modes.set(match.mode, found);
  }
  return [...modes];
}

/** What the rule matched while it acted, and while it only watched. */
function Counts({ rule }) {
  const query = new URLSearchParams({ rule: rule.id, order: "desc", limit: String(COUNTED) });
  const load = useLoad((signal) => get(`/v1/decisions?${query}`, signal), [rule.id]);
  if (load.error) return html`<${v.Failure} error=${load.error} retry=${load.again}/>`;
  if (!load.value) return html`<p class="muted small">${t("loading")}</p>`;
  const modes = counted(load.value.decisions, rule.id);
  if (!modes.length) return html`<${v.Empty}>${t("never")}<//>`;
  const right = (title) => ({ title, class: "right" });
  const columns = [{ title: t("col_mode") }, right(t("count_decisions")), right(t("count_stopped")), right(t("count_wallets")),
    right(t("col_amount")), { title: t("count_from") }, { title: t("count_to") }];
  const rows = modes.map(([mode, of]) => html`<${v.Row} isFixed columns=${columns} data-mode=${mode} cells=${[v.modeBadge(mode), numberText(of.decisions),
    numberText(of.stopped), numberText(of.wallets.size), moneyText(of.amount.toFixed(2)), time(of.oldest, true), time(of.newest, true)]}/>`);
  return html`<${v.Table} columns=${columns} name=${t("count_title")}>${rows}<//>
    <p class="muted small">${t("count_note", { n: numberText(COUNTED) })}</p>`;
}

/** The changes of the rules that touched this one, newest first. */
function History({ rule }) {
  const load = useLoad((signal) => historyOf(CHANGES, signal), [rule.id, session.value?.ruleset]);
  if (load.error) return html`<${v.Failure} error=${load.error} retry=${load.again}/>`;
  if (!load.value) return html`<p class="muted small">${t("loading")}</p>`;
  const own = load.value.filter(({ changes }) => changes && touches(changes, rule.id));
  if (!own.length) return html`<${v.Empty}>${t("history_none")}<//>`;
  const columns = [{ title: t("col_time"), class: "nowrap" }, { title: t("col_by") }, { title: t("ruleset") }, { title: t("history_what") }];
  const rows = own.map((change) => html`<${v.Row} isFixed columns=${columns} data-history=${change.ruleset} cells=${[time(change.at, true),
    html`<span class="dots"><${Cause} change=${change}/></span>`, html`<code>${change.ruleset}</code>`,
    html`<${Changes} changes=${change.changes} only=${rule.id}/>`]}/>`);
  return html`<${v.Table} columns=${columns} name=${t("history_title")}>${rows}<//>`;
}

/** What may be done with the rule; each asks first, and shows what it would do. */
function Actions({ rule, done }) {
  const button = (name, press) => html`<button type="button" data-action=${name} onClick=${press}>${t(`life_${name}`)}</button>`;
  const mode = (to, name) => rule.mode !== to && button(name, () => changeMode(rule, to, ({ ruleset }) => done(t("life_mode_done", { mode: word("mode_", to), id: ruleset }))));
  const removed = ({ ruleset }) => {
    notice.value = { rule: null, text: t("life_removed", { rule: rule.id, id: ruleset }) };
    go("#/rules");
  };
  return html`<div class="buttons toolbar">
    ${can("analyst") && html`${mode("enforce", "promote")}${mode("shadow", rule.mode === "off" ? "watch" : "demote")}${mode("off", "off")}`}
    ${button("withdraw", () => withdraw(rule, ({ lifted, stopped }) => done(t("life_withdrawn", { n: numberText(lifted) }) + (stopped ? ` ${stopped}` : ""))))}
    ${can("analyst") && rule.files && button("remove", () => removeRule(rule, removed))}</div>`;
}

function BudgetCard({ rule, done }) {
  const press = () => rearm(rule, () => done(t("life_rearmed")));
  return html`<${v.Section} title=${t("budget_title")}><${Budget} budget=${rule.budget}/>
    ${can("analyst") && rule.budget.exceeded.length > 0 && html`<div class="buttons"><button type="button" data-action="rearm"
      onClick=${press}>${t("life_rearm")}</button></div>`}<//>`;
}

function Rule({ rule, again }) {
  const query = new URLSearchParams({ rule: rule.id });
  const facts = [
    [t("id"), html`<code>${rule.id}</code>`], [t("col_state"), v.stateText(rule)],
    [t("clause"), (rule.clauses || []).join(", ") || "—"], [t("on"), onText(rule.on || [])],
    [t("col_severity"), rule.severity ?? "—"], [t("owner"), rule.owner || "—"],
    [t("col_hits"), numberText(rule.hits)], [t("share_of_traffic"), percent(rule.share)],
    [t("last_match"), lastMatch(rule)], [t("file"), html`<code>${rule.file}</code>`],
  ];
  const done = (text) => {
    notice.value = { rule: rule.id, text };
    again();
  };
  return html`<div class="page"><${v.Heading} title=${local(rule.title, rule.id)}>${v.modeBadge(rule.mode)}
      ${can("analyst") && rule.files && html`<a href=${`${v.ruleHref(rule.id)}/edit`} data-action="edit">${t("edit")}</a>`}<//>
    <${Actions} rule=${rule} done=${done}/>
    <section class="card"><${v.Facts} pairs=${facts}/><h2>${t("col_hours")}</h2>
      <${v.Sparkline} hours=${rule.hits_per_hour} wide/>
      <p class="dots"><a href=${`#/decisions?${query}`}>${t("rule_decisions")}</a>
        <a href=${`#/restrictions?${query}`}>${t("rule_restrictions")}</a></p></section>
    <${v.Section} title=${t("count_title")}><${Counts} rule=${rule}/><//>
    ${rule.budget && html`<${BudgetCard} rule=${rule} done=${done}/>`}
    <${v.Section} title=${t("message_title")}><${Messages} message=${rule.message}/><//>
    ${rule.notes && html`<${v.Section} title=${t("notes")}><p class="value">${rule.notes}</p><//>`}
    <${v.Section} title=${t("yaml_title")}><pre class="yaml" tabindex="0">${rule.text || ""}</pre><//>
    ${can("analyst") && html`<${v.Section} title=${t("edit_tests")}><${RunTests} rule=${rule.id}/><//>`}
    <${v.Section} title=${t("history_title")}><${History} rule=${rule}/><//></div>`;
}

/** @param {{parts: string[]}} given */
export function Page({ parts: [, id] }) {
  const load = useLoad((signal) => get(`/v1/rules/${segment(id)}`, signal), [id, session.value?.ruleset]);
  useEffect(() => () => {
    if (notice.peek()?.rule === id) notice.value = null;
  }, [id]);
  const said = notice.value?.rule === id && html`<div class="state success" role="status" data-notice>${notice.value.text}</div>`;
  return html`<div aria-live="polite">${said}</div>
    <${v.Loaded} title=${id} load=${load}>${(rule) => html`<${Rule} key=${id} rule=${rule} again=${load.again}/>`}<//>`;
}
