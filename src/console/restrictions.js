// The queue of active restrictions, oldest first.
import { can, get } from "./api.js";
import { restrictionButtons } from "./actions.js";
import { anyDialogOpen } from "./dialog.js";
import { h, replace } from "./dom.js";
import { ageText, local, t, time, word } from "./i18n.js";
import * as v from "./views.js";

const PAGE = 100;
const REFRESH_MS = 30000;
const KINDS = ["monitor", "block", "hold"];
const AGES = [["1h", 3600], ["2h", 7200], ["24h", 86400], ["72h", 259200], ["168h", 604800]];

export async function restrictionsPage(page) {
  const filters = { kind: page.query.get("kind") || "", rule: page.query.get("rule") || "", older_than: page.query.get("older_than") || "" };
  let offset = 0;
  let titles = new Map();

  const columns = [
    { title: t("col_age"), class: "nowrap" }, { title: t("col_kind") }, { title: t("col_subject"), class: "subject" }, { title: t("col_rule"), class: "wide" },
    { title: t("col_until") }, { title: t("col_waiting"), class: "right" }, { title: t("col_lifted_by"), class: "middle" }, can("support") && { title: t("col_actions") },
  ].filter(Boolean);

  const rules = select("rule", []);
  const place = h("div", { "aria-live": "off" });
  const count = h("span", { class: "muted" });
  const body = h("div", { class: "page" },
    v.heading(t("restrictions_title"), count, h("button", { type: "button", onclick: () => load() }, t("refresh"))),
    h("p", { class: "muted lead" }, t("restrictions_lead")),
    h("form", { class: "filters", "aria-label": t("filters"), onsubmit: (event) => event.preventDefault() },
      field(t("filter_kind"), select("kind", KINDS.map((kind) => [kind, word("kind_", kind)]))),
      field(t("filter_rule"), rules),
      field(t("filter_older"), select("older_than", AGES.map(([value, seconds]) => [value, t("older_than", { age: ageText(seconds) })]), t("older_any")))),
    place);

  function field(name, control) {
    return h("label", {}, h("span", {}, name), control);
  }

  function select(name, options, any = t("any")) {
    const element = h("select", {
      onchange: () => {
        filters[name] = element.value;
        offset = 0;
        history.replaceState(null, "", `#/restrictions${query().size ? `?${query()}` : ""}`);
        load();
      },
    }, h("option", { value: "" }, any), options.map(([value, text]) => h("option", { value }, text)));
    if (filters[name] && !options.some(([value]) => value === filters[name])) element.append(h("option", { value: filters[name] }, filters[name]));
    element.value = filters[name];
    return element;
  }

  const query = () => new URLSearchParams(Object.entries(filters).filter(([, value]) => value));

  function subject(restriction) {
    // A block of an address has no wallet.
    const wallet = restriction.wallet_id === null ? null : v.walletLink(restriction.wallet_id, "primary");
    const ip = restriction.ip && h("div", {}, t("ip"), " ", h("code", {}, restriction.ip));
    const operation = restriction.op_id && h("div", { class: "muted small" }, t("operation"), " ", v.idSpan(restriction.op_id));
    return h("div", {}, wallet, ip, operation);
  }

  function rowOf(restriction) {
    const age = h("span", {}, ageText(restriction.age_seconds), h("div", { class: "muted small" }, time(restriction.from, true)));
    const rule = h("div", {}, v.ruleLink(restriction.rule, local(titles.get(restriction.rule), restriction.rule)), h("div", { class: "muted small" }, v.clausesText(restriction.clauses)));
    const cells = [age, v.restrictionKind(restriction), subject(restriction), rule, v.untilText(restriction), restriction.waiting ?? "—", v.lifters(restriction.lifted_by)];
    if (can("support")) cells.push(restrictionButtons(restriction, () => load()));
    return v.row(columns, cells, { "data-restriction": restriction.restriction_id, "data-wallet": restriction.wallet_id });
  }

  function pager(total, shown) {
    if (total <= PAGE) return null;
    const step = (to) => () => {
      offset = to;
      load();
    };
    return h("div", { class: "more" },
      h("button", { type: "button", disabled: offset === 0, onclick: step(Math.max(0, offset - PAGE)) }, t("previous")),
      h("button", { type: "button", disabled: offset + shown >= total, onclick: step(offset + PAGE) }, t("next")),
      h("span", { class: "muted" }, t("range", { from: offset + 1, to: offset + shown, total })));
  }

  async function load() {
    try {
      const wanted = query();
      wanted.set("limit", PAGE);
      wanted.set("offset", offset);
      const found = await get(`/v1/restrictions?${wanted}`, page.signal);
      if (!found.restrictions.length && offset > 0) {
        offset = 0;
        await load();
        return;
      }
      const focused = document.activeElement?.closest?.("tr[data-restriction]")?.dataset.restriction;
      count.textContent = t("total", { n: found.total });
      replace(place, found.restrictions.length
        ? [v.table(columns, found.restrictions.map(rowOf), t("restrictions_title")).element, pager(found.total, found.restrictions.length)]
        : v.empty(t("queue_empty")));
      if (focused) place.querySelector(`tr[data-restriction="${CSS.escape(focused)}"] a`)?.focus({ preventScroll: true });
    } catch (error) {
      if (!page.signal.aborted) replace(place, v.failure(error, () => load()));
    }
  }

  replace(page.element, body);
  replace(place, v.loading());
  try {
    const found = await get("/v1/rules", page.signal);
    titles = new Map(found.rules.map((rule) => [rule.id, rule.title]));
    const known = new Set([...titles.keys(), ...(filters.rule ? [filters.rule] : [])]);
    replace(rules, h("option", { value: "" }, t("any")), [...known].sort().map((id) => h("option", { value: id, title: local(titles.get(id)) }, id)));
    rules.value = filters.rule;
  } catch {
    // Without titles the rules show by their ids.
  }
  await load();
  const timer = setInterval(() => {
    const used = place.contains(document.activeElement) && document.activeElement.tagName === "BUTTON";
    if (!document.hidden && !anyDialogOpen() && !used) load();
  }, REFRESH_MS);
  page.signal.addEventListener("abort", () => clearInterval(timer));
}
