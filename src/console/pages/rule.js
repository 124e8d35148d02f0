// The page of one rule.
import { can, get, segment, session, useLoad } from "../api.js";
import { html } from "../html.js";
import { local, numberText, percent, t, word } from "../i18n.js";
import * as v from "../parts.js";
import { lastMatch } from "./rules.js";

const onText = (on) => [on].flat().map((type) => word("type_", type)).join(", ");

function Messages({ message }) {
  const codes = ["kk", "ru", "en"].filter((code) => message?.[code]);
  if (!codes.length) return html`<${v.Empty}>${t("message_none")}<//>`;
  const quotes = codes.map((code) => html`<blockquote lang=${code}><span class="tag">${code}</span> ${message[code]} <${v.CopyButton}
    text=${message[code]}/></blockquote>`);
  return html`<div class="messages">${quotes}</div>`;
}

function Rule({ rule }) {
  const query = new URLSearchParams({ rule: rule.id });
  const facts = [
    [t("id"), html`<code>${rule.id}</code>`], [t("col_state"), v.stateText(rule)],
    [t("clause"), (rule.clauses || []).join(", ") || "—"], [t("on"), onText(rule.on || [])],
    [t("col_severity"), rule.severity ?? "—"], [t("owner"), rule.owner || "—"],
    [t("col_hits"), numberText(rule.hits)], [t("share_of_traffic"), percent(rule.share)],
    [t("last_match"), lastMatch(rule)], [t("file"), html`<code>${rule.file}</code>`],
  ];
  return html`<div class="page"><${v.Heading} title=${local(rule.title, rule.id)}>${v.modeBadge(rule.mode)}
      ${can("analyst") && rule.files && html`<a href=${`${v.ruleHref(rule.id)}/edit`} data-action="edit">${t("edit")}</a>`}<//>
    <section class="card"><${v.Facts} pairs=${facts}/><h2>${t("col_hours")}</h2>
      <${v.Sparkline} hours=${rule.hits_per_hour} wide/>
      <p class="dots"><a href=${`#/decisions?${query}`}>${t("rule_decisions")}</a>
        <a href=${`#/restrictions?${query}`}>${t("rule_restrictions")}</a></p></section>
    <${v.Section} title=${t("message_title")}><${Messages} message=${rule.message}/><//>
    ${rule.notes && html`<${v.Section} title=${t("notes")}><p class="value">${rule.notes}</p><//>`}
    <${v.Section} title=${t("yaml_title")}><pre class="yaml" tabindex="0">${rule.text || ""}</pre><//></div>`;
}

/** @param {{parts: string[]}} given */
export function Page({ parts: [, id] }) {
  const load = useLoad((signal) => get(`/v1/rules/${segment(id)}`, signal), [id, session.value?.ruleset]);
  return html`<${v.Loaded} title=${id} load=${load}>${(rule) => html`<${Rule} rule=${rule}/>`}<//>`;
}
