// Other rules are in use: every open page says so, with who changed them and what.
import { can, get, session } from "./api.js";
import { Changes } from "./changes.js";
import { effect, html, signal } from "./html.js";
import { t, time, word } from "./i18n.js";

/** So many changes between two looks at the service are told. */
const MOST = 10;

/** A set is in use a moment before its change is written down: so often, so long apart, it is asked for. */
const TRIES = 8;
const TRY_MS = 250;

/** The newest changes of the rules, the one that brought the set in use among them. */
export async function historyOf(limit, signal = undefined) {
  for (let tries = 1; ; tries += 1) {
    const { history } = await get(`/v1/rules/history?limit=${limit}`, signal);
    if (history[0]?.ruleset === session.peek()?.ruleset || tries >= TRIES) return history;
    await new Promise((resolve) => setTimeout(resolve, TRY_MS));
  }
}

/** The rules that came: `{ruleset, changes}`; the changes are `null` until the service has told them. */
const news = signal(null);
let known = null;

async function tell(before, ruleset) {
  news.value = { ruleset, changes: null };
  if (!can("analyst") && !can("support")) return;
  try {
    const history = await historyOf(MOST);
    const old = history.findIndex((change) => change.ruleset === before);
    const changes = old < 0 ? history.slice(0, 1) : history.slice(0, old);
    if (news.peek()?.ruleset === ruleset) news.value = { ruleset, changes };
  } catch {
    // Where no history is kept, the new set is all that can be told.
  }
}

/** Watches which rules the service uses, as the shared connection tells it. */
export function startNews() {
  effect(() => {
    const ruleset = session.value?.ruleset ?? null;
    const before = known;
    known = ruleset;
    if (ruleset === null) news.value = null;
    else if (before !== null && before !== ruleset) tell(before, ruleset);
  });
}

/** How a change of the rules came about. */
export function Cause({ change }) {
  return html`<span>${word("cause_", change.cause ?? "unknown")}</span>${change.by && html`<span>${change.by}</span>`}
    ${change.comment && html`<span>«${change.comment}»</span>`}`;
}

export function News() {
  if (!news.value) return null;
  const { ruleset, changes } = news.value;
  const items = (changes ?? []).map((change) => html`<li><p class="dots small">${change.at && html`<span>${time(change.at, true)}</span>`}
    <${Cause} change=${change}/></p>${change.changes ? html`<${Changes} changes=${change.changes}/>` : change.missing}</li>`);
  const dismiss = () => {
    news.value = null;
  };
  return html`<div class="banner news" role="status" data-news=${ruleset}><div class="cardhead"><strong>${t("news_title", { id: ruleset })}</strong>
    <button type="button" class="quiet" data-dismiss="news" onClick=${dismiss}>${t("close")}</button></div><ul class="plain">${items}</ul></div>`;
}
