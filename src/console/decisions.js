// The page of live decisions and the page of one decision.
import { each, follow, get, segment } from "./api.js";
import { h, replace } from "./dom.js";
import { credit, evidenceValue, isMoney, lang, local, money, t, time, word } from "./i18n.js";
import * as v from "./views.js";

const FIRST = 200;
const KEPT = 500;
const FLUSH_MS = 150;
const AMOUNTS_MS = 1000;
const AMOUNTS_AT_ONCE = 5;

/** Live decisions; `page` gives the element, the signal of leaving and the query. */
export async function decisionsPage(page) {
  const filters = { verdict: page.query.get("verdict") || "", type: page.query.get("type") || "", rule: page.query.get("rule") || "", wallet: page.query.get("wallet") || "" };
  const state = { items: [], incoming: [], cap: KEPT, paused: false, live: ["connecting"], ended: false };
  const columns = v.decisionColumns();
  let titles = new Map();

  const status = h("span", { class: "stream", role: "status" });
  const pause = h("button", { type: "button", "data-key": "pause", onclick: () => setPaused(!state.paused) });
  const count = h("span", { class: "muted small" });
  const earlier = h("button", { type: "button", onclick: loadEarlier }, t("earlier"));
  const note = h("div", {});
  const rules = h("select", { onchange: (event) => setFilter("rule", event.target.value) });
  const table = v.table(columns, [], t("decisions_title"));
  const body = h("div", { class: "page" },
    v.heading(t("decisions_title"), status, pause),
    h("p", { class: "muted lead" }, t("decisions_lead")),
    h("form", { class: "filters", "aria-label": t("filters"), onsubmit: (event) => event.preventDefault() },
      field(t("filter_verdict"), choice("verdict", v.VERDICTS, "verdict_")),
      field(t("filter_type"), choice("type", v.TYPES, "type_")),
      field(t("filter_rule"), rules),
      field(t("filter_wallet"), h("input", { type: "search", value: filters.wallet, autocomplete: "off", spellcheck: "false", oninput: (event) => setFilter("wallet", event.target.value.trim()) })),
      h("button", { type: "button", class: "quiet", onclick: clear }, t("filter_clear"))),
    table.element, note, h("div", { class: "more" }, earlier, count));
  replace(page.element, v.heading(t("decisions_title")), v.loading());
  fillRules();

  function field(name, control) {
    return h("label", {}, h("span", {}, name), control);
  }

  function choice(name, values, prefix) {
    const options = values.map((value) => h("option", { value }, word(prefix, value)));
    const select = h("select", { onchange: (event) => setFilter(name, event.target.value) }, h("option", { value: "" }, t("any")), options);
    select.value = filters[name];
    return select;
  }

  function fillRules() {
    const known = new Set([...titles.keys(), ...state.items.flatMap((item) => [...item.matches, ...item.commands].map(({ rule }) => rule))]);
    if (filters.rule) known.add(filters.rule);
    replace(rules, h("option", { value: "" }, t("any")), [...known].sort().map((id) => h("option", { value: id, title: local(titles.get(id)) }, id)));
    rules.value = filters.rule;
  }

  function setFilter(name, value) {
    filters[name] = value;
    const query = new URLSearchParams(Object.entries(filters).filter(([, chosen]) => chosen));
    history.replaceState(null, "", `#/decisions${query.size ? `?${query}` : ""}`);
    renderAll();
  }

  function clear() {
    for (const control of body.querySelectorAll(".filters select, .filters input")) control.value = "";
    Object.assign(filters, { verdict: "", type: "", rule: "" });
    setFilter("wallet", "");
  }

  function fits(item) {
    return (!filters.verdict || item.verdict === filters.verdict) && (!filters.type || item.type === filters.type)
      && (!filters.wallet || item.wallet_id.includes(filters.wallet))
      && (!filters.rule || [...item.matches, ...item.commands].some(({ rule }) => rule === filters.rule));
  }

  const rowOf = (item) => v.decisionRow(columns, item, { titles });

  function renderAll() {
    replace(table.body, state.items.filter(fits).map(rowOf));
    renderNotes();
  }

  function renderNotes() {
    const shown = table.body.children.length;
    table.element.hidden = shown === 0;
    replace(note, shown ? null : v.empty(t(state.items.length ? "decisions_none_match" : "decisions_empty")));
    count.textContent = state.items.length ? t("shown", { n: shown, total: state.items.length }) : "";
    earlier.hidden = state.ended || !state.items.length;
    credit(body);
    lookSoon();
  }

  // The stream has no amounts: those of the rows on the screen are asked for, at most once a second.
  let looks = 0;
  async function lookSoon() {
    looks += 1;
    if (looks > 1) return;
    for (let seen = 0; seen < looks && !page.signal.aborted;) {
      seen = looks;
      await new Promise((resolve) => setTimeout(resolve, AMOUNTS_MS));
      await fillAmounts();
    }
    looks = 0;
  }

  async function fillAmounts() {
    const places = [...table.body.querySelectorAll('[data-amount="unknown"]')].filter((place) => {
      const { top, bottom } = place.closest("tr").getBoundingClientRect();
      return bottom > 0 && top < innerHeight;
    });
    await each(places, AMOUNTS_AT_ONCE, async (place) => {
      const seq = Number(place.closest("tr")?.dataset.seq);
      const item = state.items.find((one) => one.seq === seq);
      if (!item || page.signal.aborted) return;
      place.dataset.amount = "asked";
      try {
        if (v.MOVES.includes(item.type)) ({ operation: item.operation } = await get(`/v1/operations/${seq}`, page.signal));
      } catch {
        // One that is no longer kept has no amount to show.
      }
      const amount = v.amountOf(item);
      if (amount !== null) replace(place, money(amount));
    });
  }
  addEventListener("scroll", lookSoon, { signal: page.signal });

  function renderState() {
    const [name, seconds] = state.paused ? ["paused"] : state.live;
    status.className = `stream stream-${name}`;
    status.dataset.state = name;
    status.textContent = t(`stream_${name}`, { seconds });
    const waiting = state.paused && state.incoming.length;
    pause.textContent = waiting ? t("resume_n", { n: state.incoming.length }) : t(state.paused ? "resume" : "pause");
  }

  function setPaused(paused) {
    state.paused = paused;
    if (!paused) flush();
    renderState();
  }

  let timer = null;
  function arrived(item) {
    state.incoming.push(item);
    // The newest are kept when more come than anybody can look at.
    if (state.incoming.length > state.cap * 2) state.incoming.splice(0, state.incoming.length - state.cap);
    timer ??= setTimeout(() => {
      timer = null;
      if (state.paused) renderState();
      else flush();
    }, FLUSH_MS);
  }

  function flush() {
    const newest = state.items[0]?.seq ?? -1;
    const fresh = state.incoming.filter((item) => item.seq > newest).sort((a, b) => b.seq - a.seq);
    state.incoming = [];
    if (!fresh.length) return;
    state.items = [...fresh, ...state.items].slice(0, state.cap);
    const rows = fresh.slice(0, state.cap).filter(fits).map(rowOf);
    for (const row of rows) row.classList.add("fresh");
    table.body.prepend(...rows);
    const oldest = state.items.at(-1).seq;
    while (table.body.lastElementChild && Number(table.body.lastElementChild.dataset.seq) < oldest) table.body.lastElementChild.remove();
    renderNotes();
  }

  async function loadEarlier() {
    earlier.disabled = true;
    try {
      const oldest = state.items.at(-1).seq;
      const found = await get(`/v1/decisions?after=${Math.max(0, oldest - FIRST - 1)}&limit=${FIRST}`, page.signal);
      const older = found.decisions.filter((item) => item.seq < oldest).sort((a, b) => b.seq - a.seq);
      state.ended = older.length === 0;
      state.cap += older.length;
      state.items.push(...older);
      table.body.append(...older.filter(fits).map(rowOf));
      renderNotes();
      if (state.ended) count.textContent += ` · ${t("no_earlier")}`;
    } catch (error) {
      if (!page.signal.aborted) replace(note, v.failure(error, loadEarlier));
    } finally {
      earlier.disabled = false;
    }
  }

  try {
    const first = await get(`/v1/decisions?after=-${FIRST}&limit=${FIRST}`, page.signal);
    state.items = [...first.decisions].sort((a, b) => b.seq - a.seq);
    replace(page.element, body);
    renderState();
    renderAll();
    fillRules();
    get("/v1/rules", page.signal).then((found) => {
      titles = new Map(found.rules.map((rule) => [rule.id, rule.title]));
      fillRules();
    }).catch(() => {}); // Without titles the rules show by their ids.
    follow(state.items[0]?.seq ?? first.next ?? 0, {
      signal: page.signal,
      decision: arrived,
      state: (...live) => {
        state.live = live;
        renderState();
      },
      failed: (error) => {
        state.live = ["stopped"];
        renderState();
        replace(note, v.failure(error, page.again));
      },
    });
  } catch (error) {
    if (!page.signal.aborted) replace(page.element, v.heading(t("decisions_title")), v.failure(error, page.again));
  }
}

