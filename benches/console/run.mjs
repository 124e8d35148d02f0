// The console's figures with a long history: how soon each filter answers, what an open page costs, how soon it is there.
// A store of OPERATIONS decisions is made by posting simulated operations; then RATE new ones a second come while it is
// measured. `make bench-console` sets this up. Prints tables in Markdown; ends with 1 if a limit is missed.
//
//   KUZET        the program, target/release/kuzet
//   CHROMIUM     the browser, /usr/bin/chromium
//   OPERATIONS   decisions that are stored before, 1000000
//   RATE         new ones a second, 200
//   REQUESTS     requests of each filter, 40
//   SECONDS      how long an open page is watched, 30
import { spawn, spawnSync } from "node:child_process";
import { createReadStream, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { chromium } from "../../target/console/node_modules/playwright-core/index.mjs";
import { freePort, sleep } from "../../tests/console/service.mjs";

const ROOT = new URL("../../", import.meta.url).pathname;
const KUZET = process.env.KUZET || join(ROOT, "target/release/kuzet");
const number = (name, usual) => Number(process.env[name] || usual);
const [OPERATIONS, RATE, REQUESTS, SECONDS] = [number("OPERATIONS", 1000000), number("RATE", 200), number("REQUESTS", 40), number("SECONDS", 30)];
const LIMITS = { filter: 300, share: 5, view: 300 };
const BATCH = 1000;
const VIEWS = 5;

const folder = mkdtempSync(join(tmpdir(), "kuzet-console-"));
const missed = [];
let [service, url] = [null, ""];

const say = (text = "") => process.stdout.write(`${text}\n`);

/** The value that a share of the values does not exceed. */
function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)];
}

// The service and its history.

async function start() {
  const port = await freePort();
  const config = join(folder, "kuzet.toml");
  writeFileSync(config, `[rules]\nfolder = "${ROOT}rules"\nwatch = false\n[store]\npath = "${folder}/store"\n[http]\nlisten = "127.0.0.1:${port}"\n`);
  service = spawn(KUZET, ["--log-format", "json", "serve", "--config", config], { stdio: "ignore" });
  url = `http://127.0.0.1:${port}`;
  for (;;) {
    if (service.exitCode !== null) throw new Error("the service ended at its start");
    if (await fetch(`${url}/readyz`).then(({ ok }) => ok, () => false)) return;
    await sleep(50);
  }
}

async function post(operations) {
  const body = `[${operations.join(",")}]`;
  const response = await fetch(`${url}/v1/operations`, { method: "POST", headers: { "Content-Type": "application/json" }, body });
  await response.arrayBuffer();
  if (!response.ok) throw new Error(`the service answered ${response.status}`);
}

/** Simulates operations up to an hour ago, and posts all but those that are to come while it is measured. */
async function fill() {
  const file = join(folder, "operations.jsonl");
  const later = RATE * 600;
  const start = new Date(Date.now() - 31 * 86400e3 - 3600e3).toISOString();
  const wanted = ["simulate", "--wallets", String(Math.max(100, OPERATIONS / 20)), "--ops", String(OPERATIONS + later), "--seed", "1", "--start", start, "--days", "31", "--out", file];
  const made = spawnSync(KUZET, wanted, { stdio: ["ignore", "ignore", "inherit"] });
  if (made.status !== 0) throw new Error("the operations could not be simulated");
  const rest = [];
  let [batch, posted] = [[], 0];
  for await (const line of createInterface({ input: createReadStream(file) })) {
    if (posted === OPERATIONS) {
      rest.push(line);
      continue;
    }
    batch.push(line);
    if (batch.length === Math.min(BATCH, OPERATIONS - posted)) {
      // One after the other: operations that overtake each other would be late.
      await post(batch);
      posted += batch.length;
      batch = [];
    }
  }
  return rest;
}

/** Posts RATE operations a second as of now, until it is told to stop; gives how many came in all. */
function trickle(rest) {
  let [stopped, sent] = [false, 0];
  const began = Date.now();
  const done = (async () => {
    while (!stopped) {
      const due = Math.floor(((Date.now() - began) / 1000) * RATE) - sent;
      const now = new Date().toISOString();
      const batch = Array.from({ length: Math.min(due, BATCH) }, (_, index) => {
        const operation = JSON.parse(rest[(sent + index) % rest.length]);
        return JSON.stringify({ ...operation, op_id: `live-${sent + index}`, occurred_at: now, ref_op_id: undefined });
      });
      if (batch.length) await post(batch);
      sent += batch.length;
      await sleep(50);
    }
  })();
  return async () => {
    stopped = true;
    await done;
    return sent / ((Date.now() - began) / 1000);
  };
}

