// Keys of the whole console.
import { session } from "./api.js";
import { anyDialogOpen, CloseButton, openDialog } from "./dialog.js";
import { html } from "./html.js";
import { lang, t } from "./i18n.js";
import { go } from "./router.js";

/** After `g`, the next key goes somewhere if it comes within so many milliseconds. */
const CHORD = 1200;
const PLACES = { d: "#/decisions", r: "#/restrictions", u: "#/rules", h: "#/health" };
const KEYS = [
  ["j", "key_next"], ["k", "key_previous"], ["Enter", "key_open"], ["/", "key_search"], ["n", "key_fresh"], ["p", "key_follow"],
  ["g d", "key_gd"], ["g r", "key_gr"], ["g u", "key_gu"], ["g h", "key_gh"], ["?", "key_help"],
];

function KeyList({ close }) {
  const caps = (keys) => keys.split(" ").map((key) => html`<kbd>${key}</kbd> `);
  const rows = KEYS.map(([keys, text]) => html`<div><dt>${caps(keys)}</dt><dd>${t(text)}</dd></div>`);
  return html`<dl class="keylist">${rows}</dl><div class="buttons"><${CloseButton} close=${close}/></div>`;
}

export const showKeys = () => openDialog(t("keys_title"), KeyList);

/** Goes to the next or the previous row that can be opened. */
function move(step) {
  const rows = [...document.querySelectorAll("main [data-row]")];
  if (!rows.length) return;
  const now = rows.findIndex((row) => row.contains(document.activeElement));
  const end = step > 0 ? 0 : rows.length - 1;
  const next = now < 0 ? end : Math.min(rows.length - 1, Math.max(0, now + step));
  /** @type {HTMLElement | null} */ (rows[next].querySelector("a.primary, a"))?.focus({ preventScroll: true });
  rows[next].scrollIntoView({ block: "nearest" });
}

/** The latin letter of a key, also on Kazakh and Russian keyboards. */
function letter(event) {
  if (/^[a-z/?]$/i.test(event.key)) return event.key.toLowerCase();
  if (/^Key[A-Z]$/.test(event.code) && !/^[\x20-\x7e]$/.test(event.key)) return event.code.slice(3).toLowerCase();
  if (event.code === "Slash" && /^[.,]$/.test(event.key) && lang() !== "en") return event.shiftKey ? "?" : "/";
  return event.key;
}

const press = (name) => /** @type {HTMLElement | null} */ (document.querySelector(`[data-key="${name}"]`))?.click();
const ACTS = {
  j: () => move(1), k: () => move(-1), "/": () => document.getElementById("search")?.focus(), "?": showKeys,
  n: () => press("fresh"), p: () => press("follow"),
};

let going = 0;

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || anyDialogOpen() || !session.peek()) return;
  if (event.target.closest?.("input, select, textarea, .cm-editor")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const key = letter(event);
  const went = Date.now() - going < CHORD;
  going = 0;
  if (went && PLACES[key]) go(PLACES[key]);
  else if (key === "g") going = Date.now();
  else if (ACTS[key]) ACTS[key]();
  else return;
  event.preventDefault();
}

export const startKeys = () => addEventListener("keydown", pressed);
