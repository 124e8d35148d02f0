// The operator's page: whether the service decides, how fast, and what comes near a limit.
import { get, Problem, session, token, useLoad } from "../api.js";
import { html, useEffect, useRef } from "../html.js";
import { ageText, dateText, numberText, t, time, word } from "../i18n.js";
import * as v from "../parts.js";
import { parseMetrics, quantile } from "../metrics.js";

const REFRESH_MS = 5000;
const DAY = 86400;
/** The stages of a decision in their order. */
const STAGES = ["fetch", "decode", "enrich", "decide", "commit", "end_to_end"];
const GIB = 1024 ** 3;

async function readiness(signal) {
  try {
    return await get("/readyz", signal);
  } catch (error) {
    if (error instanceof Problem && error.status === 503) return { ready: false, reason: error.body.detail ?? error.message };
    throw error;
  }
}

/** The metrics as they are now; `null` for those who may not read them. */
async function metrics(signal) {
  const headers = token() ? { Authorization: `Bearer ${token()}` } : {};
  const response = await fetch("/metrics", { headers, signal, cache: "no-store", credentials: "omit" });
  if (response.status === 403 || response.status === 404) return null;
  if (!response.ok) throw new Problem(response.status);
  return parseMetrics(await response.text());
}

const bytesText = (bytes) => (bytes >= GIB ? `${numberText((bytes / GIB).toFixed(1))} GiB` : `${numberText((bytes / 1024 ** 2).toFixed(0))} MiB`);
const secondsText = (seconds) => (seconds === null ? "—" : seconds < 1 ? `${numberText((seconds * 1000).toFixed(1))} ms` : `${numberText(seconds.toFixed(2))} s`);

/** What an alert of Prometheus looks at, with its limit: `[key, value, shown, alert, isBad]`. */
function watched(found) {
  const now = Date.now() / 1000;
  const one = (name, labels) => found.value(`kuzet_${name}`, labels);
  const all = (name) => found.all(`kuzet_${name}`);
  const rows = [];
  const add = (label, value, shown, alert = null, isBad = false) => value !== null && rows.push({ label, shown, alert, isBad });
  const waits = one("oldest_waiting_operation_seconds");
  add(t("health_oldest"), waits, waits ? ageText(waits) : t("none"), "KuzetHoldsAge", waits > DAY);
  const free = one("store_free_bytes");
  add(t("health_free"), free, free !== null && bytesText(free), "KuzetStoreNearlyFull", free < 2 * GIB);
  const store = one("store_bytes");
  add(t("health_store"), store, store !== null && bytesText(store));
  for (const { labels, value } of all("geo_database_build_timestamp_seconds")) {
    const isSample = one("geo_database_sample", labels) === 1;
    const alert = isSample ? "KuzetSampleGeoDatabase" : "KuzetGeoDatabaseOld";
    const shown = `${dateText(new Date(value * 1000).toISOString())}${isSample ? ` · ${t("health_sample")}` : ""}`;
    add(`${t("health_geo")}: ${labels.database}`, value, shown, alert, isSample || now - value > 45 * DAY);
  }
  const loaded = one("rules_last_load_successful");
  add(t("health_rules_loaded"), loaded, t(loaded ? "yes" : "no"), "KuzetRulesRefused", loaded === 0);
  for (const { labels, value } of all("lag_operations").concat(all("consumer_lag"))) {
    add(`${t("health_lag")}: ${Object.values(labels).join(" ")}`, value, numberText(value), "KuzetLag", value > 10000);
  }
  const keys = one("shared_keys");
  const limit = one("shared_keys_limit");
  add(t("health_shared"), keys, limit ? `${numberText(keys)} / ${numberText(limit)}` : numberText(keys ?? 0), "KuzetSharedKeysNearLimit", limit > 0 && keys > 0.8 * limit);
  const pending = one("shared_pending_changes");
  add(t("health_pending"), pending, numberText(pending ?? 0), "KuzetSharedChangesPending", pending > 10000);
  const expiry = one("tls_certificate_expiry_timestamp_seconds");
  add(t("health_tls"), expiry, expiry !== null && dateText(new Date(expiry * 1000).toISOString()), "KuzetCertificateExpires", expiry - now < 10 * DAY);
  for (const { labels, value } of all("decisions_degraded_total").filter(({ value: count }) => count > 0)) {
    add(`${t("health_degraded")}: ${labels.input}`, value, numberText(value));
  }
  const readers = one("sse_subscribers");
  add(t("health_readers"), readers, numberText(readers ?? 0));
  const behind = one("http_refused_total", { reason: "reader_behind" });
  add(t("health_behind"), behind, numberText(behind ?? 0));
  const wallets = one("state_wallets");
  add(t("health_wallets"), wallets, numberText(wallets ?? 0));
  const memory = one("state_bytes");
  add(t("health_memory"), memory, memory !== null && bytesText(memory));
  return rows;
}

