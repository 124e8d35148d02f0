// What the tests of the console share: the service, a browser, and what is done again and again.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, request as httpRequest } from "node:http";
import { after, before } from "node:test";
import { chromium } from "playwright-core";

export const WAIT = 20000;

export const ID_MOST = 64;

export const FIREFOX = process.env.FIREFOX || "/usr/bin/firefox-esr";

export const AXE = readFileSync(new URL(import.meta.resolve("axe-core/axe.min.js")), "utf8");

export const HOSTILE = `"><img src=x onerror=alert(1)>/../%2e%00{a}'&#`;

export const url = process.env.KUZET_URL?.replace(/\/$/, "");

export const rules = process.env.KUZET_RULES;

export const tokens = { support: process.env.KUZET_TOKEN_SUPPORT, analyst: process.env.KUZET_TOKEN_ANALYST, ledger: process.env.KUZET_TOKEN_LEDGER };

export let auth = false;

export let browser = null;

before(async () => {
  assert.ok(url && rules && process.env.KUZET_BIN, "set KUZET_URL, KUZET_RULES and KUZET_BIN");
  auth = (await fetch(`${url}/v1/session`)).status === 401;
  if (auth) assert.ok(tokens.support && tokens.analyst && tokens.ledger, "the service wants tokens: set KUZET_TOKEN_SUPPORT, KUZET_TOKEN_ANALYST and KUZET_TOKEN_LEDGER");
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"] });
});

after(() => browser?.close());

export let count = 0;

export const unique = (name) => `${name}-${Date.now().toString(36)}-${process.pid}-${(count += 1)}`;

export async function call(path, { body, role = "ledger", from = url } = {}) {
  const headers = { "Content-Type": "application/json", ...(auth && from === url ? { Authorization: `Bearer ${tokens[role]}` } : {}) };
  const response = await fetch(from + path, body === undefined ? { headers } : { method: "POST", headers, body: JSON.stringify(body) });
  const text = await response.text();
  assert.ok(response.ok, `${path}: ${response.status} ${text}`);
  return JSON.parse(text);
}

/** Has an operation decided; gives the decision as the stream has it, with its number. */
export async function decide(operation, from = url) {
  const { decision_id: id } = await call("/v1/operations", { body: { op_id: unique("op"), occurred_at: now(), ...operation }, from });
  const { decisions } = await call("/v1/decisions?after=-20", { from });
  return decisions.find((decision) => decision.decision_id === id);
}

export const now = () => new Date().toISOString();

export const transferOf = (wallet, amount) => ({
  type: "transfer", wallet_id: wallet, client_status: "identified", amount, currency: "KZT",
  counterparty: { kind: "client", wallet_id: unique("other") },
});

export const transfer = (wallet, amount = "150000.00") => decide(transferOf(wallet, amount));

export const login = (wallet, ip, outcome = "success") => decide({ type: "login", wallet_id: wallet, outcome, ip });

/** Opens the console in a fresh browser profile; `close` fails on any error or violation of the policy. */
export async function open({ role = "support", hash = "", language = "en", expected = [], width = 1280, scheme = "light", from = url, before: prepare } = {}) {
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme: scheme, locale: "en-GB" });
  const page = await context.newPage();
  page.setDefaultTimeout(WAIT);
  const faults = [];
  page.on("console", (message) => {
    if (message.type() === "error" && !expected.some((text) => message.text().includes(text))) faults.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => faults.push(`error: ${error.stack || error}`));
  page.on("dialog", (dialog) => {
    faults.push(`alert: ${dialog.message()}`);
    dialog.dismiss();
  });
  await page.exposeFunction("reportViolation", (text) => faults.push(`policy: ${text}`));
  await context.addInitScript((chosen) => {
    addEventListener("securitypolicyviolation", (event) => globalThis.reportViolation(`${event.violatedDirective} ${event.blockedURI}`));
    try {
      if (!localStorage.getItem("kuzet.lang")) localStorage.setItem("kuzet.lang", chosen.language);
      if (chosen.token && !sessionStorage.getItem("kuzet.token")) sessionStorage.setItem("kuzet.token", chosen.token);
    } catch {
      // about:blank has no storage.
    }
  }, { language, token: auth && role ? tokens[role] : null });
  await prepare?.(page);
  await page.goto(`${from}/${hash}`);
  const close = async () => {
    await context.close();
    assert.deepEqual(faults, []);
  };
  return { page, faults, close };
}

