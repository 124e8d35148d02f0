// The page of decisions: all of history by filters, newest first, and what comes meanwhile.
import { get, useLoad } from "../api.js";
import { DecisionList } from "../decision-list.js";
import { chosen, COLUMN_NAMES, columnsOf, columnText, DecisionRow, titles, toggleColumn } from "../decision-table.js";
import { ExportMenu } from "../export.js";
import { filtersOf } from "../filter.js";
import { html, useEffect, useMemo, useRef, useState } from "../html.js";
import { fieldOfTime, local, numberText, t, timeOfField, word } from "../i18n.js";
import { live } from "../live.js";
import { decisionsHref, Empty, Failure, Field, Heading, Loading, Select, Table, TYPES, VERDICTS } from "../parts.js";
import { replaceAddress, route } from "../router.js";

const PERIODS = [["1h", 3600], ["24h", 86400], ["7d", 604800], ["30d", 2592000]];
/** A filter that is typed takes effect so long after the last key. */
const TYPED = 400;

/** Asks for the titles of rules, which those who may not read rules do without. */
function useTitles() {
  useLoad(async (signal) => {
    const { rules } = await get("/v1/rules", signal);
    titles.value = new Map(rules.map((rule) => [rule.id, rule.title]));
  }, []);
}

/** A field whose text takes effect a moment after it was typed. */
function Typed({ value, change, ...attributes }) {
  const [text, setText] = useState(value ?? "");
  const timer = useRef(null);
  useEffect(() => setText(value ?? ""), [value]);
  const type = (event) => {
    const typed = event.currentTarget.value;
    setText(typed);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => change(typed.trim()), TYPED);
  };
  return html`<input autocomplete="off" spellcheck=${false} ...${attributes} value=${text} onInput=${type}/>`;
}

function Period({ filters, set }) {
  const choose = (event) => {
    const seconds = Number(event.currentTarget.value);
    const from = seconds ? new Date(Date.now() - seconds * 1000).toISOString().replace(/\.\d+/, "") : "";
    set({ from, to: "" });
  };
  const given = filters.from || filters.to ? "given" : "";
  const items = PERIODS.map(([name, seconds]) => html`<option value=${seconds}>${t(`period_${name}`)}</option>`);
  const field = (name) => html`<${Field} name=${t(`filter_${name}`, { zone: t("zone") })}>
    <input type="datetime-local" value=${fieldOfTime(filters[name])}
      onChange=${(event) => set({ [name]: timeOfField(event.currentTarget.value) })}/><//>`;
  return html`<${Field} name=${t("filter_period")}><select value=${given} onChange=${choose}>
      <option value="">${t("period_all")}</option>
      ${given && html`<option value="given">${t("period_given")}</option>`}${items}</select><//>
    ${given && [field("from"), field("to")]}`;
}

/** What is looked for by an exact value that has no field of its own. */
function Exact({ filters, set }) {
  const names = ["op_id", "decision_id", "ip", "device", "counterparty", "restriction_id"].filter((name) => filters[name]);
  return names.map((name) => html`<span class="chip">${word("exact_", name)} <code>${filters[name]}</code>
    <button type="button" class="quiet" aria-label=${t("filter_without", { name: word("exact_", name) })}
      onClick=${() => set({ [name]: "" })}>×</button></span>`);
}

function Filters({ filters, set }) {
  const rules = [...titles.value].sort(([a], [b]) => a.localeCompare(b)).map(([id, title]) => [id, id, local(title)]);
  const one = (name) => (value) => set({ [name]: value });
  const named = (names, prefix) => names.map((name) => [name, word(prefix, name)]);
  const amount = (name) => html`<${Field} name=${t(`filter_${name}`)} class="short">
    <${Typed} inputmode="decimal" pattern="[0-9]{1,11}([.][0-9]{1,2})?" value=${filters[name]} change=${one(name)}/><//>`;
  const clear = () => set(Object.fromEntries(Object.keys(filters).map((name) => [name, ""])));
  return html`<form class="filters" aria-label=${t("filters")} onSubmit=${(event) => event.preventDefault()}>
    <${Field} name=${t("filter_verdict")}><${Select} value=${filters.verdict} any=${t("any")}
      options=${named(VERDICTS, "verdict_")} change=${one("verdict")}/><//>
    <${Field} name=${t("filter_type")}><${Select} value=${filters.type} any=${t("any")}
      options=${named(TYPES, "type_")} change=${one("type")}/><//>
    <${Field} name=${t("filter_rule")}><${Select} value=${filters.rule} any=${t("any")} options=${rules} change=${one("rule")}/><//>
    <${Field} name=${t("filter_wallet")}><${Typed} type="search" value=${filters.wallet} change=${one("wallet")}/><//>
    ${amount("amount_min")}${amount("amount_max")}
    <${Period} filters=${filters} set=${set}/><${Exact} filters=${filters} set=${set}/>
    <button type="button" class="quiet" onClick=${clear}>${t("filter_clear")}</button></form>`;
}

