// The page of all rules and the page of one rule.
import { can, explain, get, post, Problem, segment } from "./api.js";
import { h, replace } from "./dom.js";
import { ask } from "./dialog.js";
import { local, numberText, percent, t, time, tn, word } from "./i18n.js";
import * as v from "./views.js";

const lastMatch = (rule) => (rule.last_match ? h("a", { href: v.decisionHref(rule.last_match.seq) }, time(rule.last_match.at, true)) : t("never"));

/** What went wrong with a reload; rule errors keep their carets. */
function reloadFailure(error) {
  const text = error instanceof Problem ? error.body.text : null;
  const listed = error instanceof Problem && !text ? error.body.errors : null;
  const lines = listed?.map((item) => `${item.file || ""}:${item.line ?? ""}:${item.column ?? ""} ${item.code || ""}: ${item.message || ""}`).join("\n");
  const title = error instanceof Problem && error.status === 422 ? t("reload_failed") : explain(error, "analyst");
  return h("div", { class: "state error banner", role: "alert" }, h("strong", {}, title), text || lines ? h("pre", { tabindex: "0" }, text || lines) : null);
}

export async function rulesPage(page) {
  const notice = h("div", { "aria-live": "polite" });
  replace(page.element, v.heading(t("rules_title")), v.loading());

  async function act(button, path, done) {
    button.disabled = true;
    try {
      const result = await post(path);
      replace(notice, h("div", { class: "state success", role: "status" }, done(result)));
      await load();
    } catch (error) {
      replace(notice, reloadFailure(error));
    } finally {
      button.disabled = false;
    }
  }

  function buttons(found) {
    if (!can("analyst")) return null;
    const reload = h("button", {
      type: "button", "data-action": "reload",
      onclick: () => act(reload, "/v1/rules/reload", (result) => t(result.changed ? "reload_done" : "reload_same", { id: result.ruleset })),
    }, t("reload"));
    const rollback = found.previous && h("button", {
      type: "button", class: "quiet", "data-action": "rollback",
      onclick: async () => {
        const agreed = await ask(t("rollback_title"), t("rollback_text", { current: found.ruleset, previous: found.previous }));
        if (agreed) await act(rollback, "/v1/rules/rollback", (result) => t("rollback_done", { id: result.ruleset }));
      },
    }, t("rollback"));
    return [reload, rollback];
  }

  const columns = [
    { title: t("col_rule") }, { title: t("col_mode") }, { title: t("col_state") }, { title: t("col_hours") },
    { title: t("col_hits"), class: "right" }, { title: t("col_share"), class: "right" }, { title: t("col_last"), class: "nowrap" },
  ];

  function render(found) {
    const rows = found.rules.map((rule) => v.row(columns, [
      h("div", {}, h("a", { href: v.ruleHref(rule.id), class: "primary" }, local(rule.title, rule.id)),
        h("div", { class: "muted small dots" }, h("code", {}, rule.id), h("span", {}, v.clausesText(rule.clauses)))),
      v.modeBadge(rule.mode), v.stateText(rule), v.sparkline(rule.hits_per_hour),
      numberText(rule.hits), percent(rule.share), lastMatch(rule),
    ]));
    replace(page.element, h("div", { class: "page" },
      v.heading(t("rules_title"), buttons(found)),
      h("p", { class: "muted lead dots" }, h("span", {}, tn("rules_lead", { n: found.rules.length, time: time(found.loaded_at) })),
        h("span", {}, t("ruleset"), " ", h("code", {}, found.ruleset)), found.previous ? h("span", {}, t("rules_previous", { id: found.previous })) : null),
      v.reloadBanner(found.reload_error), notice,
      rows.length ? v.table(columns, rows, t("rules_title")).element : v.empty(t("rules_empty"))));
  }

  async function load() {
    render(await get("/v1/rules", page.signal));
  }

  try {
    await load();
  } catch (error) {
    if (!page.signal.aborted) replace(page.element, v.heading(t("rules_title")), v.failure(error, page.again));
  }
}

const onText = (on) => [on].flat().map((type) => word("type_", type)).join(", ");

export async function rulePage(page, id) {
  replace(page.element, v.heading(id), v.loading());
  try {
    const rule = await get(`/v1/rules/${segment(id)}`, page.signal);
    const query = new URLSearchParams({ rule: rule.id });
    const messages = ["kk", "ru", "en"].filter((code) => rule.message?.[code]);
    replace(page.element, h("div", { class: "page" },
      v.heading(local(rule.title, rule.id), v.modeBadge(rule.mode)),
      h("section", { class: "card" },
        v.facts([
          [t("id"), h("code", {}, rule.id)], [t("col_state"), v.stateText(rule)], [t("clause"), (rule.clauses || []).join(", ") || "—"],
          [t("on"), onText(rule.on || [])], [t("col_hits"), numberText(rule.hits)], [t("share_of_traffic"), percent(rule.share)],
          [t("last_match"), lastMatch(rule)], [t("file"), h("code", {}, rule.file)],
        ]),
        h("h2", {}, t("col_hours")), v.sparkline(rule.hits_per_hour, true),
        h("p", { class: "dots" }, h("a", { href: `#/decisions?${query}` }, t("rule_decisions")), h("a", { href: `#/restrictions?${query}` }, t("rule_restrictions")))),
      v.section(t("message_title"), messages.length
        ? h("div", { class: "messages" }, messages.map((code) => h("blockquote", { lang: code }, h("span", { class: "tag" }, code), " ", rule.message[code])))
        : v.empty(t("message_none"))),
      v.section(t("yaml_title"), h("pre", { class: "yaml", tabindex: "0" }, rule.text || ""))));
  } catch (error) {
    if (!page.signal.aborted) replace(page.element, v.heading(id), v.failure(error, page.again));
  }
}
