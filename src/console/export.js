// What the filters of a page mean, as a file: CSV for tables, JSONL with everything that is listed.
import { explain, get } from "./api.js";
import { html, useRef, useState } from "./html.js";
import { numberText, t } from "./i18n.js";

const PAGE = 1000;
/** A file is made in the browser's memory: it ends with so many decisions, and says so. */
const MOST = 200000;

const names = (items) => [...new Set(items)].join(" ");
const COLUMNS = {
  seq: (item) => item.seq, occurred_at: (item) => item.occurred_at, type: (item) => item.type,
  verdict: (item) => item.verdict, wallet_id: (item) => item.wallet_id, amount: (item) => item.amount,
  counterparty: ({ counterparty: to }) => to && (to.wallet_id ?? to.account ?? to.phone ?? to.kind),
  rules: (item) => names(item.matches.filter(({ mode }) => mode !== "shadow").map(({ rule }) => rule)),
  shadow_rules: (item) => names(item.matches.filter(({ mode }) => mode === "shadow").map(({ rule }) => rule)),
  commands: (item) => names(item.commands.map(({ command }) => command)),
  late: (item) => Boolean(item.late), degraded: (item) => names(item.degraded || []),
  op_id: (item) => item.op_id, decision_id: (item) => item.decision_id, ruleset: (item) => item.ruleset,
};

/** A cell: quoted where it must be, and never a formula for the program that opens it. */
export function cell(value) {
  const text = String(value ?? "");
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

const FORMATS = {
  csv: {
    type: "text/csv;charset=utf-8", head: `\ufeff${Object.keys(COLUMNS).join(",")}\r\n`,
    line: (item) => `${Object.values(COLUMNS).map((of) => cell(of(item))).join(",")}\r\n`,
  },
  jsonl: { type: "application/x-ndjson", head: "", line: (item) => `${JSON.stringify(item)}\n` },
};

/** Reads all decisions that filters mean, newest first, and makes a file of them. */
async function collect(filters, { head, line, type }, told, signal) {
  const parts = [head];
  let [count, next, isWhole] = [0, null, true];
  for (;;) {
    const after = next === null ? {} : { after: next };
    const query = new URLSearchParams({ ...filters, order: "desc", limit: String(PAGE), ...after });
    const page = await get(`/v1/decisions?${query}`, signal);
    parts.push(page.decisions.map(line).join(""));
    count += page.decisions.length;
    told(count);
    if (page.next <= 1 || page.next === next) break;
    if (count >= MOST) {
      isWhole = false;
      break;
    }
    next = page.next;
  }
  return { blob: new Blob(parts, { type }), count, isWhole };
}

/** Gives a person a file. */
export function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

export function ExportMenu({ filters }) {
  const [state, setState] = useState(null);
  const menu = useRef(null);
  const running = useRef(null);
  const run = (format) => async () => {
    const leaving = new AbortController();
    running.current = leaving;
    setState(t("export_running", { n: 0 }));
    try {
      const told = (count) => setState(t("export_running", { n: numberText(count) }));
      const { blob, count, isWhole } = await collect(filters, FORMATS[format], told, leaving.signal);
      save(blob, `kuzet-decisions-${new Date().toISOString().slice(0, 19).replaceAll(":", "")}.${format}`);
      setState(t(isWhole ? "export_done" : "export_cut", { n: numberText(count) }));
    } catch (error) {
      setState(leaving.signal.aborted ? null : explain(error));
    } finally {
      running.current = null;
    }
  };
  const items = Object.keys(FORMATS).map((format) =>
    html`<button type="button" class="quiet" data-export=${format} onClick=${run(format)}>${format.toUpperCase()}</button>`);
  const stop = () => running.current?.abort();
  return html`<details class="menu" data-menu="export" ref=${menu}><summary>${t("export")}</summary><div>
    <p class="small muted">${t("export_text")}</p><div class="buttons">${items}
    ${running.current && html`<button type="button" onClick=${stop}>${t("cancel")}</button>`}</div>
    <p class="small" role="status" data-note="export">${state}</p></div></details>`;
}