function ColumnMenu() {
  const items = COLUMN_NAMES.map((name) => html`<label class="radio"><input type="checkbox" checked=${chosen.value.includes(name)}
    disabled=${name === "time"} onChange=${() => toggleColumn(name)}/><span>${columnText(name)}</span></label>`);
  return html`<details class="menu" data-menu="columns"><summary>${t("columns")}</summary><div>${items}</div></details>`;
}

function StreamState({ list }) {
  const { name, seconds } = live.value;
  return html`<span class=${`stream stream-${name}`} role="status" data-state=${name}
    data-rows=${list.isFollowing.value ? "following" : "still"}>${t(`stream_${name}`, { seconds })}</span>`;
}

/** Asks for older decisions whenever the end of the list comes near. */
function End({ list }) {
  const element = useRef(null);
  useEffect(() => {
    const seen = (entries) => entries[0].isIntersecting && list.older.peek() === "idle" && list.loadOlder();
    const observer = new IntersectionObserver(seen, { rootMargin: "600px" });
    observer.observe(element.current);
    return () => observer.disconnect();
  }, [list, list.items.value.length]);
  const state = list.older.value;
  const shown = list.items.value.length;
  const words = {
    idle: "", busy: t("loading"), ended: shown ? t("no_earlier") : "",
    far: html`${t("looked_far")} <button type="button" onClick=${() => list.loadOlder()}>${t("look_on")}</button>`,
  };
  return html`<div class="more" ref=${element} data-older=${state}>
    ${shown ? html`<span class="muted small" data-count=${shown}>${t("shown", { n: numberText(shown) })}</span>` : null}
    <span class="muted small">${words[state]}</span></div>`;
}

function Rows({ list }) {
  const names = chosen.value;
  const items = list.items.value;
  if (!items.length) {
    if (list.error.value || !["ended", "far"].includes(list.older.value)) return null;
    const isFiltered = Object.keys(list.filters).length > 0;
    return list.older.value === "ended" && html`<${Empty}>${t(isFiltered ? "decisions_none_match" : "decisions_empty")}<//>`;
  }
  const rows = items.map((item) => html`<${DecisionRow} key=${item.seq} item=${item} names=${names}/>`);
  return html`<${Table} columns=${columnsOf(names)} name=${t("decisions_title")}>${rows}<//>`;
}

/** The list of a visit: coming back to it shows what showed. */
function useList(filters) {
  const key = JSON.stringify(filters);
  const place = route.value.place;
  const list = useMemo(() => {
    const kept = place.kept?.key === key ? place.kept.list : new DecisionList(filters);
    place.kept = { key, list: kept };
    return kept;
  }, [key, place]);
  useEffect(() => {
    list.open();
    return () => list.close();
  }, [list]);
  return list;
}

export function Page({ query }) {
  const [filters, setFilters] = useState(() => filtersOf(query));
  const list = useList(filters);
  useTitles();
  const set = (more) => {
    const next = Object.fromEntries(Object.entries({ ...filters, ...more }).filter(([, value]) => value));
    replaceAddress(decisionsHref(next));
    setFilters(next);
  };
  const { error: stopped } = live.value;
  const failure = list.error.value ?? stopped;
  const isWaiting = list.fresh.value > 0;
  const showFresh = () => {
    list.showFresh();
    scrollTo(0, 0);
  };
  const following = list.isFollowing.value;
  return html`<div class="page">
    <${Heading} title=${t("decisions_title")}><${StreamState} list=${list}/>
      <button type="button" data-key="follow" aria-pressed=${String(following)} onClick=${() => list.follow(!following)}>
        ${t(following ? "hold_still" : "follow")}</button>
      <span class="menus"><${ColumnMenu}/><${ExportMenu} filters=${filters}/></span><//>
    <${Filters} filters=${filters} set=${set}/>
    ${failure && html`<${Failure} error=${failure} retry=${() => list.retry()}/>`}
    <div class="fresh-bar" aria-live="polite">${isWaiting && html`<button type="button" class="primary-button" data-key="fresh"
      onClick=${showFresh}>${t("fresh_n", { n: numberText(list.fresh.value) })}</button>`}</div>
    ${list.isOpen.value ? html`<${Rows} list=${list}/>` : !failure && html`<${Loading}/>`}
    <${End} list=${list}/></div>`;
}
