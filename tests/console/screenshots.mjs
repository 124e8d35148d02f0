// Pictures of the console for the documents: a day of a support agent, of an analyst and of an operator.
//
//   KUZET     the program
//   OUT       the folder for the pictures, docs/screenshots
//   CHROMIUM  the browser, /usr/bin/chromium
//   ONLY      a part of the pictures' names, for some of them
//
// It starts a service of its own with a simulated week, and one client whose operations are held.
import { spawn, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { freePort, sleep } from "./service.mjs";

const { KUZET, OUT, ROOT, CHROMIUM = "/usr/bin/chromium", ONLY = "" } = process.env;
const OPERATIONS = 12000;
const BATCH = 500;
const CLIENT = "77017770101";
const folder = mkdtempSync(join(tmpdir(), "kuzet-pictures-"));
const rules = join(folder, "rules");
const tokens = {};
let [service, url] = [null, ""];

const iso = (ago) => new Date(Date.now() - ago * 1000).toISOString();

function run(...options) {
  const done = spawnSync(KUZET, options, { encoding: "utf8" });
  if (done.status !== 0) throw new Error(`kuzet ${options.join(" ")}: ${done.stderr}`);
  return done;
}

async function start() {
  cpSync(join(ROOT, "rules"), rules, { recursive: true });
  const port = await freePort();
  let config = `[rules]\nfolder = "${rules}"\nwatch = true\n[store]\npath = "${folder}/store"\n[http]\nlisten = "127.0.0.1:${port}"\n`;
  for (const [name, roles] of [["ledger", "ledger"], ["aigerim", "support"], ["daniyar", "analyst"], ["operator", "metrics,analyst"]]) {
    const { stdout, stderr } = run("config", "token", "--name", name, "--roles", roles);
    tokens[name] = stderr.match(/kzt_\S+/)[0];
    config += stdout;
  }
  writeFileSync(join(folder, "kuzet.toml"), config);
  service = spawn(KUZET, ["--log-format", "json", "serve", "--config", join(folder, "kuzet.toml")], { stdio: "ignore" });
  url = `http://127.0.0.1:${port}`;
  while (!(await fetch(`${url}/readyz`).then(({ ok }) => ok, () => false))) {
    if (service.exitCode !== null) throw new Error("the service ended at its start");
    await sleep(100);
  }
}

async function call(path, body, name = "ledger") {
  const headers = { "Content-Type": "application/json", Authorization: `Bearer ${tokens[name]}` };
  const response = await fetch(url + path, body === undefined ? { headers } : { method: "POST", headers, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return response.json();
}

async function fill() {
  const file = join(folder, "operations.jsonl");
  run("simulate", "--wallets", "600", "--ops", String(OPERATIONS), "--seed", "4", "--start", iso(7 * 86400), "--days", "7", "--out", file);
  const lines = readFileSync(file, "utf8").trim().split("\n").map((line) => JSON.parse(line));
  for (let first = 0; first < lines.length; first += BATCH) await call("/v1/operations", lines.slice(first, first + BATCH));
  const transfer = (ago, amount, to) => ({
    op_id: `01JD8Q${String(ago).padStart(6, "0")}`, type: "transfer", occurred_at: iso(ago), wallet_id: CLIENT, client_status: "identified",
    amount, currency: "KZT", counterparty: { kind: "client", wallet_id: to }, device_id: "galaxy-a54-77c1",
  });
  const equal = Array.from({ length: 11 }, (_, number) => transfer(3000 - number * 200, "5000.00", `770155500${10 + number}`));
  await call("/v1/operations", [...equal, transfer(600, "150000.00", "77029991122"), transfer(420, "248000.00", "77029991122"), transfer(240, "64000.00", "77014443322")]);
}

const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"] });

/** Opens a page as somebody, does what is to be seen, and takes the picture. */
async function picture(name, { as, hash, scheme = "light", language = "en", width = 1280, height = 860, see, whole = false }) {
  if (!name.includes(ONLY)) return;
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: scheme, locale: "en-GB", deviceScaleFactor: 1 });
  const page = await context.newPage();
  page.setDefaultTimeout(20000);
  await context.addInitScript(({ token, code }) => {
    localStorage.setItem("kuzet.lang", code);
    sessionStorage.setItem("kuzet.token", token);
  }, { token: tokens[as], code: language });
  await page.goto(`${url}/${hash}`);
  await page.locator("main .page").waitFor();
  await see?.(page);
  await page.waitForTimeout(1500);
  await page.screenshot({ path: join(OUT, `desk-${name}.png`), fullPage: whole });
  process.stdout.write(`desk-${name}.png\n`);
  await context.close();
}

const client = `#/wallets/${CLIENT}`;
const newest = async (query) => (await call(`/v1/decisions?order=desc&limit=1&${query}`, undefined, "daniyar")).decisions[0].seq;

async function ofSupport() {
  await picture("queue", { as: "aigerim", hash: "#/restrictions?kind=hold", see: (page) => page.locator("tbody tr").first().waitFor() });
  await picture("client", { as: "aigerim", hash: client, see: (page) => page.locator(".chart canvas").waitFor(), height: 1250 });
  await picture("client-phone", { as: "aigerim", hash: client, width: 390, height: 844, language: "kk", see: (page) => page.locator("tr[data-waiting]").first().scrollIntoViewIfNeeded() });
  const choose = async (page) => {
    for (const box of [0, 1]) await page.locator("tr[data-waiting] input[type=checkbox]").nth(box).check();
    await page.locator('p.buttons button[data-action="settle"]').click();
    const dialog = page.locator("dialog[open]");
    await dialog.getByRole("radio", { name: "identity document" }).check();
    await dialog.locator('[data-will="release"], [data-will="cancel"]').first().waitFor();
    await dialog.locator('input[name="case"]').fill("CRM-20871");
    await dialog.locator('textarea[name="comment"]').fill("Called from the number of the contract, named both payees");
    return dialog;
  };
  await picture("settle", { as: "aigerim", hash: client, height: 1150, see: choose });
  const seq = await newest(`wallet=${CLIENT}&rule=equal-transfers-in-hour`);
  await picture("why", { as: "aigerim", hash: `#/decisions/${seq}`, scheme: "dark", language: "ru", height: 1000, see: async (page) => {
    await page.locator("[data-counted] summary").first().click();
  } });
  await picture("settled", { as: "aigerim", hash: client, see: async (page) => {
    const dialog = await choose(page);
    await dialog.locator('button[data-action="submit"]').click();
    await dialog.locator(".outcome").waitFor();
  } });
  await picture("done", { as: "aigerim", hash: client, see: (page) => page.locator("tr[data-act]").first().scrollIntoViewIfNeeded() });
}

async function ofAnalyst() {
  await picture("rules", { as: "daniyar", hash: "#/rules?period=7d&order=amount_stopped", see: (page) => page.locator("tbody tr").first().waitFor() });
  await picture("rules-phone", { as: "daniyar", hash: "#/rules?period=7d&order=amount_stopped", width: 390, height: 844, scheme: "dark", language: "kk", see: (page) => page.locator("tbody tr").first().waitFor() });
  await picture("filtered", { as: "daniyar", hash: "#/decisions?rule=transfer-over-100k&verdict=hold", see: (page) => page.locator("tbody tr").first().waitFor() });
  await picture("rule", { as: "daniyar", hash: "#/rules/transfer-over-100k" });
  const edited = async (page, from, to) => {
    await page.locator("[data-checked]").first().waitFor({ state: "attached" });
    const area = page.getByLabel("Rule file");
    await area.fill((await area.inputValue()).replace(from, to));
  };
  await picture("editor-error", { as: "daniyar", hash: "#/rules/transfer-over-100k/edit", see: async (page) => {
    await edited(page, "amount > 100_000 KZT", "amuont > 100_000 KZT");
    await page.locator('[data-checked="errors"]').waitFor({ state: "attached" });
  } });
  await picture("editor-impact", { as: "daniyar", hash: "#/rules/transfer-over-100k/edit", height: 1250, see: async (page) => {
    await edited(page, "amount > 100_000 KZT", "amount > 80_000 KZT");
    await page.locator('[data-checked="ok"]').waitFor({ state: "attached" });
    await page.locator('button[data-action="backtest"]').click();
    await page.locator('[data-report="done"]').waitFor({ timeout: 60000 });
    await page.locator('[data-report="done"]').evaluate((element) => element.scrollIntoView({ block: "end" }));
  } });
  await picture("decisions-dark", { as: "daniyar", hash: "#/decisions", scheme: "dark", see: (page) => page.locator("tbody tr").first().waitFor() });
}

async function ofOperator() {
  await picture("health", { as: "operator", hash: "#/health", height: 1150, see: (page) => page.locator("[data-attention]").waitFor() });
  await picture("health-dark", { as: "operator", hash: "#/health", scheme: "dark", language: "ru", see: (page) => page.locator("[data-attention]").waitFor() });
  await picture("health-phone", { as: "aigerim", hash: "#/health", width: 390, height: 600, language: "kk", see: (page) => page.locator("[data-ready]").waitFor() });
}

try {
  await start();
  await fill();
  await ofAnalyst();
  await ofOperator();
  await ofSupport();
} finally {
  await browser.close();
  service?.kill();
  rmSync(folder, { recursive: true, force: true });
}
