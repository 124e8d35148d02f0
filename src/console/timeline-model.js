// What the chart of a wallet shows: points, thresholds and windows, from its decisions.
import { amountOf, CREDITS, DEBITS } from "./parts.js";

const SECONDS = { s: 1, m: 60, h: 3600, d: 86400 };
/** Almaty has kept UTC+5 the whole year round since 1 March 2024. */
const ALMATY = 5 * 3600;
const BANDS_MOST = 6;
const LINES_MOST = 5;

const seconds = (iso) => Date.parse(iso) / 1000;

/** The money a rule compares with: `amount > 100_000 KZT`, or from what would have to be different. */
export function thresholdsOf(why) {
  const found = [];
  for (const rule of why || []) {
    for (const condition of rule.conditions || []) {
      for (const text of [condition.needed, condition.text]) {
        const match = /^(.+?)\s*(<=|>=|<|>)\s*([\d_ ]+(?:\.\d+)?)\s*KZT\s*$/.exec(text || "");
        const mrp = /^(.+?)\s*(<=|>=|<|>)\s*[\d_]+ MRP\s*$/.exec(text || "");
        if (mrp && condition.in_tenge && /amount/.test(mrp[1])) {
          found.push({ rule: rule.rule, what: mrp[1], value: Number(condition.in_tenge) });
          break;
        }
        if (!match || !/amount/.test(match[1])) continue;
        found.push({ rule: rule.rule, what: match[1], value: Number(match[3].replace(/[_ ]/g, "")) });
        break;
      }
    }
  }
  return found;
}

/** The stretches of time that aggregates in evidence looked back on. */
export function windowsOf(decision) {
  const at = seconds(decision.occurred_at);
  const found = [];
  for (const match of decision.matches || []) {
    for (const name of Object.keys(match.evidence || {})) {
      const within = /\bwithin (\d+)([smhd])\b/.exec(name);
      if (within) found.push({ rule: match.rule, what: name, from: at - Number(within[1]) * SECONDS[within[2]], to: at });
      else if (/\btoday\b/.test(name)) found.push({ rule: match.rule, what: name, from: at - ((at + ALMATY) % 86400), to: at });
    }
  }
  return found;
}

function kindOf(decision) {
  if (DEBITS.includes(decision.type)) return "debit";
  if (CREDITS.includes(decision.type)) return "credit";
  if (decision.type === "login") return decision.operation?.outcome === "failure" ? "login_failed" : "login";
  return "event";
}

const distinct = (items, key) => [...new Map(items.map((item) => [key(item), item])).values()];

/** What to draw; decisions have their operation and `why` where those are known. */
export function model(decisions) {
  const points = decisions.map((decision) => {
    const amount = amountOf(decision);
    const kind = kindOf(decision);
    return { decision, kind, x: seconds(decision.occurred_at), y: ["debit", "credit"].includes(kind) && amount !== null ? Number(amount) : null };
  }).filter((point) => Number.isFinite(point.x)).sort((a, b) => a.x - b.x);
  const lines = distinct(decisions.flatMap((decision) => thresholdsOf(decision.why)), (line) => `${line.what} ${line.value}`);
  const bands = distinct(decisions.flatMap(windowsOf), (band) => `${band.rule} ${band.from}`);
  return { points, lines: lines.slice(0, LINES_MOST), bands: bands.slice(0, BANDS_MOST) };
}