export const rows = (page) => page.locator("tbody tr[data-row]");

export const heading = (page) => page.locator("main h1");

export async function goTo(page, hash) {
  await page.evaluate((to) => {
    location.hash = to;
  }, hash);
}

/** Finds a row of the queue, which is oldest first and in pages. */
export async function queued(page, wallet) {
  const row = page.locator("tbody tr[data-wallet]", { hasText: wallet }).first();
  const next = page.getByRole("button", { name: "Next", exact: true });
  await rows(page).first().waitFor();
  while (!(await row.count()) && (await next.count()) && (await next.isEnabled())) {
    const first = await rows(page).first().getAttribute("data-restriction");
    await next.click();
    await page.locator(`tbody tr[data-restriction="${first}"]`).waitFor({ state: "detached" });
  }
  await row.waitFor();
  return row;
}

export const walletHash = (wallet) => `#/wallets/${encodeURIComponent(wallet)}`;

/** Stands between the page and the service; `cut()` breaks every open answer and, once, the next stream. */
export async function between() {
  const open = new Set();
  const asked = [];
  let isCut = false;
  const server = createServer((request, response) => {
    const isStream = /event-stream/.test(request.headers.accept || "");
    if (isStream) asked.push(request.headers["last-event-id"]);
    if (isStream && isCut) {
      isCut = false;
      response.destroy();
      return;
    }
    const { hostname, port } = new URL(url);
    const headers = { ...request.headers, host: `${hostname}:${port}` };
    const call = httpRequest({ hostname, port, path: request.url, method: request.method, headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    open.add(response);
    response.on("close", () => {
      open.delete(response);
      call.destroy();
    });
    call.on("error", () => response.destroy());
    request.pipe(call);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    from: `http://127.0.0.1:${server.address().port}`, asked, open,
    cut: () => {
      isCut = true;
      for (const response of open) response.destroy();
    },
    end: () => {
      for (const response of open) response.destroy();
      server.close();
    },
  };
}

/** Waits until the dialog shows what would become of the waiting operations. */
export async function foreseen(dialog) {
  // A field that was filled tells of its change when it is left.
  await dialog.evaluate(() => document.activeElement?.blur());
  await dialog.locator('.foreseen[data-state="ready"]').waitFor({ state: "attached" });
}

/** Opens a dialog by its button, answers it, and gives what it says was done. */
export async function act(page, button, answer = async () => {}) {
  await button.click();
  const dialog = page.locator("dialog[open]");
  await dialog.waitFor();
  await answer(dialog);
  await foreseen(dialog);
  await dialog.locator('button[data-action="submit"]').click();
  await dialog.locator(".outcome").waitFor();
  const outcome = await dialog.locator(".outcome").innerText();
  await dialog.locator('button[data-action="close"]').click();
  await dialog.waitFor({ state: "detached" });
  return outcome;
}

export const waitingCard = (page, operation) => page.locator(`[data-waiting="${operation}"]`);

/** Waits until a dialog has told what would happen, and gives the dialog. */
export async function told(page) {
  const dialog = page.locator("dialog[open]");
  // All tests of the rules are run, and the operations of days are decided again.
  await dialog.locator('[data-ahead="told"]').waitFor({ timeout: 3 * WAIT });
  return dialog;
}

/** Fails where axe finds that a page cannot be read or used by everybody. */
export async function accessible(page, name) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  assert.deepEqual(violations.map(({ id, nodes }) => [name, id, nodes.slice(0, 3).map(({ html }) => html)]), []);
}
