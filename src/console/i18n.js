// The chosen language, and values in its form.
import { h } from "./dom.js";
import { COUNTRIES_KK, LANGUAGES, TEXTS } from "./texts.js";

const THIN = "\u2009";
const NBSP = "\u00a0";
const ZONE = "Asia/Almaty";

let language = remembered();

function remembered() {
  const stored = store(localStorage, "kuzet.lang");
  if (LANGUAGES.includes(stored)) return stored;
  const wished = (navigator.languages || []).map((tag) => tag.slice(0, 2).toLowerCase());
  return wished.find((tag) => LANGUAGES.includes(tag)) || "kk";
}

/** Reads or, with a value, writes the browser's storage, which may be closed to us. */
export function store(storage, key, value) {
  try {
    if (value === undefined) return storage.getItem(key);
    if (value === null) storage.removeItem(key);
    else storage.setItem(key, value);
  } catch {
    return null;
  }
  return value;
}

export const lang = () => language;

export function setLang(next) {
  language = next;
  store(localStorage, "kuzet.lang", next);
}

/** The text of a key; names in braces are replaced by `values`. */
export function t(key, values = {}) {
  const text = TEXTS[language][key] ?? TEXTS.en[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/** Like `t`, but the values may be elements: gives a list of children. */
export function tn(key, values = {}) {
  const text = TEXTS[language][key] ?? TEXTS.en[key] ?? key;
  return text.split(/(\{\w+\})/).map((part) => {
    const name = part.startsWith("{") && part.slice(1, -1);
    return name && name in values ? values[name] : part;
  });
}

/** The text `prefix + word` if we know the word, else the word itself. */
export function word(prefix, name) {
  const key = prefix + name;
  return Object.hasOwn(TEXTS.en, key) ? t(key) : String(name);
}

/** Picks the chosen language of a `{kk, ru, en}` text. */
export function local(texts, fallback = "") {
  if (!texts || typeof texts !== "object") return fallback;
  return texts[language] || texts.en || texts.ru || texts.kk || fallback;
}

// Numbers and money. Amounts stay decimal texts: no floating point takes part.

const MARK = () => (language === "en" ? "." : ",");

function grouped(digits) {
  return digits.replace(/\B(?=(\d{3})+(?!\d))/g, THIN);
}

export function numberText(value) {
  const match = /^(-?)(\d+)(?:\.(\d+))?$/.exec(String(value));
  if (!match) return String(value);
  return (match[1] ? "−" : "") + grouped(match[2]) + (match[3] ? MARK() + match[3] : "");
}

export const isMoney = (value) => typeof value === "string" && /^-?\d+\.\d{2}$/.test(value);

export const moneyText = (value) => `${numberText(value)}${NBSP}₸`;

export const money = (value) => h("span", { class: "num" }, moneyText(value));

export function percent(share) {
  const value = Number(share) * 100;
  if (!Number.isFinite(value)) return "—";
  const digits = value === 0 || value >= 10 ? 0 : value >= 0.1 ? 1 : 3;
  return `${value.toFixed(digits).replace(".", MARK())}${NBSP}%`;
}

// Times.

const parts = new Intl.DateTimeFormat("en-GB", {
  timeZone: ZONE, year: "numeric", month: "short", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
});
const months = new Intl.DateTimeFormat("en-GB", { timeZone: ZONE, month: "2-digit" });

function pieces(date) {
  const found = Object.fromEntries(parts.formatToParts(date).map((part) => [part.type, part.value]));
  found.mm = months.format(date);
  return found;
}

function dayText(piece, withYear = true) {
  if (language === "en") return `${Number(piece.day)} ${piece.month}${withYear ? ` ${piece.year}` : ""}`;
  return `${piece.day}.${piece.mm}${withYear ? `.${piece.year}` : ""}`;
}

const isToday = (piece) => dayText(piece) === dayText(pieces(new Date()));

/** Almaty time, without its zone; `short` leaves the date out today and the year out this year. */
export function timeText(iso, short = false) {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return String(iso);
  const piece = pieces(date);
  const clock = `${piece.hour}:${piece.minute}:${piece.second}`;
  if (short && isToday(piece)) return clock;
  const withYear = !short || piece.year !== pieces(new Date()).year;
  return `${dayText(piece, withYear)}${NBSP}${clock}`;
}

/** Labels of a time axis for seconds since 1970. */
export function axisTimeText(seconds, step) {
  const piece = pieces(new Date(seconds * 1000));
  if (step >= 86400) return dayText(piece, false);
  const clock = `${piece.hour}:${piece.minute}${step < 60 ? `:${piece.second}` : ""}`;
  return piece.hour === "00" && piece.minute === "00" ? `${dayText(piece, false)}\n${clock}` : clock;
}

export function dateText(iso) {
  const date = new Date(iso);
  return Number.isNaN(date.getTime()) ? String(iso) : dayText(pieces(date));
}

/** A text with a time in it, and the zone. */
export const zonedText = (text) => `${text}${NBSP}${t("zone")}`;

/** A `<time>` in Almaty time, with its zone, whose title is the exact UTC time as it was sent. */
export function time(iso, short = false) {
  if (!iso) return h("span", {}, "—");
  return h("time", { datetime: iso, title: `${String(iso).replace("T", " ").replace(/Z$/, "")} UTC`, class: "num" }, timeText(iso, short), h("span", { class: "zone" }, `${NBSP}${t("zone")}`));
}

/** A span of seconds in its two greatest units. */
export function ageText(seconds) {
  const whole = Math.max(0, Math.floor(Number(seconds) || 0));
  const unit = (key, n) => t(key, { n }).replace(" ", NBSP);
  const [days, hours, minutes] = [Math.floor(whole / 86400), Math.floor(whole / 3600) % 24, Math.floor(whole / 60) % 60];
  if (days) return unit("u_d", days) + (hours ? ` ${unit("u_h", hours)}` : "");
  if (hours) return unit("u_h", hours) + (minutes ? ` ${unit("u_min", minutes)}` : "");
  if (minutes) return unit("u_min", minutes);
  return unit("u_s", whole);
}

// Countries.

export function country(code) {
  let name = "";
  if (language === "kk") name = COUNTRIES_KK[code] || "";
  else {
    try {
      name = new Intl.DisplayNames([language], { type: "region", fallback: "none" }).of(code) || "";
    } catch {
      name = "";
    }
  }
  return h("span", { class: "country" }, name ? `${name} (${code})` : code);
}

const isCountry = (key, value) => /country/i.test(key) && typeof value === "string" && /^[A-Z]{2}$/.test(value);

/** One value of evidence, by what it looks like. */
export function evidenceValue(key, value) {
  if (value === null || value === undefined) return h("span", { class: "muted" }, t("missing"));
  if (value === true) return t("yes");
  if (value === false) return t("no");
  if (isCountry(key, value)) return country(value);
  if (isMoney(value)) return money(value);
  if (typeof value === "number" || typeof value === "bigint") return h("span", { class: "num" }, numberText(value));
  if (/^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(value)) return time(value);
  return h("span", { class: "value" }, typeof value === "string" ? value : JSON.stringify(value));
}

/** Puts the credit of the country data under `root` while a country shows there. */
export function credit(root) {
  const shows = root.querySelector(".country") !== null;
  let note = root.querySelector(":scope > .credit");
  if (!shows) note?.remove();
  else if (!note) {
    const link = h("a", { href: "https://db-ip.com", rel: "noopener noreferrer", target: "_blank" }, "IP Geolocation by DB-IP");
    note = h("p", { class: "credit muted" }, t("country_credit"), " ", link);
  }
  if (shows) root.append(note);
}
