// The difference of two rule sets, as the service tells it.
import { html } from "./html.js";
import { t, word } from "./i18n.js";
import { modeBadge, ruleLink } from "./parts.js";

const SHORT = 60;
const isShort = (text) => !text || (text.length <= SHORT && !text.trim().includes("\n"));
const shown = (text) => text?.trimEnd() ?? t("none");

const Before = ({ text }) => html`<del>${shown(text)}</del>`;
const After = ({ text }) => html`<ins>${shown(text)}</ins>`;

/** One key of a rule's file before and after; of a condition its thresholds, windows and parts. */
function Part({ part: { part, before, after, details } }) {
  if (details?.length) {
    const items = details.map((detail) => html`<li>${word("what_", detail.what)} ${detail.of && html`<code>${detail.of}</code>`}:
      ${" "}<${Before} text=${detail.before}/> → <${After} text=${detail.after}/></li>`);
    return html`<li><code>${part}</code><ul>${items}</ul></li>`;
  }
  if (isShort(before) && isShort(after)) {
    return html`<li><code>${part}</code>: <${Before} text=${before}/> → <${After} text=${after}/></li>`;
  }
  return html`<li><code>${part}</code><pre tabindex="0"><${Before} text=${before}/>${"\n"}<${After} text=${after}/></pre></li>`;
}

const Parts = ({ parts }) => html`<ul class="changes">${parts.map((part) => html`<${Part} part=${part}/>`)}</ul>`;

/** What changed in the rules; with `only` what changed in that rule. */
export function Changes({ changes, only = null }) {
  const wanted = ({ rule }) => !only || rule === only;
  const note = (key, { rule, title, mode }) => html`<li data-change=${rule}>${t(key)} ${only ? null : ruleLink(rule)} ${title} ${modeBadge(mode)}</li>`;
  const items = [
    ...changes.added.filter(wanted).map((rule) => note("change_added", rule)),
    ...changes.removed.filter(wanted).map((rule) => html`<li data-change=${rule.rule}>${t("change_removed")} <code>${rule.rule}</code> ${rule.title}</li>`),
    ...changes.changed.filter(wanted).map(({ rule, parts }) => html`<li data-change=${rule}>${only ? null : ruleLink(rule)}<${Parts} parts=${parts}/></li>`),
    ...(only ? [] : changes.lists.map(({ list, added, removed, changed }) => html`<li>${t("change_list")} <code>${list}</code>:
      ${" "}+${added.count} −${removed.count} ±${changed.count}</li>`)),
    ...(only ? [] : changes.mrp.map(({ from, before, after }) => html`<li>${t("change_mrp")} ${from}: <${Before} text=${before}/> → <${After} text=${after}/></li>`)),
  ];
  if (!items.length) return html`<p class="muted" data-changes="none">${t("change_none")}</p>`;
  return html`<ul class="plain" data-changes="some">${items}</ul>`;
}

/** Tells whether a change of the rules touches a rule. */
export const touches = (changes, id) =>
  [changes.added, changes.removed, changes.changed].some((list) => list.some(({ rule }) => rule === id));
