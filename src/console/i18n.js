// The chosen language, and values in its form. Whatever shows a text follows the language when it is switched.
import { html, signal } from "./html.js";
import { store } from "./storage.js";

export const LANGUAGES = ["kk", "ru", "en"];
export const LANGUAGE_NAMES = { kk: "Қазақша", ru: "Русский", en: "English" };
const THIN = "\u2009";
const NBSP = "\u00a0";
const ZONE = "Asia/Almaty";

/** The language in use, and its texts. */
const used = signal({ code: "en", texts: {}, countries: null });

function remembered() {
  const stored = store("localStorage", "kuzet.lang");
  if (LANGUAGES.includes(stored)) return stored;
  const wished = (navigator.languages || []).map((tag) => tag.slice(0, 2).toLowerCase());
  return wished.find((tag) => LANGUAGES.includes(tag)) || "kk";
}

/** Loads the texts of a language, or of the one that was last chosen, and shows the page in it. */
export async function loadLanguage(code = remembered()) {
  const [texts, countries] = await Promise.all([
    import(`./texts/${code}.js`),
    code === "kk" ? import("./vendor/countries-kk.js") : null,
  ]);
  used.value = { code, texts: texts.default, countries: countries?.default ?? null };
  document.documentElement.lang = code;
}

export async function chooseLanguage(code) {
  store("localStorage", "kuzet.lang", code);
  await loadLanguage(code);
}

export const lang = () => used.value.code;

const textOf = (key) => used.value.texts[key] ?? key;

/** The text of a key; names in braces are replaced by `values`. */
export function t(key, values = {}) {
  return textOf(key).replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/** Like `t`, but the values may be elements: gives a list of children. */
export function tn(key, values = {}) {
  return textOf(key).split(/(\{\w+\})/).map((part) => {
    const name = part.startsWith("{") && part.slice(1, -1);
    return name && name in values ? values[name] : part;
  });
}

/** Tells whether there is a text of this key. */
export const hasText = (key) => Object.hasOwn(used.value.texts, key);

/** The text `prefix + name` if we know the word, else the word itself. */
export const word = (prefix, name) => (hasText(prefix + name) ? t(prefix + name) : String(name));

/** Picks the chosen language of a `{kk, ru, en}` text. */
export function local(texts, fallback = "") {
  if (!texts || typeof texts !== "object") return fallback;
  return texts[lang()] || texts.en || texts.ru || texts.kk || fallback;
}

// Numbers and money. Amounts stay decimal texts: no floating point takes part.

/** Numbers and dates are written alike in Kazakh and in Russian, and browsers come without Kazakh's. */
const LOCALES = { kk: "ru", ru: "ru", en: "en-GB" };

const made = new Map();
function format(kind, name, options) {
  const key = `${lang()} ${name}`;
  if (!made.has(key)) made.set(key, new kind(LOCALES[lang()], options));
  return made.get(key);
}

const SIGNS = { group: THIN, minusSign: "−" };

export function numberText(value) {
  const match = /^-?\d+(?:\.(\d+))?$/.exec(String(value));
  if (!match) return String(value);
  const digits = match[1]?.length ?? 0;
  const options = { minimumFractionDigits: digits, maximumFractionDigits: digits, useGrouping: "always" };
  const parts = format(Intl.NumberFormat, `number ${digits}`, options).formatToParts(String(value));
  return parts.map((part) => SIGNS[part.type] ?? part.value).join("");
}

export const isMoney = (value) => typeof value === "string" && /^-?\d+\.\d{2}$/.test(value);

/** `150000` and `150000.5` as `150000.00` and `150000.50`. */
export function normalMoney(amount) {
  const match = /^(\d+)(?:\.(\d{0,2})\d*)?$/.exec(String(amount));
  return match ? `${match[1]}.${(match[2] || "").padEnd(2, "0")}` : String(amount);
}

export const moneyText = (value) => `${numberText(value)}${NBSP}₸`;

export const money = (value) => html`<span class="num">${moneyText(value)}</span>`;

export function percent(share) {
  const value = Number(share);
  if (!Number.isFinite(value)) return "—";
  const digits = value === 0 || value >= 0.1 ? 0 : value >= 0.001 ? 1 : 3;
  const options = { style: "percent", minimumFractionDigits: digits, maximumFractionDigits: digits };
  return format(Intl.NumberFormat, `percent ${digits}`, options).format(value);
}

// Times.

const CLOCK = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };

