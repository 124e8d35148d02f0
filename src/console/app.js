// The console's frame: session, routes, keys, language and theme.
import { api, get, Problem, setToken, token } from "./api.js";
import { decisionPage, decisionsPage } from "./decisions.js";
import { anyDialogOpen, closeButton, openDialog } from "./dialog.js";
import { h, replace } from "./dom.js";
import { dateText, lang, setLang, store, t } from "./i18n.js";
import { restrictionsPage } from "./restrictions.js";
import { rulePage, rulesPage } from "./rules.js";
import { LANGUAGES, TEXTS } from "./texts.js";
import { failure, heading, idText, loading } from "./views.js";
import { walletPage } from "./wallet.js";

const THEMES = ["auto", "light", "dark"];
const ROUTES = [
  [/^\/(?:decisions)?$/, decisionsPage, "decisions"],
  [/^\/decisions\/([^/]+)$/, decisionPage, "decisions"],
  [/^\/wallets\/([^/]+)$/, walletPage, ""],
  [/^\/restrictions$/, restrictionsPage, "restrictions"],
  [/^\/rules$/, rulesPage, "rules"],
  [/^\/rules\/([^/]+)$/, rulePage, "rules"],
];

const main = h("main", { id: "main", tabindex: "-1" });
let leaving = new AbortController();
let search = null;

// The frame.

function themeSelect() {
  const select = h("select", {
    id: "theme", "aria-label": t("theme"), title: t("theme"),
    onchange: () => {
      store(localStorage, "kuzet.theme", select.value === "auto" ? null : select.value);
      if (select.value === "auto") delete document.documentElement.dataset.theme;
      else document.documentElement.dataset.theme = select.value;
      route();
    },
  }, THEMES.map((name) => h("option", { value: name }, t(`theme_${name}`))));
  select.value = document.documentElement.dataset.theme || "auto";
  return select;
}

function languageSwitch() {
  return h("div", { class: "languages", role: "group", "aria-label": t("language") }, LANGUAGES.map((code) =>
    h("button", {
      type: "button", class: "quiet", lang: code, title: TEXTS[code].language_name, "data-lang": code, "aria-pressed": String(lang() === code),
      onclick: () => {
        setLang(code);
        build();
        document.querySelector(`button[data-lang="${code}"]`)?.focus();
      },
    }, code)));
}

function openSearch(event) {
  event.preventDefault();
  const text = search.value.trim();
  if (!text) return;
  const seq = /^#(\d+)$/.exec(text);
  search.value = "";
  search.blur();
  location.hash = seq ? `#/decisions/${seq[1]}` : `#/wallets/${encodeURIComponent(text)}`;
}

function header() {
  const session = api.session;
  search = h("input", { type: "search", id: "search", "aria-label": t("search_label"), placeholder: t("search_placeholder"), autocomplete: "off", spellcheck: "false" });
  const links = ["decisions", "restrictions", "rules"].map((name) => h("a", { href: `#/${name}`, "data-nav": name }, t(`nav_${name}`)));
  const who = session && h("span", { class: "who muted small", "data-session": session.name }, session.auth ? t("signed_in", { name: session.name, roles: session.roles.join(", ") }) : t("no_tokens"));
  const logout = session?.auth && h("button", { type: "button", class: "quiet", "data-action": "logout", onclick: leave }, t("logout"));
  return h("header", { class: "top" },
    h("a", { href: "#/decisions", class: "brand" }, "kuzet"),
    session ? h("nav", { "aria-label": t("nav") }, links) : null,
    session ? h("form", { class: "search", role: "search", onsubmit: openSearch }, search) : null,
    h("div", { class: "tools" }, languageSwitch(), themeSelect(), h("button", { type: "button", class: "quiet keys", title: t("keys_button"), "aria-label": t("keys_button"), onclick: showKeys }, "?"), who, logout));
}

function footer() {
  const session = api.session;
  if (!session) return null;
  const built = session.geo?.country?.built;
  return h("footer", { class: "muted small dots" },
    h("span", {}, t("footer_version", { version: session.version })), h("span", {}, t("ruleset"), " ", h("code", {}, session.ruleset)),
    built ? h("span", {}, t("footer_geo", { date: dateText(built) })) : null,
    session.geo?.anonymizer?.sample ? h("span", { class: "warning", role: "status" }, t("sample_anonymizer")) : null);
}

function build() {
  document.documentElement.lang = lang();
  const skip = h("a", {
    href: "#main", class: "skip",
    onclick: (event) => {
      event.preventDefault();
      main.focus();
    },
  }, t("skip"));
  replace(document.body, skip, header(), main, footer());
  if (api.session) route();
}

// Session.

function leave() {
  setToken(null);
  api.session = null;
  showLogin(false);
}

