// What analysts do with rules: each shows its count first, and is agreed to in a dialog.
import { agree } from "./agree.js";
import { get, post, segment } from "./api.js";
import { Changes } from "./changes.js";
import { html, signal } from "./html.js";
import { fieldOfTime, numberText, t, time, timeOfField, word } from "./i18n.js";
import { backtest, DaysField, Impact } from "./impact.js";
import { idSpan, restrictionKind, walletLink } from "./parts.js";

const DAYS = "7";
const DAY_MS = 86400000;
const LISTED = 20;
/** A call of a withdrawal sends so many events. */
const EVENTS = 200;

/** What was done last, as the page of its rule says: `{rule, text}`. */
export const notice = signal(null);

/** The text of a rule with another mode: what would be, for a backtest. The service writes the file. */
export const withMode = (text, mode) => text.replace(/^mode:[ \t]*[^\s#]+/m, `mode: ${mode}`);

const Days = ({ values, set }) => html`<div class="buttons"><${DaysField} days=${values.days} change=${(days) => set({ days })}/></div>`;

const compared = async (rules, { days }, told, signal) =>
  backtest({ rules, against: "current", days: Number(days) }, told, signal);

/** Gives a rule another mode. */
export function changeMode(rule, mode, done) {
  agree(t(`life_${mode}_title`), {
    text: t(`life_${mode}_text`, { id: rule.id }), first: { days: DAYS }, Fields: Days, hasComment: true, done,
    look: async (values, told, signal) => {
      const answer = await compared({ [rule.files.rule]: withMode(rule.text, mode) }, values, told, signal);
      return { shows: html`<${Impact} answer=${answer}/>` };
    },
    act: (_, comment) => post(`/v1/rules/${segment(rule.id)}/mode`, { mode, ...(comment && { comment }) }),
  });
}

/** Goes back to the rules before the present ones. */
export function rollBack({ ruleset: current, previous }, done) {
  agree(t("rollback_title"), {
    text: t("rollback_text", { current, previous }), first: { days: DAYS }, Fields: Days, done,
    look: async (values, told, signal) => {
      const { changes } = await post("/v1/rules/rollback?dry_run=true");
      const answer = await compared("previous", values, told, signal);
      return { shows: html`<${Changes} changes=${changes}/><${Impact} answer=${answer}/>` };
    },
    act: () => post("/v1/rules/rollback"),
  });
}

const filesOf = ({ files }) => [[files.rule, files.rule_hash], [files.tests, files.tests_hash]].filter(([path]) => path);

/** Takes a rule's files away. */
export function removeRule(rule, done) {
  const files = Object.fromEntries(filesOf(rule).map(([path]) => [path, null]));
  const opened = Object.fromEntries(filesOf(rule));
  agree(t("life_remove_title"), {
    text: t("life_remove_text", { id: rule.id }), first: { days: DAYS }, Fields: Days, hasComment: true, done,
    look: async (values, told, signal) => {
      const { changes } = await post("/v1/rules/save?dry_run=true", { files, opened });
      const answer = await compared(files, values, told, signal);
      return { shows: html`<${Changes} changes=${changes}/><${Impact} answer=${answer}/>` };
    },
    act: (_, comment) => post("/v1/rules/save", { files, opened, ...(comment && { comment }) }),
  });
}

function Since({ values, set }) {
  return html`<label class="field">${t("life_since", { zone: t("zone") })} <input type="datetime-local" name="since" required
    value=${fieldOfTime(values.since)} onChange=${(event) => set({ since: timeOfField(event.currentTarget.value) || values.since })}/></label>`;
}

function Withdrawn({ found }) {
  const { lifts, wallets, addresses, releases, kept } = found;
  const counts = Object.entries(lifts).filter(([, n]) => n).map(([kind, n]) => html`<span>${word("kind_", kind)}: ${numberText(n)}</span>`);
  const items = found.restrictions.map((one) => html`<li>${restrictionKind(one)} ${one.wallet_id ? walletLink(one.wallet_id) : html`<code>${one.ip ?? ""}</code>`}
    ${one.op_id && html` ${idSpan(one.op_id)}`}</li>`);
  return html`<p class="dots" data-lifts=${String(found.total)}>${counts.length ? counts : t("life_lifts_none")}</p>
    <p class="dots"><span>${t("life_wallets", { n: numberText(wallets) })}</span>${addresses > 0 && html`<span>${t("life_addresses", { n: numberText(addresses) })}</span>`}
      <span>${t("life_releases", { n: numberText(releases) })}</span><span>${t("life_kept", { n: numberText(kept.total) })}</span></p>
    <ul class="plain">${items}</ul>`;
}

/** Lifts what a rule placed since a time. */
export function withdraw(rule, done) {
  const path = (more) => `/v1/rules/${segment(rule.id)}/withdraw?${new URLSearchParams(more)}`;
  agree(t("life_withdraw_title"), {
    text: t("life_withdraw_text", { id: rule.id }), done,
    first: { since: new Date(Math.floor(Date.now() / 60000) * 60000 - DAY_MS).toISOString() }, Fields: Since,
    look: async ({ since }) => {
      const found = await post(path({ since, dry_run: "true", limit: String(LISTED) }));
      const total = Object.values(found.lifts).reduce((sum, n) => sum + n, 0);
      return { shows: html`<${Withdrawn} found=${{ ...found, total }}/>`, nothing: total === 0, state: found.state };
    },
    // Only what was shown: each call goes on from the state that the one before left.
    act: async ({ since }, _, { state }) => {
      let lifted = 0;
      let answer = await post(path({ since, state, limit: String(EVENTS) }));
      for (;;) {
        lifted += Object.values(answer.lifts).reduce((sum, n) => sum + n, 0);
        if (!answer.left || answer.stopped || !answer.events.length) return { ...answer, lifted };
        answer = await post(path({ since, state: answer.state, limit: String(EVENTS) }));
      }
    },
  });
}

/** Lets a rule act again that has exceeded its budget. */
export function rearm(rule, done) {
  const { budget } = rule;
  agree(t("life_rearm_title"), {
    text: t("life_rearm_text", { id: rule.id }), done,
    look: async () => {
      const { budget: now } = await get(`/v1/rules/${segment(rule.id)}`);
      return { shows: html`<${Budget} budget=${now ?? budget}/>` };
    },
    act: () => post(`/v1/rules/${segment(rule.id)}/rearm`),
  });
}

/** What a rule may stop in an hour, what it has stopped, and where it has exceeded that. */
export function Budget({ budget }) {
  const limits = [
    budget.holds_per_hour !== null && t("budget_holds", { n: numberText(budget.holds_per_hour) }),
    budget.share && t("budget_share", { share: budget.share, n: numberText(budget.at_least) }),
  ].filter(Boolean);
  const exceeded = budget.exceeded.map(({ shard, at, stopped, decided }) => html`<li class="warning" data-exceeded>
    ${t("budget_exceeded", { shard, stopped: numberText(stopped), decided: numberText(decided) })} ${time(at, true)}</li>`);
  return html`<p class="dots">${limits.map((limit) => html`<span>${limit}</span>`)}
      <span>${t("budget_used", { stopped: numberText(budget.stopped), decided: numberText(budget.decided) })}</span></p>
    ${exceeded.length > 0 && html`<ul class="plain">${exceeded}</ul>`}`;
}