// Filters.

const list = async (query) => (await (await fetch(`${url}/v1/decisions?${new URLSearchParams({ order: "desc", limit: "100", ...query })}`)).json());

/** Filters of every kind: what is frequent, what is rare, and what is nowhere. */
async function filters() {
  const { rules } = await (await fetch(`${url}/v1/rules?period=all`)).json();
  const ranked = rules.filter(({ hits }) => hits > 0).sort((a, b) => b.hits - a.hits);
  const [frequent, rare] = [ranked[0].id, ranked.at(-1).id];
  const middle = (await list({ after: String(OPERATIONS / 2) })).decisions;
  const one = middle[0];
  const told = (seq) => fetch(`${url}/v1/operations/${seq}`).then((response) => response.json()).then(({ operation }) => operation);
  const operations = await Promise.all(middle.map(({ seq }) => told(seq)));
  const with_ = (name) => operations.find((operation) => operation[name])?.[name];
  const other = middle.find(({ counterparty }) => counterparty?.wallet_id)?.counterparty.wallet_id;
  const held = (await list({ verdict: "hold", after: String(OPERATIONS / 2) })).decisions;
  const restriction = held.flatMap(({ commands }) => commands).find((command) => command.restriction_id)?.restriction_id;
  const at = Date.parse(one.occurred_at);
  const iso = (time) => new Date(time).toISOString();
  const day = { from: iso(at - 43200e3), to: iso(at + 43200e3) };
  const nobody = "00000000-0000-4000-8000-000000000000";
  return [
    ["none", {}], ["wallet", { wallet: one.wallet_id }], ["rule, frequent", { rule: frequent }], ["rule, rare", { rule: rare }],
    ...["allow", "challenge", "hold", "refuse"].map((verdict) => [`verdict ${verdict}`, { verdict }]),
    ...["transfer", "login", "top_up", "fraud_reported", "seizure_ordered"].map((type) => [`type ${type}`, { type }]),
    ["last hour", { from: iso(Date.now() - 3600e3) }], ["a day in the middle", day],
    ["amount of 100,000 or more", { amount_min: "100000" }], ["amount of 10,000,000 or more", { amount_min: "10000000" }],
    ["amount from 4,999 to 5,000", { amount_min: "4999", amount_max: "5000" }], ["amount up to 0.01", { amount_max: "0.01" }],
    ["operation", { op_id: one.op_id }], ["decision", { decision_id: one.decision_id }], ["address", { ip: with_("ip") }],
    ["device", { device: with_("device_id") }], ["other side", { counterparty: other }], ["restriction", { restriction_id: restriction }],
    ["wallet and rule", { wallet: one.wallet_id, rule: frequent }], ["rule, held, a day", { rule: frequent, verdict: "hold", ...day }],
    ["rule, 100,000 or more", { rule: frequent, amount_min: "100000" }], ["transfers of 1,000,000 or more", { type: "transfer", amount_min: "1000000" }],
    ["wallet that is nowhere", { wallet: "nobody-at-all" }], ["rule that is nowhere", { rule: "no-such-rule" }],
    ["address that is nowhere", { ip: "203.0.113.77" }], ["operation that is nowhere", { op_id: "no-such-operation" }],
    ["decision that is nowhere", { decision_id: nobody }], ["restriction that is nowhere", { restriction_id: nobody }],
    ["before all of history", { to: "2020-01-01T00:00:00Z" }],
  ].filter(([, query]) => Object.values(query).every((value) => value !== undefined));
}

async function measureFilters() {
  say("| filter | rows | p50 ms | p95 ms | the most ms |");
  say("|---|---|---|---|---|");
  for (const [name, query] of await filters()) {
    const times = [];
    let page = null;
    for (let request = 0; request < REQUESTS; request += 1) {
      const began = performance.now();
      page = await list(query);
      times.push(performance.now() - began);
    }
    const p95 = quantile(times, 0.95);
    if (p95 >= LIMITS.filter) missed.push(`filter ${name}: p95 ${p95.toFixed(0)} ms`);
    const ended = page.next <= 1 || page.decisions.length ? "" : `, read on from ${page.next}`;
    say(`| ${name} | ${page.decisions.length}${ended} | ${quantile(times, 0.5).toFixed(1)} | ${p95.toFixed(1)} | ${Math.max(...times).toFixed(1)} |`);
  }
}