function showLogin(wrong) {
  leaving.abort();
  leaving = new AbortController();
  api.session = null;
  document.querySelector("dialog[open]")?.close();
  build();
  const field = h("input", { type: "password", id: "token", autocomplete: "off", required: true, spellcheck: "false" });
  const enter = async (event) => {
    event.preventDefault();
    setToken(field.value.trim());
    await start();
  };
  replace(main, h("form", { class: "card login", onsubmit: enter },
    h("h1", {}, t("login_title")), h("p", { class: "muted" }, t("login_text")),
    h("label", { for: "token" }, t("login_token")), field,
    wrong ? h("p", { class: "state error", role: "alert" }, t("login_wrong")) : null,
    h("button", { type: "submit", class: "primary-button" }, t("login_submit"))));
  document.title = `${t("login_title")} · kuzet`;
  field.focus();
}

async function start() {
  build();
  replace(main, loading());
  const offered = Boolean(token());
  try {
    api.session = await get("/v1/session");
    build();
  } catch (error) {
    if (error instanceof Problem && error.status === 401) {
      setToken(null);
      showLogin(offered);
    } else replace(main, failure(error, start));
  }
}

// A token that stops being good in the middle of the work.
api.onUnauthorized = () => {
  if (!api.session) return;
  setToken(null);
  showLogin(true);
};

// Routes.

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function route() {
  if (!api.session) return;
  leaving.abort();
  leaving = new AbortController();
  const [path, query = ""] = (location.hash.replace(/^#/, "") || "/").split(/\?(.*)/s);
  const found = ROUTES.map(([pattern, show, name]) => ({ match: pattern.exec(path), show, name })).find((entry) => entry.match);
  for (const link of document.querySelectorAll("[data-nav]")) {
    if (link.dataset.nav === found?.name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (!found) {
    replace(main, heading(t("not_found_page")));
    document.title = "kuzet";
    return;
  }
  const ids = found.match.slice(1).map(decoded);
  const name = found.name ? t(`nav_${found.name}`) : t("wallet_title");
  document.title = `${[...ids.map(idText), name].join(" · ")} · kuzet`;
  // A fresh element for each visit, so that what a left page still does cannot show.
  const element = h("div", {});
  replace(main, element);
  found.show({ element, signal: leaving.signal, query: new URLSearchParams(query), again: route }, ...ids);
}

// Keys.

const KEYS = [["j", "key_next"], ["k", "key_previous"], ["Enter", "key_open"], ["/", "key_search"], ["p", "key_pause"], ["g d", "key_gd"], ["g r", "key_gr"], ["g u", "key_gu"], ["?", "key_help"]];

function showKeys() {
  openDialog(t("keys_title"), (content, close) => {
    const rows = KEYS.map(([keys, text]) => h("div", {}, h("dt", {}, keys.split(" ").map((key) => [h("kbd", {}, key), " "])), h("dd", {}, t(text))));
    replace(content, h("dl", { class: "keylist" }, rows), h("div", { class: "buttons" }, closeButton(close)));
  });
}

function move(step) {
  const rows = [...main.querySelectorAll("[data-row]")];
  if (!rows.length) return;
  const now = rows.findIndex((row) => row.contains(document.activeElement));
  const next = now < 0 ? (step > 0 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, now + step));
  const link = rows[next].querySelector("a.primary, a");
  link?.focus({ preventScroll: true });
  rows[next].scrollIntoView({ block: "nearest" });
}

/** The latin letter of a key, also on Kazakh and Russian keyboards. */
function letter(event) {
  if (/^[a-z/?]$/i.test(event.key)) return event.key.toLowerCase();
  if (/^Key[A-Z]$/.test(event.code) && !/^[\x20-\x7e]$/.test(event.key)) return event.code.slice(3).toLowerCase();
  if (event.code === "Slash" && /^[.,]$/.test(event.key) && lang() !== "en") return event.shiftKey ? "?" : "/";
  return event.key;
}

let going = 0;
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || anyDialogOpen() || !api.session) return;
  if (event.target.closest?.("input, select, textarea")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const key = letter(event);
  const went = Date.now() - going < 1200;
  going = 0;
  if (went && ["d", "r", "u"].includes(key)) location.hash = { d: "#/decisions", r: "#/restrictions", u: "#/rules" }[key];
  else if (key === "g") going = Date.now();
  else if (key === "j") move(1);
  else if (key === "k") move(-1);
  else if (key === "/") search?.focus();
  else if (key === "?") showKeys();
  else if (key === "p") document.querySelector('[data-key="pause"]')?.click();
  else return;
  event.preventDefault();
});

addEventListener("hashchange", () => {
  document.querySelector("dialog[open]")?.close();
  route();
  main.focus({ preventScroll: true });
  scrollTo(0, 0);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  if (!document.documentElement.dataset.theme) route();
});

start();