// One decision.

const FIELDS = ["type", "client_status", "amount", "currency", "counterparty.kind", "counterparty.wallet_id", "counterparty.account", "counterparty.phone", "ip", "country", "ip.country", "device_id", "outcome", "ref_op_id", "proof", "order", "actor", "source"];
const SHOWN_ABOVE = new Set(["op_id", "wallet_id", "occurred_at"]);

function flat(object, prefix = "") {
  return Object.entries(object || {}).flatMap(([name, value]) =>
    (value !== null && typeof value === "object" && !Array.isArray(value) ? flat(value, `${prefix}${name}.`) : [[prefix + name, value]]));
}

function operationValue(name, value) {
  if (name === "amount") return isMoney(v.normalMoney(value)) ? money(v.normalMoney(value)) : String(value);
  if (name === "type") return word("type_", value);
  if (name === "proof") return word("by_", value);
  if (name === "source") return word("source_", value);
  if (name === "counterparty.wallet_id") return v.walletLink(value);
  if (["client_status", "outcome", "order", "counterparty.kind"].includes(name)) return word("w_", value);
  if (/country/.test(name)) return evidenceValue(name, value);
  return h("span", { class: "value", dir: "auto" }, typeof value === "string" ? value : JSON.stringify(value));
}

/** What an operation says, as names and values; known fields first. */
function operationFacts(operation) {
  const rank = (name) => (FIELDS.includes(name) ? FIELDS.indexOf(name) : FIELDS.length);
  const found = flat(operation).filter(([name, value]) => value !== null && !SHOWN_ABOVE.has(name)).sort((a, b) => rank(a[0]) - rank(b[0]));
  return v.facts(found.map(([name, value]) => {
    const label = name === "ip.country" ? t("f_country") : word("f_", name.replaceAll(".", "_"));
    return [label.startsWith("f_") ? h("code", {}, name) : label, operationValue(name, value)];
  }));
}

