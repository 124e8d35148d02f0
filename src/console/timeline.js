// The chart of a wallet's recent operations, with what the rules that fired looked at.
import { effect, html, useEffect, useRef, useState } from "./html.js";
import { axisTimeText, lang, money, moneyText, numberText, t, time, timeText, word, zonedText } from "./i18n.js";
import { amountOf, decisionHref, Empty, VERDICTS } from "./parts.js";
import { go } from "./router.js";
import { theme } from "./theming.js";
import { model } from "./timeline-model.js";
import uPlot from "./vendor/uPlot.js";

const HEIGHT = 300;
/** Of a chart of logins and events alone. */
const HEIGHT_BARE = 140;
const WIDTH_LEAST = 280;
/** A point takes a click from so many pixels around. */
const REACH = 24;
/** Beyond so many points they are drawn smaller, so that they are told apart. */
const MANY = 200;

/** The colours of the page as a canvas understands them: custom properties may be `light-dark()`. */
function palette() {
  const probe = document.createElement("span");
  probe.hidden = true;
  document.body.append(probe);
  const known = new Map();
  const names = ["surface", "muted", "line", "threshold", "window", ...VERDICTS.map((verdict) => `verdict-${verdict}`)];
  for (const name of names) {
    probe.style.color = `var(--${name})`;
    known.set(name, getComputedStyle(probe).color);
  }
  probe.remove();
  return (name) => known.get(name) ?? "#888";
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

/** Draws within the chart's own box. */
function inside(plot, draw) {
  const { ctx: context, bbox } = plot;
  context.save();
  context.beginPath();
  context.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  context.clip();
  draw(context, bbox);
  context.restore();
}

function drawBands(plot, bands, color) {
  inside(plot, (context, bbox) => {
    context.fillStyle = color("window");
    for (const band of bands) {
      const from = plot.valToPos(band.from, "x", true);
      context.fillRect(from, bbox.top, Math.max(2, plot.valToPos(band.to, "x", true) - from), bbox.height);
    }
  });
}

const font = (pixels) => `${Math.round(pixels * devicePixelRatio)}px system-ui, sans-serif`;

function drawLines(plot, context, lines, color) {
  const { bbox } = plot;
  context.strokeStyle = color("threshold");
  context.fillStyle = color("threshold");
  context.lineWidth = devicePixelRatio;
  context.font = font(11);
  context.textBaseline = "bottom";
  context.textAlign = "left";
  // Where thresholds lie close together, as under large sums, their names stand above each other.
  let free = Infinity;
  for (const line of [...lines].sort((a, b) => a.value - b.value)) {
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
}

function placeOf(plot, point) {
  const floor = plot.bbox.top + plot.bbox.height;
  return [plot.valToPos(point.x, "x", true), point.y === null ? floor : plot.valToPos(point.y, "y", true)];
}

function drawMarks(plot, shown, color) {
  inside(plot, (context, bbox) => {
    drawLines(plot, context, shown.lines, color);
    const size = (shown.points.length > MANY ? 3 : 5) * devicePixelRatio;
    for (const point of shown.points) {
      const [x, y] = placeOf(plot, point);
      drawPoint(context, point, x, y, bbox.top + bbox.height, size, color);
    }
  });
}

function nearest(plot, points, left, top) {
  let best = null;
  for (const point of points) {
    const [x, y] = placeOf(plot, point);
    const distance = Math.hypot((x - plot.bbox.left) / devicePixelRatio - left, (y - plot.bbox.top) / devicePixelRatio - top);
    if (distance < REACH && (!best || distance < best.distance)) best = { point, distance };
  }
  return best?.point ?? null;
}

/** Both axes: times of Almaty, and amounts, as wide as their widest number. */
function axesOf(hasMoney, color) {
  const [lines, texts] = [{ stroke: color("line"), width: 1 }, { stroke: color("muted"), font: font(11), labelFont: font(11) }];
  const axis = { ...texts, grid: lines, ticks: lines };
  const widest = (marks) => Math.max(0, ...(marks || []).map((mark) => String(mark).length));
  return [
    { ...axis, space: 80, label: t("zone"), labelSize: 18, values: (_, marks, __, ___, step) => marks.map((mark) => axisTimeText(mark, step)) },
    // Logins and events alone have no amounts.
    { ...axis, show: hasMoney, values: (_, marks) => marks.map((mark) => numberText(String(mark))), size: (_, marks) => Math.max(50, 18 + 7 * widest(marks)) },
  ];
}

/** Makes the chart in its element; `tell` hears which point the pointer is at. */
function plotOf(element, shown, tell) {
  const color = palette();
  const xs = shown.points.map((point) => point.x);
  const [first, last] = [xs[0], xs.at(-1)];
  // One point, or several of one instant, stand in the middle of half an hour.
  const margin = last > first ? Math.max(60, (last - first) * 0.04) : 900;
  const highest = Math.max(1, ...shown.points.map((point) => point.y || 0), ...shown.lines.map((line) => line.value)) * 1.12;
  const hasMoney = shown.points.some((point) => point.y !== null) || shown.lines.length > 0;
  /** @type {uPlot.Range.Function} */
  const span = (_, from, to) => {
    const isWhole = first === last || (from === first && to === last);
    const [start, end] = isWhole ? [first - margin, last + margin] : [from, to];
    element.dataset.span = String(Math.round(end - start));
    return [start, end];
  };
  const at = (plot) => (plot.cursor.left < 0 ? null : nearest(plot, shown.points, plot.cursor.left, plot.cursor.top));
  const plot = new uPlot({
    width: Math.max(WIDTH_LEAST, element.clientWidth), height: hasMoney ? HEIGHT : HEIGHT_BARE, legend: { show: false },
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Asia/Almaty"),
    cursor: { drag: { x: true, y: false, uni: 10 }, points: { show: false } },
    scales: { x: { time: true, range: span }, y: { range: () => [0, highest] } },
    axes: axesOf(hasMoney, color),
    series: [{}, { paths: () => null, points: { show: false } }],
    hooks: {
      drawAxes: [(self) => drawBands(self, shown.bands, color)], draw: [(self) => drawMarks(self, shown, color)],
      setCursor: [(self) => tell(at(self))],
    },
  }, [xs, shown.points.map((point) => point.y)], element);
  plot.over.addEventListener("click", () => {
    const point = at(plot);
    if (point) go(decisionHref(point.decision.seq));
  });
  return plot;
}

function Legend({ shown }) {
  const item = (name, key) => html`<li><span class=${`key key-${name}`} aria-hidden="true"></span>${t(key)}</li>`;
  const kinds = new Set(shown.points.map((point) => point.kind));
  const verdicts = VERDICTS.filter((verdict) => shown.points.some((point) => point.decision.verdict === verdict));
  return html`<ul class="legend">
    ${["debit", "credit", "login", "login_failed", "event"].filter((kind) => kinds.has(kind)).map((kind) => item(kind, `legend_${kind}`))}
    ${shown.lines.length > 0 && item("threshold", "legend_threshold")}${shown.bands.length > 0 && item("window", "legend_window")}
    ${verdicts.map((verdict) => item(`verdict-${verdict}`, `verdict_${verdict}`))}</ul>`;
}

/** For readers of the screen, what the marks stand for. */
function Notes({ shown }) {
  const at = (seconds) => timeText(new Date(seconds * 1000).toISOString(), true);
  const notes = [
    ...shown.lines.map((line) => `${line.rule}: ${line.what} ${moneyText(String(line.value))}`),
    ...shown.bands.map((band) => `${band.rule}: ${band.what}, ${at(band.from)} – ${zonedText(at(band.to))}`),
  ];
  if (!notes.length) return null;
  return html`<details><summary>${`${t("legend_threshold")}, ${t("legend_window")} (${notes.length})`}</summary>
    <ul class="small">${notes.map((note) => html`<li>${note}</li>`)}</ul></details>`;
}

function About({ point }) {
  if (!point) return t("timeline_hint");
  const { decision } = point;
  const rules = decision.matches.map((match) => match.rule).join(", ");
  return html`${time(decision.occurred_at)} · ${word("type_", decision.type)}${point.y !== null && html` · ${money(amountOf(decision))}`}
    ${` · ${word("verdict_", decision.verdict)}${rules ? ` · ${rules}` : ""}`}`;
}

export function Timeline({ decisions }) {
  const element = useRef(null);
  const [point, setPoint] = useState(null);
  const shown = model(decisions);
  useEffect(() => {
    if (!shown.points.length) return undefined;
    const place = element.current;
    let plot = null;
    // Another theme has other colours.
    const stop = effect(() => {
      void theme.value;
      plot?.destroy();
      plot = plotOf(place, shown, setPoint);
    });
    const observer = new ResizeObserver(() => {
      const width = Math.max(WIDTH_LEAST, place.clientWidth);
      if (width !== plot.width) plot.setSize({ width, height: plot.height });
    });
    observer.observe(place);
    return () => {
      observer.disconnect();
      stop();
      plot.destroy();
    };
  }, [decisions, lang()]);
  if (!shown.points.length) return html`<${Empty}>${t("timeline_empty")}<//>`;
  const label = t("timeline_label", { n: shown.points.length });
  return html`<div class="timeline"><div class=${point ? "chart over" : "chart"} role="img" aria-label=${label} ref=${element}></div>
    <p class="about small" aria-hidden="true"><${About} point=${point}/></p><${Legend} shown=${shown}/><${Notes} shown=${shown}/></div>`;
}
