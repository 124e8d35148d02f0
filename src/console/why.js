// Why a decision was made, as sentences: the service decides again and tells each condition in a person's language.
import { get, segment, useLoad } from "./api.js";
import { html } from "./html.js";
import { lang, numberText, t, time, tn } from "./i18n.js";
import { clausesText, decisionHref, modeBadge, ruleLink } from "./parts.js";

const SIGNS = { true: ["✓", "holds_yes", "yes"], false: ["✗", "holds_no", "no"], null: ["?", "holds_unknown", "unknown"] };

/** The operations of the wallet that a window counted, each by its decision. */
function Counted({ total, seqs }) {
  if (!total) return html`<div class="muted small" data-counted="0">${t("why_counted_none")}</div>`;
  const links = seqs.map((seq) => html`<li><a href=${decisionHref(seq)} class="num">#${seq}</a></li>`);
  const more = total > seqs.length && html`<li class="muted">${t("why_counted_more", { n: numberText(total - seqs.length) })}</li>`;
  return html`<details class="small" data-counted=${total}><summary>${t("why_counted", { n: numberText(total) })}</summary>
    <ul class="counted">${links}${more}</ul></details>`;
}

function Condition({ condition }) {
  const [sign, key, name] = SIGNS[String(condition.holds ?? null)] ?? SIGNS.null;
  const { sentence, opposite, leaves, clears, counted = [] } = condition;
  return html`<li data-holds=${String(condition.holds)}><span class=${`sign sign-${name}`} title=${t(key)} role="img" aria-label=${t(key)}>${sign}</span>
    <span>${sentence}${opposite && html`<span class="muted small"> ${opposite}</span>`}
    ${leaves && html`<div class="muted small">${tn("why_leaves", { time: time(leaves, true) })}</div>`}
    ${clears && html`<div class="muted small">${tn("why_clears", { time: time(clears, true) })}</div>`}
    ${counted.map((one) => html`<${Counted} ...${one}/>`)}</span></li>`;
}

/** The conditions of a rule, one sentence each. */
export const Sentences = ({ rule }) => html`<ul class="sentences" data-sentences=${rule.rule}>
  ${rule.conditions.map((condition) => html`<${Condition} condition=${condition}/>`)}</ul>`;

/** A rule that lacked one condition only. */
export const NearlyFired = ({ rule }) => html`<article class="why" data-nearly=${rule.rule}>
  <div class="rulehead"><h3>${ruleLink(rule.rule, rule.title)}</h3><span class="muted small dots"><code>${rule.rule}</code>
    <span>${clausesText(rule.clauses)}</span>${modeBadge(rule.mode)}</span></div><${Sentences} rule=${rule}/></article>`;

/** Asks why; `null` until it is told, or where it is not told. */
export function useWhy(seq) {
  const { value } = useLoad((signal) => get(`/v1/decisions/${segment(seq)}/why?lang=${lang()}`, signal), [seq, lang()]);
  return value;
}

/** What the sentences rest on, where that is less than everything. */
export function Basis({ basis }) {
  if (basis.kind === "stored") return html`<p class="muted small" data-note="basis">${t("why_stored")}</p>`;
  return basis.is_exact ? null : html`<p class="muted small" data-note="basis">${t("why_not_exact")}</p>`;
}