const HOLDS = { true: ["✓", "holds_yes", "yes"], false: ["✗", "holds_no", "no"], null: ["?", "holds_unknown", "unknown"] };

function conditionTable(rule) {
  const columns = [{ title: t("holds_yes"), class: "icon" }, { title: t("condition"), class: "wide" }, { title: t("values") }, { title: t("needed"), class: "wide" }];
  const rows = rule.conditions.map((condition) => {
    const [sign, key, name] = HOLDS[String(condition.holds ?? null)] || HOLDS.null;
    return v.row(columns, [
      h("span", { class: `sign sign-${name}`, title: t(key), role: "img", "aria-label": t(key) }, sign),
      h("code", {}, condition.text),
      v.evidenceList(condition.values) || "—",
      condition.needed ? h("code", { class: "needed" }, condition.needed) : t("needed_none"),
    ]);
  });
  for (const row of rows) row.removeAttribute("data-row");
  return v.table(columns, rows, t("condition")).element;
}

/** What a match was made of: by the conditions of then, where the service still has them, or by those in use. */
function whyCard(rule) {
  const isGone = rule.is_in_use === false;
  const head = h("div", { class: "rulehead" },
    h("h3", {}, isGone ? rule.rule : v.ruleLink(rule.rule, local(rule.title, rule.rule))),
    h("span", { class: "muted small dots" }, h("code", {}, rule.rule), h("span", {}, v.clausesText(rule.clauses)), v.modeBadge(rule.mode)));
  const source = rule.when?.trim();
  const changed = rule.is_current === false && h("p", { class: "muted small", "data-note": "changed" }, t(isGone ? "rule_gone" : rule.is_of_then ? "rule_changed_then" : "rule_changed"));
  const message = local(rule.message);
  return h("article", { class: "why" }, head, changed,
    message ? h("p", { class: "message", "data-note": "message" }, h("strong", {}, t("message_title"), ": "), h("span", { lang: lang() }, message)) : null,
    rule.conditions?.length ? conditionTable(rule) : h("p", { class: "muted" }, source || isGone ? "" : t("no_condition")),
    rule.conditions?.length ? null : v.evidenceList(rule.evidence),
    source ? h("details", {}, h("summary", {}, t("rule_text")), h("pre", { tabindex: "0" }, source)) : null);
}

