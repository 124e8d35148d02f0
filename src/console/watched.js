// What an operator watches: figures of this instance, each with the alert of deploy/prometheus/alerts.yml that looks at
// it and that alert's limit. A test holds every name against what the service shows and what the alerts are.
import { html } from "./html.js";
import { ageText, dateText, numberText, t } from "./i18n.js";

const DAY = 86400;
const [MIB, GIB] = [1024 ** 2, 1024 ** 3];

/**
 * @typedef {object} Figure
 * @property {any} label
 * @property {any} shown
 * @property {string | null} alert
 * @property {boolean | null} isBad whether the alert's limit is passed; `null` where one instance cannot tell
 */

const bytesText = (bytes) => (bytes >= GIB ? `${numberText((bytes / GIB).toFixed(1))} GiB` : `${numberText((bytes / MIB).toFixed(0))} MiB`);
const day = (seconds) => dateText(new Date(seconds * 1000).toISOString());
const total = (samples) => samples.reduce((sum, { value }) => sum + value, 0);

/** How many operations a second were decided between two looks; `null` where no time lies between. */
function pace(found, before, seconds) {
  const decided = (from) => total(from.all("kuzet_operations_total"));
  return seconds > 0 ? Math.max(0, decided(found) - decided(before)) / seconds : null;
}

/** What waits for this instance: records in Kafka by shard, or requests in the queue. @returns {Figure[]} */
function waiting(found, before, seconds) {
  const rows = [];
  const lags = found.all("kuzet_consumer_lag_records");
  const rate = pace(found, before, seconds);
  if (lags.length) {
    const all = total(lags);
    const worst = lags.reduce((most, lag) => (lag.value > most.value ? lag : most));
    const of = all > 0 ? ` · ${t("health_worst_shard", { shard: worst.labels.shard, n: numberText(worst.value) })}` : "";
    const isBad = all > 1000 && (rate === null || all > 30 * rate);
    rows.push({ label: t("health_lag"), shown: `${numberText(all)}${of}`, alert: "KuzetLag", isBad });
  }
  const queue = found.value("kuzet_queue_requests");
  if (queue !== null && !lags.length) rows.push({ label: t("health_queue"), shown: numberText(queue), alert: null, isBad: null });
  if (rate !== null) rows.push({ label: t("health_pace"), shown: numberText(rate.toFixed(1)), alert: null, isBad: null });
  const waits = found.value("kuzet_oldest_waiting_operation_seconds");
  if (waits !== null) rows.push({ label: t("health_oldest"), shown: waits ? ageText(waits) : t("none"), alert: "KuzetHoldsAge", isBad: waits > DAY });
  return rows;
}

/** What only a fleet has. @returns {Figure[]} */
function fleet(found, before) {
  const shards = found.value("kuzet_shards");
  if (!shards) return [];
  const halted = found.all("kuzet_shard_halted").filter(({ value }) => value === 1);
  const names = halted.map(({ labels }) => labels.shard).join(", ");
  const failed = ["aborted", "unknown"].map((result) => {
    const count = (from) => from.value("kuzet_transactions_total", { result }) ?? 0;
    return count(found) - count(before);
  });
  const pending = found.value("kuzet_shared_pending_changes") ?? 0;
  return [
    { label: t("health_shards"), shown: numberText(shards), alert: "KuzetShardsUnowned", isBad: null },
    { label: t("health_halted"), shown: names || t("none"), alert: "KuzetShardHalted", isBad: halted.length > 0 },
    { label: t("health_transactions"), shown: numberText(failed[0] + failed[1]), alert: "KuzetTransactionsFail", isBad: Math.max(...failed) > 5 },
    { label: t("health_pending"), shown: numberText(pending), alert: "KuzetSharedChangesPending", isBad: pending > 10000 },
  ];
}

/** The rules that decide here. @returns {Figure[]} */
function rules(found) {
  const sets = found.all("kuzet_ruleset_info").filter(({ value }) => value === 1).map(({ labels }) => labels.ruleset);
  const loaded = found.value("kuzet_rules_last_load_successful");
  return [
    { label: t("health_ruleset"), shown: html`<code>${sets.join(", ")}</code>`, alert: "KuzetRulesetsDiffer", isBad: null },
    loaded !== null && { label: t("health_rules_loaded"), shown: t(loaded ? "yes" : "no"), alert: "KuzetRulesRefused", isBad: loaded === 0 },
  ].filter(Boolean);
}

