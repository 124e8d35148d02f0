// The console's frame: session, pages, language and theme.
import { dropSession, get, Problem, refused, session, setToken, token } from "./api.js";
import { closeDialog, Dialogs } from "./dialog.js";
import { effect, html, render, signal, useEffect, useLayoutEffect, useRef } from "./html.js";
import { chooseLanguage, dateText, lang, LANGUAGE_NAMES, LANGUAGES, loadLanguage, t } from "./i18n.js";
import { showKeys, startKeys } from "./keys.js";
import { startLive } from "./live.js";
import { News, startNews } from "./news.js";
import { Failure, Heading, idText, Loading, ReloadBanner } from "./parts.js";
import { followAddress, go, route } from "./router.js";
import { chooseTheme, theme, THEMES } from "./theming.js";

/**
 * Each page: its addresses, what loads it, and its name in the frame.
 * @type {[RegExp, () => Promise<{Page: (given: {parts: string[], query: URLSearchParams}) => any}>, string][]}
 */
const PAGES = [
  [/^\/(?:decisions)?$/, () => import("./pages/decisions.js"), "decisions"],
  [/^\/decisions\/[^/]+$/, () => import("./pages/decision.js"), "decisions"],
  [/^\/wallets\/[^/]+$/, () => import("./pages/wallet.js"), ""],
  [/^\/restrictions$/, () => import("./pages/restrictions.js"), "restrictions"],
  [/^\/rules$/, () => import("./pages/rules.js"), "rules"],
  [/^\/rules\/[^/]+$/, () => import("./pages/rule.js"), "rules"],
  [/^\/rules\/[^/]+\/(?:edit|new)$/, () => import("./pages/editor.js"), "rules"],
  [/^\/backtests(?:\/[^/]+)?$/, () => import("./pages/backtest.js"), "rules"],
  [/^\/health$/, () => import("./pages/health.js"), "health"],
  [/^\/search$/, () => import("./pages/search.js"), "search"],
];
const LINKS = ["decisions", "restrictions", "rules", "health"];

/** Nobody is logged in, and a token is wanted. */
const wantsToken = signal(false);
/** Why the session could not be asked for. */
const failed = signal(null);

// The frame.

function ThemeSelect() {
  const options = THEMES.map((name) => html`<option value=${name}>${t(`theme_${name}`)}</option>`);
  return html`<select id="theme" aria-label=${t("theme")} title=${t("theme")} value=${theme.value.name}
    onChange=${(event) => chooseTheme(event.currentTarget.value)}>${options}</select>`;
}

function Languages() {
  const buttons = LANGUAGES.map((code) => html`<button type="button" class="quiet" lang=${code} title=${LANGUAGE_NAMES[code]}
    data-lang=${code} aria-pressed=${String(lang() === code)} onClick=${() => chooseLanguage(code)}>${code}</button>`);
  return html`<div class="languages" role="group" aria-label=${t("language")}>${buttons}</div>`;
}

function SearchBox() {
  const field = useRef(null);
  const submit = (event) => {
    event.preventDefault();
    const text = field.current.value.trim();
    if (!text) return;
    field.current.value = "";
    field.current.blur();
    go(`#/search?${new URLSearchParams({ q: text })}`);
  };
  return html`<form class="search" role="search" onSubmit=${submit}><input type="search" id="search" ref=${field}
    aria-label=${t("search_label")} placeholder=${t("search_placeholder")} autocomplete="off" spellcheck=${false}/></form>`;
}

function logOut() {
  dropSession();
  refused.value = false;
  wantsToken.value = true;
}

