// The chart of a wallet's recent operations, with what the rules that fired looked at.
import uPlot from "./vendor/uPlot.esm.js";
import { h, replace } from "./dom.js";
import { axisTimeText, money, moneyText, numberText, t, time, timeText, word, zonedText } from "./i18n.js";
import * as v from "./views.js";

const HEIGHT = 300;
/** Of a chart of logins and events alone. */
const HEIGHT_BARE = 140;
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
  if (v.DEBITS.includes(decision.type)) return "debit";
  if (v.CREDITS.includes(decision.type)) return "credit";
  if (decision.type === "login") return decision.operation?.outcome === "failure" ? "login_failed" : "login";
  return "event";
}

const distinct = (items, key) => [...new Map(items.map((item) => [key(item), item])).values()];

/** What to draw; decisions have their operation and `why` where those could be fetched. */
function model(decisions) {
  const points = decisions.map((decision) => {
    const amount = v.amountOf(decision);
    const kind = kindOf(decision);
    return { decision, kind, x: seconds(decision.occurred_at), y: ["debit", "credit"].includes(kind) && amount !== null ? Number(amount) : null };
  }).filter((point) => Number.isFinite(point.x)).sort((a, b) => a.x - b.x);
  const lines = distinct(decisions.flatMap((decision) => thresholdsOf(decision.why)), (line) => `${line.what} ${line.value}`);
  const bands = distinct(decisions.flatMap(windowsOf), (band) => `${band.rule} ${band.from}`);
  return { points, lines: lines.slice(0, LINES_MOST), bands: bands.slice(0, BANDS_MOST) };
}

function drawPoint(context, point, x, y, floor, size, color) {
  context.fillStyle = color(`verdict-${point.decision.verdict}`);
  context.strokeStyle = color("surface");
  context.lineWidth = size / 4;
  context.beginPath();
  if (point.kind === "debit") context.arc(x, y, size, 0, 2 * Math.PI);
  else if (point.kind === "credit") {
    context.moveTo(x, y - size * 1.2);
    context.lineTo(x + size * 1.1, y + size * 0.8);
    context.lineTo(x - size * 1.1, y + size * 0.8);
    context.closePath();
  } else if (point.kind === "event") context.rect(x - size * 0.8, floor - size * 2, size * 1.6, size * 1.6);
  else {
    // Logins stand on the floor of the chart: a stroke, with a cross when it failed.
    context.strokeStyle = context.fillStyle;
    context.lineWidth = size / 2.2;
    context.moveTo(x, floor);
    context.lineTo(x, floor - size * 3);
    if (point.kind === "login_failed") {
      context.moveTo(x - size, floor - size * 4);
      context.lineTo(x + size, floor - size * 2);
      context.moveTo(x + size, floor - size * 4);
      context.lineTo(x - size, floor - size * 2);
    }
    context.stroke();
    return;
  }
  context.fill();
  context.stroke();
}

function legend(shown) {
  const item = (name, key) => h("li", {}, h("span", { class: `key key-${name}`, "aria-hidden": "true" }), t(key));
  const kinds = new Set(shown.points.map((point) => point.kind));
  return h("ul", { class: "legend" },
    ["debit", "credit", "login", "login_failed", "event"].filter((kind) => kinds.has(kind)).map((kind) => item(kind, `legend_${kind}`)),
    shown.lines.length ? item("threshold", "legend_threshold") : null, shown.bands.length ? item("window", "legend_window") : null,
    v.VERDICTS.filter((verdict) => shown.points.some((point) => point.decision.verdict === verdict)).map((verdict) => item(`verdict-${verdict}`, `verdict_${verdict}`)));
}