/** The disk, and what is kept in memory. @returns {Figure[]} */
function room(found) {
  const bytes = (label, value, alert = null, isBad = null) => (value === null ? [] : [{ label: t(label), shown: bytesText(value), alert, isBad }]);
  const free = found.value("kuzet_store_free_bytes");
  const keys = found.value("kuzet_shared_keys") ?? 0;
  const limit = found.value("kuzet_shared_keys_limit") ?? 0;
  const window = found.value("kuzet_shared_window_bytes") ?? 0;
  const most = found.value("kuzet_shared_window_bytes_limit") ?? 0;
  const wallets = found.value("kuzet_state_wallets");
  return [
    ...bytes("health_free", free, "KuzetStoreNearlyFull", free < 2 * GIB),
    ...bytes("health_store", found.value("kuzet_store_bytes")),
    ...bytes("health_memory", found.value("kuzet_state_bytes")),
    wallets !== null && { label: t("health_wallets"), shown: numberText(wallets), alert: null, isBad: null },
    { label: t("health_shared"), shown: limit ? `${numberText(keys)} / ${numberText(limit)}` : numberText(keys), alert: "KuzetSharedKeysNearLimit", isBad: limit > 0 && keys > 0.8 * limit },
    most > 0 && { label: t("health_shared_bytes"), shown: `${bytesText(window)} / ${bytesText(most)}`, alert: "KuzetSharedWindowNearBytes", isBad: window > 0.8 * most },
  ].filter(Boolean);
}

/** Ages: of the databases of addresses and of the certificate. @returns {Figure[]} */
function ages(found, now) {
  const databases = found.all("kuzet_geo_database_build_timestamp_seconds").map(({ labels: { database }, value }) => {
    const isSample = found.value("kuzet_geo_database_sample", { database }) === 1;
    return {
      label: `${t("health_geo")}: ${database}`, shown: `${day(value)}${isSample ? ` · ${t("health_sample")}` : ""}`,
      alert: isSample ? "KuzetSampleGeoDatabase" : "KuzetGeoDatabaseOld", isBad: isSample || now - value > 45 * DAY,
    };
  });
  const updates = found.all("kuzet_geo_update_last_successful").map(({ labels: { database }, value }) => ({
    label: `${t("health_geo_update")}: ${database}`, shown: t(value ? "yes" : "no"), alert: "KuzetGeoUpdateFails", isBad: value === 0,
  }));
  const expiries = found.all("kuzet_tls_certificate_expiry_timestamp_seconds").map(({ value }) => ({
    label: t("health_tls"), shown: day(value), alert: "KuzetCertificateExpires", isBad: value - now < 10 * DAY,
  }));
  return [...databases, ...updates, ...expiries];
}

/** Who reads the stream, and what was decided on less than everything. @returns {Figure[]} */
function readers(found) {
  const lag = found.value("kuzet_sse_reader_lag_decisions") ?? 0;
  const behind = found.value("kuzet_http_refused_total", { reason: "reader_behind" }) ?? 0;
  const degraded = found.all("kuzet_decisions_degraded_total").filter(({ value }) => value > 0);
  return [
    { label: t("health_readers"), shown: numberText(found.value("kuzet_sse_subscribers") ?? 0), alert: null, isBad: null },
    { label: t("health_reader_lag"), shown: numberText(lag), alert: null, isBad: null },
    { label: t("health_behind"), shown: numberText(behind), alert: null, isBad: null },
    ...degraded.map(({ labels: { input }, value }) => (
      { label: `${t("health_degraded")}: ${input}`, shown: numberText(value), alert: "KuzetDegraded", isBad: null })),
  ];
}

/**
 * Every figure, in the order of its urgency. `before` is an earlier look, `seconds` ago.
 * @returns {Figure[]}
 */
export const watched = (found, before, seconds, now = Date.now() / 1000) => [
  ...waiting(found, before, seconds), ...fleet(found, before), ...rules(found), ...room(found), ...ages(found, now), ...readers(found),
];

/** What rules with a budget have spent, by the figures alone. */
export const budgetsOf = (found) => found.all("kuzet_rule_budget_stopped").map(({ labels, value }) => ({
  rule: labels.rule, shard: labels.shard, stopped: value,
  isExceeded: found.value("kuzet_rule_budget_exceeded", labels) === 1,
}));