// Pages.

const launch = () => chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"] });

async function opened(browser, hash, ready) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, locale: "en-GB" });
  await context.addInitScript((selector) => {
    globalThis.shownAt = null;
    const look = () => {
      if (globalThis.shownAt === null && document.querySelector(selector)) globalThis.shownAt = performance.now();
    };
    new MutationObserver(look).observe(document, { childList: true, subtree: true });
  }, ready);
  const page = await context.newPage();
  await page.goto(`${url}/${hash}`);
  let shown = null;
  for (const until = Date.now() + 60000; shown === null; shown = await page.evaluate(() => globalThis.shownAt)) {
    if (Date.now() > until) throw new Error(`${hash} shows no ${ready}`);
    await sleep(50);
  }
  return { page, close: () => context.close(), shown };
}

/** How soon each page shows what was asked for, in a browser that has never been there. */
async function measureViews(browser) {
  const { decisions: [{ wallet_id: wallet, seq }] } = await list({ verdict: "hold" });
  const row = "tbody tr";
  const pages = [["decisions", "#/decisions", row], ["filtered decisions", "#/decisions?verdict=hold", row], ["a decision", `#/decisions/${seq}`, "article.why"],
    ["a client", `#/wallets/${encodeURIComponent(wallet)}`, row], ["restrictions", "#/restrictions", row], ["rules", "#/rules", row], ["health", "#/health", row]];
  say("| page | median ms | the most ms |");
  say("|---|---|---|");
  for (const [name, hash, ready] of pages) {
    const times = [];
    for (let view = 0; view < VIEWS; view += 1) {
      const { shown, close } = await opened(browser, hash, ready);
      times.push(shown);
      await close();
    }
    const median = quantile(times, 0.5);
    if (median >= LIMITS.view) missed.push(`${name}: first view after ${median.toFixed(0)} ms`);
    say(`| ${name} | ${median.toFixed(0)} | ${Math.max(...times).toFixed(0)} |`);
  }
}

/** Seconds of processor time that the browser's processes have had, by their kind. */
async function processorTimes(session) {
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  const times = {};
  for (const { type, cpuTime } of processInfo) times[type] = (times[type] ?? 0) + cpuTime;
  return times;
}

/** What an open page costs while nobody touches it: the page with its worker, and the whole browser. */
async function measureCost(browser) {
  const session = await browser.newBrowserCDPSession();
  say("| page | the page, % of a core | the whole browser, % of a core |");
  say("|---|---|---|");
  for (const [name, hash, ready, key] of [["decisions, held still", "#/decisions", "tbody tr"], ["decisions, the newest followed", "#/decisions", "tbody tr", "follow"], ["health", "#/health", "tbody tr"]]) {
    const { page, close } = await opened(browser, hash, ready);
    if (key) await page.locator(`[data-key="${key}"]`).click();
    await sleep(5000);
    const before = await processorTimes(session);
    await sleep(SECONDS * 1000);
    const after = await processorTimes(session);
    const share = (types) => types.reduce((sum, type) => sum + (after[type] ?? 0) - (before[type] ?? 0), 0) * 100 / SECONDS;
    const ofPage = share(["renderer"]);
    if (!key && ofPage >= LIMITS.share) missed.push(`${name}: ${ofPage.toFixed(1)} % of a core`);
    say(`| ${name} | ${ofPage.toFixed(1)} | ${share(Object.keys(after)).toFixed(1)} |`);
    await close();
  }
}

try {
  say(`${cpus().length} processors, load of the machine before: ${loadavg()[0].toFixed(2)}`);
  await start();
  const began = Date.now();
  const rest = await fill();
  say(`${OPERATIONS.toLocaleString("en")} decisions stored in ${((Date.now() - began) / 1000).toFixed(0)} s; now ${RATE} more a second`);
  const stop = trickle(rest);
  await sleep(3000);
  say();
  await measureFilters();
  say();
  const browser = await launch();
  await measureViews(browser);
  say();
  await measureCost(browser);
  await browser.close();
  say();
  say(`${(await stop()).toFixed(0)} new decisions a second in the meantime; load of the machine after: ${loadavg()[0].toFixed(2)}`);
  for (const miss of missed) say(`missed: ${miss}`);
  if (missed.length) process.exitCode = 1;
} finally {
  service?.kill();
  rmSync(folder, { recursive: true, force: true });
}