function Header({ current }) {
  const { name, roles, auth } = session.value ?? {};
  const links = LINKS.map((link) => html`<a href=${`#/${link}`} data-nav=${link}
    aria-current=${link === current ? "page" : undefined}>${t(`nav_${link}`)}</a>`);
  const who = auth ? t("signed_in", { name, roles: roles.join(", ") }) : t("no_tokens");
  return html`<header class="top"><a href="#/decisions" class="brand">kuzet</a>
    ${session.value && html`<nav aria-label=${t("nav")}>${links}</nav><${SearchBox}/>`}
    <div class="tools"><${Languages}/><${ThemeSelect}/>
      <button type="button" class="quiet keys" title=${t("keys_button")} aria-label=${t("keys_button")} onClick=${showKeys}>?</button>
      ${session.value && html`<span class="who muted small" data-session=${name}>${who}</span>`}
      ${auth && html`<button type="button" class="quiet" data-action="logout" onClick=${logOut}>${t("logout")}</button>`}</div></header>`;
}

function Footer() {
  if (!session.value) return null;
  const { version, ruleset, geo } = session.value;
  const built = geo?.country?.built;
  return html`<footer class="muted small dots"><span>${t("footer_version", { version })}</span>
    <span>${t("ruleset")} <code>${ruleset}</code></span>${built && html`<span>${t("footer_geo", { date: dateText(built) })}</span>`}
    ${geo?.anonymizer?.sample && html`<span class="warning" role="status">${t("sample_anonymizer")}</span>`}</footer>`;
}

function Login() {
  const field = useRef(null);
  useEffect(() => field.current.focus(), []);
  useLayoutEffect(() => {
    document.title = `${t("login_title")} · kuzet`;
  });
  const enter = (event) => {
    event.preventDefault();
    setToken(field.current.value.trim());
    start();
  };
  return html`<form class="card login" onSubmit=${enter}><h1>${t("login_title")}</h1><p class="muted">${t("login_text")}</p>
    <label for="token">${t("login_token")}</label>
    <input type="password" id="token" ref=${field} autocomplete="off" required spellcheck=${false}/>
    ${refused.value && html`<p class="state error" role="alert">${t("login_wrong")}</p>`}
    <button type="submit" class="primary-button">${t("login_submit")}</button></form>`;
}

// Session.

async function start() {
  const isOffered = Boolean(token());
  failed.value = null;
  try {
    session.value = await get("/v1/session");
    wantsToken.value = false;
  } catch (error) {
    if (error instanceof Problem && error.status === 401) {
      setToken(null);
      refused.value = isOffered;
      wantsToken.value = true;
    } else failed.value = error;
  }
}

/** The page of an address that no page has. */
const Nowhere = () => html`<${Heading} title=${t("not_found_page")}/>`;

/** Pages whose code is there, by what loads it. */
const loaded = new Map();
/** Counts the pages whose code came: what waits for one looks again. */
const arrivals = signal(0);

function pageOf({ path }) {
  const [, load, name] = PAGES.find(([pattern]) => pattern.test(path)) ?? [];
  return { load, name };
}

/** The page that `load` gives, once its code is there. */
function fetched(load) {
  void arrivals.value;
  if (!load) return Nowhere;
  if (!loaded.has(load)) {
    loaded.set(load, null);
    load().then(({ Page }) => {
      loaded.set(load, Page);
      arrivals.value += 1;
    }, (error) => {
      loaded.delete(load);
      failed.value = error;
    });
  }
  return loaded.get(load);
}

function Content({ load, place }) {
  if (failed.value) return html`<${Failure} error=${failed.value} retry=${start}/>`;
  if (!session.value) return wantsToken.value || refused.value ? html`<${Login}/>` : html`<${Loading}/>`;
  const Page = fetched(load);
  if (!Page) return html`<${Loading}/>`;
  const { parts, query } = route.value;
  return html`<${ReloadBanner} error=${session.value.reload_error}/><${News}/>
    <${Page} key=${place.key} parts=${parts} query=${query}/>`;
}

function App() {
  const main = useRef(null);
  const { load, name } = pageOf(route.value);
  const { parts, place } = route.value;
  useLayoutEffect(() => {
    if (!session.value) return;
    const ids = parts.slice(1).map(idText);
    document.title = load ? `${[...ids, name ? t(`nav_${name}`) : t("wallet_title")].join(" · ")} · kuzet` : "kuzet";
  });
  const skip = (event) => {
    event.preventDefault();
    main.current.focus();
  };
  return html`<a href="#main" class="skip" onClick=${skip}>${t("skip")}</a><${Header} current=${name}/>
    <main id="main" tabindex="-1" ref=${main}><${Content} load=${load} place=${place}/></main><${Footer}/><${Dialogs}/>`;
}

followAddress(() => {
  closeDialog();
  document.getElementById("main")?.focus({ preventScroll: true });
});
// The page of the address, its language and the session come side by side.
fetched(pageOf(route.peek()).load);
await Promise.all([loadLanguage(), start()]);
document.querySelector("noscript")?.remove();
render(html`<${App}/>`, document.body);
// A dialog of somebody who is no longer logged in says nothing any more.
effect(() => session.value === null && closeDialog());
startKeys();
startNews();
startLive();
