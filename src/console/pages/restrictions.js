// The queue of active restrictions, oldest first.
import { RestrictionButtons } from "../actions.js";
import { can, get, useLoad } from "../api.js";
import { anyDialogOpen } from "../dialog.js";
import { html, useEffect, useRef, useState } from "../html.js";
import { ageText, local, t, time, word } from "../i18n.js";
import * as v from "../parts.js";
import { replaceAddress } from "../router.js";

const PAGE = 100;
const REFRESH_MS = 30000;
const KINDS = ["monitor", "block", "hold"];
const AGES = [["1h", 3600], ["2h", 7200], ["24h", 86400], ["72h", 259200], ["168h", 604800]];
const NAMES = ["kind", "rule", "older_than"];

function columns() {
  return [
    { title: t("col_age"), class: "nowrap" }, { title: t("col_kind") }, { title: t("col_subject"), class: "subject" },
    { title: t("col_rule"), class: "wide" }, { title: t("col_until") }, { title: t("col_waiting"), class: "right" },
    { title: t("col_lifted_by"), class: "middle" }, can("support") && { title: t("col_actions") },
  ].filter(Boolean);
}

function Subject({ restriction }) {
  const { wallet_id: wallet, ip, op_id: operation } = restriction;
  // A block of an address has no wallet.
  return html`<div>${wallet !== null && v.walletLink(wallet, "primary")}
    ${ip && html`<div>${t("ip")} <code>${ip}</code></div>`}
    ${operation && html`<div class="muted small">${t("operation")} ${v.idSpan(operation)}</div>`}</div>`;
}

function RestrictionRow({ restriction, titles, done }) {
  const rule = html`<div>${v.ruleLink(restriction.rule, local(titles?.get(restriction.rule), restriction.rule))}
    <div class="muted small">${v.clausesText(restriction.clauses)}</div></div>`;
  const cells = [
    html`<span>${ageText(restriction.age_seconds)}<div class="muted small">${time(restriction.from, true)}</div></span>`,
    v.restrictionKind(restriction), html`<${Subject} restriction=${restriction}/>`, rule, v.untilText(restriction),
    restriction.waiting ?? "—", v.lifters(restriction.lifted_by),
    can("support") && html`<${RestrictionButtons} restriction=${restriction} done=${done}/>`,
  ];
  const shown = columns();
  return html`<${v.Row} columns=${shown} cells=${cells.slice(0, shown.length)} data-restriction=${restriction.restriction_id}
    data-wallet=${restriction.wallet_id ?? undefined}/>`;
}

function Pager({ offset, shown, total, move }) {
  if (total <= PAGE) return null;
  return html`<div class="more">
    <button type="button" disabled=${offset === 0} onClick=${() => move(Math.max(0, offset - PAGE))}>${t("previous")}</button>
    <button type="button" disabled=${offset + shown >= total} onClick=${() => move(offset + PAGE)}>${t("next")}</button>
    <span class="muted">${t("range", { from: offset + 1, to: offset + shown, total })}</span></div>`;
}

function Filters({ filters, titles, set }) {
  const one = (name) => (value) => set({ [name]: value });
  const rules = [...(titles ?? new Map())].sort(([a], [b]) => a.localeCompare(b)).map(([id, title]) => [id, id, local(title)]);
  const ages = AGES.map(([value, seconds]) => [value, t("older_than", { age: ageText(seconds) })]);
  return html`<form class="filters" aria-label=${t("filters")} onSubmit=${(event) => event.preventDefault()}>
    <${v.Field} name=${t("filter_kind")}><${v.Select} value=${filters.kind} any=${t("any")}
      options=${KINDS.map((kind) => [kind, word("kind_", kind)])} change=${one("kind")}/><//>
    <${v.Field} name=${t("filter_rule")}><${v.Select} value=${filters.rule} any=${t("any")} options=${rules} change=${one("rule")}/><//>
    <${v.Field} name=${t("filter_older")}><${v.Select} value=${filters.older_than} any=${t("older_any")} options=${ages}
      change=${one("older_than")}/><//></form>`;
}

/** Loads again now and then, but not under somebody's hands. */
function useRefresh(again) {
  const place = useRef(null);
  const latest = useRef(again);
  latest.current = again;
  useEffect(() => {
    const timer = setInterval(() => {
      const isUsed = place.current?.contains(document.activeElement) && document.activeElement.tagName === "BUTTON";
      if (!document.hidden && !anyDialogOpen() && !isUsed) latest.current();
    }, REFRESH_MS);
    return () => clearInterval(timer);
  }, []);
  return place;
}

export function Page({ query: given }) {
  const [filters, setFilters] = useState(() => Object.fromEntries(NAMES.map((name) => [name, given.get(name) || ""])));
  const [offset, setOffset] = useState(0);
  const rules = useLoad(async (signal) => {
    const found = await get("/v1/rules", signal);
    return new Map(found.rules.map((rule) => [rule.id, rule.title]));
  }, []);
  const query = new URLSearchParams(Object.entries(filters).filter(([, value]) => value));
  const load = useLoad(async (signal) => {
    const page = new URLSearchParams([...query, ["limit", String(PAGE)], ["offset", String(offset)]]);
    const found = await get(`/v1/restrictions?${page}`, signal);
    if (!found.restrictions.length && offset > 0) setOffset(0);
    return found;
  }, [String(query), offset]);
  const place = useRefresh(load.again);
  const set = (more) => {
    const next = { ...filters, ...more };
    const chosen = new URLSearchParams(Object.entries(next).filter(([, value]) => value));
    replaceAddress(`#/restrictions${chosen.size ? `?${chosen}` : ""}`);
    setOffset(0);
    setFilters(next);
  };
  const found = load.value;
  const rows = found?.restrictions.map((restriction) => html`<${RestrictionRow} key=${restriction.restriction_id}
    restriction=${restriction} titles=${rules.value} done=${load.again}/>`);
  return html`<div class="page">
    <${v.Heading} title=${t("restrictions_title")}><span class="muted">${found && t("total", { n: found.total })}</span>
      <button type="button" onClick=${load.again}>${t("refresh")}</button><//>
    <p class="muted lead">${t("restrictions_lead")}</p>
    <${Filters} filters=${filters} titles=${rules.value} set=${set}/>
    <div ref=${place}>
      ${load.error && html`<${v.Failure} error=${load.error} retry=${load.again}/>`}
      ${!found && !load.error && html`<${v.Loading}/>`}
      ${found && (rows.length ? html`<${v.Table} columns=${columns()} name=${t("restrictions_title")}>${rows}<//>
        <${Pager} offset=${offset} shown=${rows.length} total=${found.total} move=${setOffset}/>`
    : html`<${v.Empty}>${t("queue_empty")}<//>`)}</div></div>`;
}