/** Fills `place` with the chart. */
export function drawTimeline(place, decisions, signal) {
  const shown = model(decisions);
  if (!shown.points.length) {
    replace(place, v.empty(t("timeline_empty")));
    return;
  }
  const styles = getComputedStyle(document.documentElement);
  const color = (name) => styles.getPropertyValue(`--${name}`).trim() || "#888";
  const font = (pixels) => `${Math.round(pixels * devicePixelRatio)}px system-ui, sans-serif`;
  const chart = h("div", { class: "chart", role: "img", "aria-label": t("timeline_label", { n: shown.points.length }) });
  const about = h("p", { class: "about small", "aria-hidden": "true" }, t("timeline_hint"));
  replace(place, chart, about, legend(shown));

  const xs = shown.points.map((point) => point.x);
  const [first, last] = [xs[0], xs.at(-1)];
  // One point, or several of one instant, stand in the middle of half an hour.
  const margin = last > first ? Math.max(60, (last - first) * 0.04) : 900;
  const highest = Math.max(1, ...shown.points.map((point) => point.y || 0), ...shown.lines.map((line) => line.value)) * 1.12;
  const hasMoney = shown.points.some((point) => point.y !== null) || shown.lines.length > 0;
  const height = hasMoney ? HEIGHT : HEIGHT_BARE;
  const placeOf = (plot, point) => [plot.valToPos(point.x, "x", true), point.y === null ? plot.bbox.top + plot.bbox.height : plot.valToPos(point.y, "y", true)];

  function nearest(plot, left, top) {
    let best = null;
    for (const point of shown.points) {
      const [x, y] = placeOf(plot, point);
      const distance = Math.hypot(x / devicePixelRatio - plot.bbox.left / devicePixelRatio - left, (y - plot.bbox.top) / devicePixelRatio - top);
      if (distance < 24 && (!best || distance < best.distance)) best = { point, distance };
    }
    return best?.point ?? null;
  }

  function tell(point) {
    chart.classList.toggle("over", point !== null);
    if (!point) {
      replace(about, t("timeline_hint"));
      return;
    }
    const { decision } = point;
    const rules = decision.matches.map((match) => match.rule).join(", ");
    replace(about, time(decision.occurred_at), " · ", word("type_", decision.type), point.y === null ? null : [" · ", money(v.amountOf(decision))], " · ", word("verdict_", decision.verdict), rules ? ` · ${rules}` : null);
  }

  function drawBands(plot) {
    const { ctx: context, bbox } = plot;
    context.save();
    context.beginPath();
    context.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    context.clip();
    context.fillStyle = color("window");
    for (const band of shown.bands) {
      const from = plot.valToPos(band.from, "x", true);
      context.fillRect(from, bbox.top, Math.max(2, plot.valToPos(band.to, "x", true) - from), bbox.height);
    }
    context.restore();
  }

  function drawMarks(plot) {
    const { ctx: context, bbox } = plot;
    context.save();
    context.beginPath();
    context.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    context.clip();
    context.strokeStyle = color("threshold");
    context.fillStyle = color("threshold");
    context.lineWidth = devicePixelRatio;
    context.font = font(11);
    context.textBaseline = "bottom";
    context.textAlign = "left";
    // Where thresholds lie close together, as under large sums, their names stand above each other.
    let free = Infinity;
    for (const line of [...shown.lines].sort((a, b) => a.value - b.value)) {
      const y = plot.valToPos(line.value, "y", true);
      context.setLineDash(line.what === "amount" ? [] : [6 * devicePixelRatio, 4 * devicePixelRatio]);
      context.beginPath();
      context.moveTo(bbox.left, y);
      context.lineTo(bbox.left + bbox.width, y);
      context.stroke();
      const place = Math.min(y - 3 * devicePixelRatio, free);
      context.fillText(`${line.rule}: ${moneyText(String(line.value))}`, bbox.left + 6 * devicePixelRatio, place);
      free = place - 13 * devicePixelRatio;
    }
    context.setLineDash([]);
    const size = 5 * devicePixelRatio;
    for (const point of shown.points) {
      const [x, y] = placeOf(plot, point);
      drawPoint(context, point, x, y, bbox.top + bbox.height, size, color);
    }
    context.restore();
  }

  const axis = { stroke: color("muted"), font: font(11), labelFont: font(11), grid: { stroke: color("line"), width: 1 }, ticks: { stroke: color("line"), width: 1 } };
  const plot = new uPlot({
    width: Math.max(280, place.clientWidth), height, legend: { show: false },
    tzDate: (at) => uPlot.tzDate(new Date(at * 1000), "Asia/Almaty"),
    cursor: { drag: { x: true, y: false, uni: 10 }, points: { show: false } },
    scales: { x: { time: true, range: (_, from, to) => {
      const whole = first === last || (from === first && to === last);
      const [start, end] = whole ? [first - margin, last + margin] : [from, to];
      chart.dataset.span = String(Math.round(end - start));
      return [start, end];
    } }, y: { range: () => [0, highest] } },
    axes: [
      { ...axis, space: 80, label: t("zone"), labelSize: 18, values: (_, marks, __, ___, step) => marks.map((mark) => axisTimeText(mark, step)) },
      // As wide as its widest number; logins and events alone have none.
      {
        ...axis, show: hasMoney, values: (_, marks) => marks.map((mark) => numberText(String(mark))),
        size: (_, marks) => Math.max(50, 18 + 7 * Math.max(0, ...(marks || []).map((mark) => String(mark).length))),
      },
    ],
    series: [{}, { paths: () => null, points: { show: false } }],
    hooks: { drawAxes: [drawBands], draw: [drawMarks], setCursor: [(self) => tell(self.cursor.left < 0 ? null : nearest(self, self.cursor.left, self.cursor.top))] },
  }, [xs, shown.points.map((point) => point.y)], chart);
  plot.over.addEventListener("click", () => {
    const point = nearest(plot, plot.cursor.left, plot.cursor.top);
    if (point) location.hash = v.decisionHref(point.decision.seq);
  });
  const observer = new ResizeObserver(() => {
    const width = Math.max(280, place.clientWidth);
    if (width !== plot.width) plot.setSize({ width, height });
  });
  observer.observe(place);
  signal.addEventListener("abort", () => {
    observer.disconnect();
    plot.destroy();
  });
  // For readers of the screen, what the marks stand for.
  const notes = [...shown.lines.map((line) => `${line.rule}: ${line.what} ${moneyText(String(line.value))}`), ...shown.bands.map((band) => `${band.rule}: ${band.what}, ${timeText(new Date(band.from * 1000).toISOString(), true)} – ${zonedText(timeText(new Date(band.to * 1000).toISOString(), true))}`)];
  if (notes.length) place.append(h("details", {}, h("summary", {}, `${t("legend_threshold")}, ${t("legend_window")} (${notes.length})`), h("ul", { class: "small" }, notes.map((note) => h("li", {}, note)))));
}