function Watched({ found }) {
  const columns = [{ title: t("health_what"), class: "wide" }, { title: t("value"), class: "right" }, { title: t("col_state") }, { title: t("health_alert") }];
  const rows = watched(found).map(({ label, shown, alert, isBad }) => html`<${v.Row} isFixed columns=${columns} data-alert=${alert} data-bad=${String(isBad)} cells=${[
    label, html`<span class="num">${shown}</span>`,
    alert ? html`<span class=${`badge ${isBad ? "verdict-refuse" : "verdict-allow"}`}>${t(isBad ? "health_bad" : "health_good")}</span>` : "—",
    alert ? html`<code>${alert}</code>` : "—",
  ]}/>`);
  return html`<${v.Table} columns=${columns} name=${t("health_watched")}>${rows}<//><p class="muted small">${t("health_runbook")}</p>`;
}

/** What a stage took: of what was decided since the page was opened, or of everything before that. */
function Stages({ found, before }) {
  const columns = [{ title: t("health_stage") }, { title: t("health_batches"), class: "right" }, { title: "p50", class: "right" }, { title: "p99", class: "right" }];
  const rows = STAGES.map((stage) => {
    const [now, then] = [found, before].map((from) => from.histogram("kuzet_stage_duration_seconds", { stage }));
    const since = now.count > then.count ? now.minus(then) : now;
    return html`<${v.Row} isFixed columns=${columns} cells=${[word("stage_", stage), numberText(since.count), secondsText(quantile(since, 0.5)), secondsText(quantile(since, 0.99))]}/>`;
  });
  return html`<${v.Table} columns=${columns} name=${t("health_stages")}>${rows}<//>`;
}

function Ready({ ready }) {
  const { ready: isReady, reason, warnings = [] } = ready;
  return html`<p class="summary" data-ready=${String(isReady)}><span class=${`badge ${isReady ? "verdict-allow" : "verdict-refuse"}`}>
      ${t(isReady ? "health_ready" : "health_not_ready")}</span> ${reason}</p>
    ${warnings.map((warning) => html`<p class="warning">${warning}</p>`)}`;
}

export function Page() {
  const load = useLoad(async (signal) => {
    const [ready, found] = await Promise.all([readiness(signal), metrics(signal)]);
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
  const started = found?.value("kuzet_start_time_seconds");
  const facts = [
    [t("health_version"), version], [t("ruleset"), html`<code>${ruleset}</code>`],
    started && [t("health_started"), time(new Date(started * 1000).toISOString())],
    at && [t("health_as_of"), time(at, true)],
  ];
  return html`<div class="page"><${v.Heading} title=${t("nav_health")}/>
    ${load.error && html`<${v.Failure} error=${load.error} retry=${load.again}/>`}
    ${!ready && !load.error && html`<${v.Loading}/>`}
    ${ready && html`<section class="card"><${Ready} ready=${ready}/><${v.Facts} pairs=${facts}/></section>`}
    ${ready && !found && html`<${v.Empty}>${t("health_role")}<//>`}
    ${found && html`<${v.Section} title=${t("health_watched")}><${Watched} found=${found}/><//>
      <${v.Section} title=${t("health_stages")}><${Stages} found=${found} before=${first.current}/><//>`}</div>`;
}