function dayText(date, withYear = true) {
  const options = lang() === "en" ? { day: "numeric", month: "short" } : { day: "2-digit", month: "2-digit" };
  if (withYear) options.year = "numeric";
  return format(Intl.DateTimeFormat, `day ${withYear}`, { ...options, timeZone: ZONE }).format(date);
}

const clockText = (date, name, options) => format(Intl.DateTimeFormat, name, { ...options, timeZone: ZONE }).format(date);
const yearOf = (date) => clockText(date, "year", { year: "numeric" });
const isToday = (date) => dayText(date) === dayText(new Date());

/** Almaty time, without its zone; `short` leaves the date out today and the year out this year. */
export function timeText(iso, short = false) {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return String(iso);
  const clock = clockText(date, "clock", CLOCK);
  if (short && isToday(date)) return clock;
  return `${dayText(date, !short || yearOf(date) !== yearOf(new Date()))}${NBSP}${clock}`;
}

/** Labels of a time axis for seconds since 1970. */
export function axisTimeText(seconds, step) {
  const date = new Date(seconds * 1000);
  if (step >= 86400) return dayText(date, false);
  const clock = step < 60 ? clockText(date, "clock", CLOCK) : clockText(date, "minutes", { ...CLOCK, second: undefined });
  return /^00:00(:00)?$/.test(clock) ? `${dayText(date, false)}\n${clock}` : clock;
}

export function dateText(iso) {
  const date = new Date(iso);
  return Number.isNaN(date.getTime()) ? String(iso) : dayText(date);
}

/** A text with a time in it, and the zone. */
export const zonedText = (text) => `${text}${NBSP}${t("zone")}`;

/** A `<time>` in Almaty time, with its zone, whose title is the exact UTC time as it was sent. */
export function time(iso, short = false) {
  if (!iso) return html`<span>—</span>`;
  const exact = `${String(iso).replace("T", " ").replace(/Z$/, "")} UTC`;
  const zone = html`<span class="zone">${NBSP}${t("zone")}</span>`;
  return html`<time datetime=${iso} title=${exact} class="num">${timeText(iso, short)}${zone}</time>`;
}

/** The minutes that Almaty is ahead of UTC at a time. */
function ahead(date) {
  const name = new Intl.DateTimeFormat("en", { timeZone: ZONE, timeZoneName: "longOffset" }).formatToParts(date)
    .find((part) => part.type === "timeZoneName").value;
  const [, sign, hours, minutes] = /GMT([+-])(\d+):(\d+)/.exec(name) ?? [null, "+", "0", "0"];
  return (sign === "-" ? -1 : 1) * (Number(hours) * 60 + Number(minutes));
}

/** The value of a `datetime-local` field, in Almaty time, for a time; empty for none. */
export function fieldOfTime(iso) {
  const date = new Date(iso || NaN);
  return Number.isNaN(date.getTime()) ? "" : new Date(date.getTime() + ahead(date) * 60000).toISOString().slice(0, 16);
}

/** The time that a `datetime-local` field names in Almaty. */
export function timeOfField(text) {
  const wall = new Date(`${text}Z`);
  if (!text || Number.isNaN(wall.getTime())) return "";
  return new Date(wall.getTime() - ahead(wall) * 60000).toISOString().replace(".000Z", "Z");
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

function countryName(code) {
  const { countries } = used.value;
  if (countries) return countries[code] || "";
  try {
    const names = format(Intl.DisplayNames, "countries", { type: "region", fallback: "none" });
    return names.of(code) || "";
  } catch {
    return "";
  }
}

export function country(code) {
  const name = countryName(code);
  return html`<span class="country">${name ? `${name} (${code})` : code}</span>`;
}

export const isCountry = (key, value) => /country/i.test(key) && typeof value === "string" && /^[A-Z]{2}$/.test(value);

/** One value of evidence, by what it looks like. */
export function evidenceValue(key, value) {
  if (value === null || value === undefined) return html`<span class="muted">${t("missing")}</span>`;
  if (value === true) return t("yes");
  if (value === false) return t("no");
  if (isCountry(key, value)) return country(value);
  if (isMoney(value)) return money(value);
  if (typeof value === "number" || typeof value === "bigint") return html`<span class="num">${numberText(value)}</span>`;
  if (/^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(value)) return time(value);
  return html`<span class="value">${typeof value === "string" ? value : JSON.stringify(value)}</span>`;
}