/** What later decisions did to this one's operation and restrictions, and by whom. */
function laterList(decision) {
  const later = decision.later || [];
  const item = (step) => h("li", { "data-later": step.seq },
    h("p", { class: "dots" }, h("a", { href: v.decisionHref(step.seq) }, time(step.at)), h("span", {}, word("type_", step.type)),
      step.actor ? h("span", {}, t("later_by", { name: step.actor })) : null, step.proof ? h("span", {}, word("by_", step.proof)) : null),
    v.commandList(step.commands));
  return later.length ? h("ul", { class: "later" }, later.map(item)) : null;
}

/** The commands as they stand now: one that asked for a wait which has ended says so. */
function commandsNow(decision) {
  const ended = (decision.later || []).flatMap((step) => step.commands.map((command) => ({ ...command, at: step.at })));
  const end = ended.find((command) => ["release", "cancel"].includes(command.command));
  return v.commandList((decision.commands || []).map((command) => {
    if (command.command === "hold" && end) return { ...command, ended: end };
    const lift = command.restriction_id && ended.find((later) => later.command === "lift" && later.restriction_id === command.restriction_id);
    return lift ? { ...command, ended: lift } : command;
  }));
}

export async function decisionPage(page, seq) {
  const title = t("decision_title", { seq });
  replace(page.element, v.heading(title), v.loading());
  try {
    const decision = await get(`/v1/decisions/${segment(seq)}`, page.signal);
    const why = decision.why?.length ? decision.why : decision.matches || [];
    const amount = v.amountOf(decision);
    const body = h("div", { class: "page" },
      v.heading(title, v.verdictBadge(decision.verdict)),
      h("section", { class: "card" },
        h("p", { class: "summary" }, word("type_", decision.type), amount === null ? null : [" · ", money(amount)], " · ", t("wallet"), " ", v.walletLink(decision.wallet_id)),
        v.facts([
          [t("occurred_at"), [time(decision.occurred_at), decision.late ? h("span", { class: "tag" }, t("late")) : null]],
          decision.arrived_at && [t("arrived_at"), time(decision.arrived_at)],
          [t("op_id"), v.idSpan(decision.op_id)],
          [t("decision_id"), h("span", { class: "id" }, decision.decision_id)],
          [t("ruleset"), h("span", { class: "id" }, decision.ruleset)],
        ]),
        decision.degraded?.length ? h("p", { class: "warning" }, t("degraded", { inputs: decision.degraded.join(", ") })) : null),
      v.section(t("why_title"), why.length ? why.map(whyCard) : v.empty(t(decision.verdict === "allow" ? "why_none" : "why_restricted"))),
      v.section(t("commands_title"), commandsNow(decision) || v.empty(t("commands_none"))),
      laterList(decision) ? v.section(t("later_title"), laterList(decision)) : null,
      decision.waits ? h("p", { class: "warning", "data-note": "waits" }, t("waits_now")) : null,
      v.section(t("operation"), decision.operation ? operationFacts(decision.operation) : v.empty(t("operation_gone"))),
      v.json(decision));
    credit(body);
    replace(page.element, body);
  } catch (error) {
    if (!page.signal.aborted) replace(page.element, v.heading(title), v.failure(error, page.again));
  }
}
