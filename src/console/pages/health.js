// The operator's page: whether the service decides, how fast, and what comes near a limit.
import { can, get, Problem, session, token, useLoad } from "../api.js";
import { html, useEffect, useRef } from "../html.js";
import { numberText, t, time, word } from "../i18n.js";
import * as v from "../parts.js";
import { parseMetrics, quantile } from "../metrics.js";
import { budgetsOf, watched } from "../watched.js";

const REFRESH_MS = 5000;
/** Seconds that one batch in a hundred may take: the limit of KuzetLatency. */
const SLOW = 0.25;
/** The stages of a decision in their order. */
const STAGES = ["fetch", "decode", "enrich", "decide", "commit", "end_to_end"];

async function readiness(signal) {
  try {
    return await get("/readyz", signal);
  } catch (error) {
    if (error instanceof Problem && error.status === 503) return { ready: false, reason: error.body.detail ?? error.message };
    throw error;
  }
}

/** The metrics as they are now; `null` for those who may not read them, or while they cannot be read. */
async function metrics(signal) {
  const headers = token() ? { Authorization: `Bearer ${token()}` } : {};
  const response = await fetch("/metrics", { headers, signal, cache: "no-store", credentials: "omit" });
  return response.ok ? { values: parseMetrics(await response.text()), at: Date.now() } : null;
}

/** Whoever may not read the figures still sees whether the service is ready, and why not. */
const mayReadFigures = () => can("metrics") || !session.value?.auth;

const secondsText = (seconds) => (seconds === null ? "—" : seconds < 1 ? `${numberText((seconds * 1000).toFixed(1))} ms` : `${numberText(seconds.toFixed(2))} s`);

/** Whether an alert's limit is passed; nothing where this instance alone cannot tell. */
const badge = (isBad) => (isBad === null ? "—"
  : html`<span class=${`badge ${isBad ? "verdict-refuse" : "verdict-allow"}`}>${t(isBad ? "health_bad" : "health_good")}</span>`);

function Watched({ figures }) {
  const columns = [{ title: t("health_what"), class: "wide" }, { title: t("value"), class: "right" }, { title: t("col_state") }, { title: t("health_alert") }];
  const rows = figures.map(({ label, shown, alert, isBad }) => html`<${v.Row} isFixed columns=${columns} data-alert=${alert} data-bad=${String(isBad)} cells=${[
    label, html`<span class="num">${shown}</span>`, badge(isBad), alert ? html`<code>${alert}</code>` : "—",
  ]}/>`);
  return html`<${v.Table} columns=${columns} name=${t("health_watched")}>${rows}<//><p class="muted small">${t("health_runbook")}</p>`;
}

/** What rules with a budget have stopped within the hour, and whether they still act. */
function Budgets({ budgets }) {
  const columns = [{ title: t("col_rule"), class: "wide" }, { title: t("health_shard"), class: "right" }, { title: t("health_stopped"), class: "right" },
    { title: t("col_state") }, { title: t("health_alert") }];
  const rows = budgets.map(({ rule, shard, stopped, isExceeded }) => html`<${v.Row} isFixed columns=${columns} data-bad=${String(isExceeded)} cells=${[
    v.ruleLink(rule), shard, html`<span class="num">${numberText(stopped)}</span>`, badge(isExceeded), html`<code>KuzetRuleBudgetExceeded</code>`,
  ]}/>`);
  return html`<${v.Table} columns=${columns} name=${t("health_budgets")}>${rows}<//>`;
}

/** What a stage took: of what was decided since the page was opened, or of everything before that. */
function Stages({ found, before }) {
  const columns = [{ title: t("health_stage") }, { title: t("health_batches"), class: "right" }, { title: "p50", class: "right" }, { title: "p99", class: "right" },
    { title: t("col_state") }];
  const rows = STAGES.map((stage) => {
    const [now, then] = [found, before].map((from) => from.histogram("kuzet_stage_duration_seconds", { stage }));
    const since = now.count > then.count ? now.minus(then) : now;
    const isSlow = stage === "end_to_end" && quantile(since, 0.99) > SLOW;
    return html`<${v.Row} isFixed columns=${columns} data-stage=${stage} data-bad=${String(isSlow)} cells=${[word("stage_", stage), numberText(since.count), secondsText(quantile(since, 0.5)), secondsText(quantile(since, 0.99)),
      stage === "end_to_end" ? badge(isSlow) : "—"]}/>`;
  });
  return html`<${v.Table} columns=${columns} name=${t("health_stages")}>${rows}<//>`;
}

function Ready({ ready }) {
  const { ready: isReady, reason, warnings = [] } = ready;
  return html`<p class="summary" data-ready=${String(isReady)}><span class=${`badge ${isReady ? "verdict-allow" : "verdict-refuse"}`}>
      ${t(isReady ? "health_ready" : "health_not_ready")}</span> ${reason}</p>
    ${warnings.map((warning) => html`<p class="warning">${warning}</p>`)}`;
}

function Figures({ found, before }) {
  const figures = watched(found.values, before.values, (found.at - before.at) / 1000);
  const budgets = budgetsOf(found.values);
  const bad = figures.filter(({ isBad }) => isBad).length + budgets.filter(({ isExceeded }) => isExceeded).length;
  return html`<p class=${bad ? "warning" : "muted"} data-attention=${bad}>${bad ? t("health_attention", { n: bad }) : t("health_all_fine")}</p>
    <${v.Section} title=${t("health_watched")}><${Watched} figures=${figures}/><//>
    <${v.Section} title=${t("health_stages")}><${Stages} found=${found.values} before=${before.values}/><//>
    ${budgets.length > 0 && html`<${v.Section} title=${t("health_budgets")}><${Budgets} budgets=${budgets}/><//>`}`;
}

export function Page() {
  const load = useLoad(async (signal) => {
    const [ready, found] = await Promise.all([readiness(signal), mayReadFigures() ? metrics(signal) : null]);
    return { ready, found, at: new Date().toISOString() };
  }, []);
  const first = useRef(null);
  const again = useRef(load.again);
  again.current = load.again;
  useEffect(() => {
    const timer = setInterval(() => !document.hidden && again.current(), REFRESH_MS);
    return () => clearInterval(timer);
  }, []);
  const { ready, found, at } = load.value ?? {};
  first.current ??= found ?? null;
  const { version, ruleset } = session.value;
  const started = found?.values.value("kuzet_start_time_seconds");
  const facts = [
    [t("health_version"), version], [t("ruleset"), html`<code>${ruleset}</code>`],
    started && [t("health_started"), time(new Date(started * 1000).toISOString())],
    at && [t("health_as_of"), time(at, true)],
  ];
  return html`<div class="page"><${v.Heading} title=${t("nav_health")}/>
    ${load.error && html`<${v.Failure} error=${load.error} retry=${load.again}/>`}
    ${!ready && !load.error && html`<${v.Loading}/>`}
    ${ready && html`<section class="card"><${Ready} ready=${ready}/><${v.Facts} pairs=${facts}/></section>`}
    ${ready && !found && html`<${v.Empty}>${t(mayReadFigures() ? "health_unread" : "health_role")}<//>`}
    ${found && html`<${Figures} found=${found} before=${first.current}/>`}</div>`;
}
