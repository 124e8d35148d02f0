// What holds of every page: files, languages, roles, keyboard, axe, small screens; the health page.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import playwright from "playwright-core";
import { checkTypes } from "./types.mjs";
import { vendored } from "./vendor.mjs";
import {
  FIREFOX, HOSTILE, ID_MOST, WAIT, accessible, auth, call, decide, goTo, heading, now, open, queued, rows, tokens, told, transfer, transferOf, unique, url, walletHash,
} from "./support.mjs";

test("the vendored libraries are those of the packages", { skip: !process.env.KUZET_CONSOLE }, () => {
  const folder = join(process.env.KUZET_CONSOLE, "vendor");
  const files = vendored();
  assert.deepEqual(readdirSync(folder).sort(), [...files.keys()].sort());
  for (const [name, text] of files) assert.equal(readFileSync(join(folder, name), "utf8"), text, name);
});

test("the types of the console fit each other, its libraries and the interface of the service", { skip: !process.env.KUZET_CONSOLE }, async () => {
  const complaints = await checkTypes(process.env.KUZET_CONSOLE, await call("/openapi.json"));
  assert.equal(complaints, "");
});

/** What a page loads of script, compressed as a proxy would, and how soon its first view stands. */
test("pages are small and soon there", async (context) => {
  const decision = await transfer(unique("small"));
  const pages = ["#/decisions", walletHash(decision.wallet_id), "#/rules", "#/rules/transfer-over-100k", "#/rules/transfer-over-100k/edit", "#/backtests", "#/health"];
  for (const hash of pages) {
    const sizes = [];
    const size = async (response) => {
      if (/\.js$/.test(response.url())) sizes.push(gzipSync(await response.body()).length);
    };
    const began = Date.now();
    const role = /edit|backtests/.test(hash) ? "analyst" : "support";
    const { page, close } = await open({ role, hash, expected: ["403"], before: (fresh) => fresh.on("response", size) });
    await page.locator("main .page").waitFor();
    const shown = Date.now() - began;
    if (hash.startsWith("#/wallets")) await page.locator(".chart canvas").waitFor();
    await page.waitForTimeout(300);
    const all = sizes.reduce((sum, bytes) => sum + bytes, 0);
    context.diagnostic(`${hash}: ${Math.round(all / 1024)} KiB of script, first view of a fresh profile after ${shown} ms`);
    assert.ok(all > 10000 && all < 100 * 1024, `${hash}: ${all} bytes`);
    await close();
  }
});

test("the three languages have the same texts", { skip: !process.env.KUZET_CONSOLE }, async () => {
  const texts = async (code) => (await import(join(process.env.KUZET_CONSOLE, `texts/${code}.js`))).default;
  const names = (text) => [...text.matchAll(/\{\w+\}/g)].map(([name]) => name).sort();
  const english = await texts("en");
  const folder = process.env.KUZET_CONSOLE;
  for (const name of [...readdirSync(folder), ...readdirSync(join(folder, "pages")).map((page) => `pages/${page}`)].filter((file) => file.endsWith(".js"))) {
    for (const [, key] of readFileSync(join(folder, name), "utf8").matchAll(/\bt[n]?\("(\w+)"/g)) assert.ok(key in english, `${name}: ${key}`);
  }
  for (const code of ["kk", "ru"]) {
    const other = await texts(code);
    assert.deepEqual(Object.keys(other).sort(), Object.keys(english).sort());
    for (const [key, text] of Object.entries(other)) assert.deepEqual(names(text), names(english[key]), `${code} ${key}`);
  }
});

test("roles: an analyst lifts nothing, support reloads nothing", async (context) => {
  if (!auth) return context.skip("the service has no tokens");
  const wallet = unique("role");
  await transfer(wallet);
  const analyst = await open({ role: "analyst", hash: "#/restrictions" });
  await queued(analyst.page, wallet);
  assert.equal(await analyst.page.locator("button[data-action=confirm], button[data-action=ip], button[data-action=unblock]").count(), 0);
  await goTo(analyst.page, walletHash(wallet));
  await analyst.page.getByRole("heading", { name: "Active restrictions" }).waitFor();
  assert.equal(await analyst.page.locator('main button[data-action]:not([data-action="copy"])').count(), 0);
  await goTo(analyst.page, "#/rules");
  const reload = analyst.page.locator('button[data-action="reload"]');
  await reload.click();
  await analyst.page.locator(".state.success").waitFor();
  await analyst.close();

  const support = await open({ role: "support", hash: "#/rules" });
  await rows(support.page).first().waitFor();
  assert.equal(await support.page.locator("button[data-action=reload], button[data-action=rollback]").count(), 0);
  await goTo(support.page, "#/restrictions");
  await (await queued(support.page, wallet)).locator("button[data-action=confirm]").waitFor();
  await support.close();
});

test("a 403 is said clearly", async (context) => {
  if (!auth) return context.skip("the service has no tokens");
  const wallet = unique("forbidden");
  await transfer(wallet);
  // The page is told that it may, the service still says no.
  const { page, close } = await open({
    role: "analyst", hash: "#/restrictions", expected: ["403"],
    before: (fresh) => fresh.route("**/v1/session", async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, json: { ...(await response.json()), roles: ["support", "analyst"] } });
    }),
  });
  await (await queued(page, wallet)).locator("button[data-action=confirm]").click();
  await page.locator("dialog[open]").getByRole("radio", { name: "PIN" }).check();
  await page.locator('dialog[open] button[data-action="submit"]').click();
  await page.locator("dialog[open] .state.error").getByText("You may not do this").waitFor();
  await close();
});

test("a wrong token is asked for again, a right one is kept in this tab, and logging out forgets it", async (context) => {
  if (!auth) return context.skip("the service has no tokens");
  const { page, close } = await open({ role: null, expected: ["401"] });
  await page.locator("#token").fill("not a token of anybody");
  await page.keyboard.press("Enter");
  await page.getByText("This token was not accepted").waitFor();
  await page.locator("#token").fill(tokens.support);
  await page.keyboard.press("Enter");
  await rows(page).first().waitFor();
  assert.equal(await page.evaluate(() => sessionStorage.getItem("kuzet.token")), tokens.support);
  assert.equal(await page.evaluate(() => JSON.stringify(localStorage).includes(sessionStorage.getItem("kuzet.token"))), false);
  await page.reload();
  await rows(page).first().waitFor();
  await page.locator('button[data-action="logout"]').click();
  await page.locator("#token").waitFor();
  assert.equal(await page.evaluate(() => sessionStorage.getItem("kuzet.token")), null);
  await close();
});

test("language and theme are switched and remembered", async () => {
  const { page, close } = await open({ hash: "#/rules" });
  await page.getByRole("heading", { level: 1, name: "Rules" }).waitFor();
  for (const [code, title] of [["kk", "Ережелер"], ["ru", "Правила"]]) {
    await page.locator(`button[data-lang="${code}"]`).click();
    await page.getByRole("heading", { level: 1, name: title }).waitFor();
    assert.equal(await page.locator("html").getAttribute("lang"), code);
  }
  const background = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  const light = await background();
  await page.locator("#theme").selectOption("dark");
  const dark = await background();
  assert.notEqual(dark, light);
  await page.reload();
  await page.getByRole("heading", { level: 1, name: "Правила" }).waitFor();
  assert.equal(await background(), dark);
  await page.locator("#theme").selectOption("light");
  assert.equal(await background(), light);
  await close();

  const asSystem = await open({ hash: "#/rules", scheme: "dark" });
  await asSystem.page.getByRole("heading", { level: 1, name: "Rules" }).waitFor();
  assert.equal(await asSystem.page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor), dark);
  await asSystem.close();
});

test("a hostile wallet id is text and nothing else, and its page can be used", async () => {
  const wallet = HOSTILE + unique("x").slice(-12);
  assert.ok(wallet.length <= ID_MOST);
  const { page, close } = await open({ hash: "#/decisions" });
  await page.locator('.stream[data-state="live"]').waitFor();
  await page.keyboard.press("p");
  const decision = await transfer(wallet);
  const row = page.locator(`tr[data-seq="${decision.seq}"]`);
  await row.waitFor();
  assert.ok((await row.innerText()).includes(wallet));
  await row.locator("a.id").first().click();
  await page.getByRole("heading", { name: "Active restrictions" }).waitFor();
  assert.ok((await heading(page).innerText()).includes(wallet));
  await page.locator(".chart canvas").waitFor();
  await goTo(page, `#/decisions/${decision.seq}`);
  await page.getByRole("heading", { name: "Why" }).waitFor();
  await goTo(page, "#/restrictions");
  await (await queued(page, wallet)).locator('button[data-action="confirm"]').click();
  await page.locator("dialog[open]").getByRole("radio", { name: "PIN" }).check();
  await page.locator('dialog[open] button[data-action="submit"]').click();
  await page.locator("dialog[open] .outcome .commands li").first().waitFor();
  const turned = await transfer(`7701\u202e${unique("9")}`);
  await goTo(page, `#/decisions/${turned.seq}`);
  await page.locator("main a.id", { hasText: "7701\\u{202e}" }).first().waitFor();
  assert.equal(await page.locator("main img, main script, dialog img, dialog script, body > img").count(), 0);
  await close();
});

test("the keyboard alone is enough", async () => {
  const wallet = unique("keys");
  await transfer(wallet);
  const { page, close } = await open();
  await rows(page).first().waitFor();
  await page.keyboard.press("p");
  await page.locator('.stream[data-rows="following"]').waitFor();
  await page.keyboard.press("g");
  await page.keyboard.press("r");
  await rows(page).first().waitFor();
  await page.getByRole("heading", { level: 1, name: "Restrictions" }).waitFor();
  await page.keyboard.press("g");
  await page.keyboard.press("u");
  await page.getByRole("heading", { level: 1, name: "Rules" }).waitFor();
  await rows(page).nth(1).waitFor();
  for (const key of ["j", "j", "k"]) await page.keyboard.press(key);
  assert.ok(await rows(page).first().evaluate((row) => row.contains(document.activeElement)));
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Rule file" }).waitFor();
  await page.keyboard.press("?");
  await page.locator("dialog[open] kbd").first().waitFor();
  await page.keyboard.press("Escape");
  await page.locator("dialog").waitFor({ state: "detached" });
  await page.keyboard.press("/");
  await page.locator("#search:focus").waitFor();
  await page.keyboard.type(wallet);
  await page.keyboard.press("Enter");
  // Not the heading of the search, which names what is sought too.
  const opened = page.getByRole("heading", { level: 1, name: `Wallet ${wallet}`, exact: true });
  await opened.waitFor();
  await page.reload();
  await opened.waitFor();
  await page.locator('.toolbar button[data-action="confirm"]').waitFor();
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "main", "the skip link leads to the content");
  for (let steps = 0; steps < 20 && (await page.evaluate(() => document.activeElement.dataset.action)) !== "confirm"; steps += 1) await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.locator("dialog[open]").waitFor();
  await page.keyboard.press("Space");
  await page.locator("dialog[open] [data-foreseen]").waitFor();
  await page.keyboard.press("Enter");
  await page.locator("dialog[open] .outcome").getByText("Carry out operation").waitFor();
  await page.keyboard.press("Enter");
  await page.getByText("This wallet has no restrictions.").waitFor();
  await page.locator("dialog").waitFor({ state: "detached" });
  const stays = await page.evaluate(() => document.getElementById("main").contains(document.activeElement));
  assert.ok(stays, "the keyboard stays in the page");
  await close();
});

test("what is not there is said so", async () => {
  const { page, close } = await open({ hash: walletHash(unique("nobody")), expected: ["404"] });
  await page.getByText("This wallet is not known.").waitFor();
  await goTo(page, "#/decisions/999999999");
  await page.getByText("There is no such record.").waitFor();
  await goTo(page, "#/rules/no-such-rule");
  await page.getByText("There is no such record.").waitFor();
  await goTo(page, "#/wallets/..");
  await page.getByText("Such an id cannot be opened by its address.").waitFor();
  await close();
});

test("every page and dialog passes axe, light and dark", async () => {
  const wallet = unique("axe");
  const held = await transfer(wallet);
  await transfer(wallet, "160000.00");
  await call(`/v1/wallets/${wallet}/wallet-block-requested`, { body: {}, role: "support" });
  for (const [scheme, language] of [["light", "kk"], ["dark", "en"]]) {
    const { page, close } = await open({ scheme, language, hash: "#/search?q=nothing-like-this", expected: ["404", "400", "403"] });
    await page.locator(".state.muted").waitFor();
    await accessible(page, "search");
    for (const hash of ["#/decisions", `#/decisions/${held.seq}`, "#/restrictions", "#/rules", "#/rules/transfer-over-100k", "#/rules/transfer-over-100k/edit", "#/rules/some-rule/new", "#/backtests", "#/health", walletHash(wallet)]) {
      await goTo(page, hash);
      await page.locator("main .page").waitFor();
      await page.locator("main .state[role=status]").first().waitFor({ state: "detached" });
      await accessible(page, `${scheme} ${hash}`);
    }
    await page.locator(".chart canvas").waitFor();
    const actions = await page.locator(".toolbar button[data-action]").evaluateAll((all) => all.map((button) => button.dataset.action));
    assert.ok(actions.length >= 10, String(actions));
    for (const button of [...actions.map((name) => `.toolbar button[data-action="${name}"]`), 'tr[data-waiting] button[data-action="settle"]']) {
      await page.locator(button).first().click();
      await page.locator("dialog[open]").waitFor();
      await page.locator("dialog[open] p.muted.small", { hasText: /…$/ }).waitFor({ state: "detached" });
      await accessible(page, `${scheme} ${button}`);
      await page.keyboard.press("Escape");
      await page.locator("dialog").waitFor({ state: "detached" });
    }
    await close();
  }
  for (const scheme of ["light", "dark"]) {
    const { page, close } = await open({ role: "analyst", scheme, language: "kk", hash: "#/rules/transfer-over-100k", expected: ["409", "422"] });
    for (const [hash, names] of [["#/rules/transfer-over-100k", ["demote", "off", "withdraw", "remove"]], ["#/rules", ["new"]]]) {
      await goTo(page, hash);
      for (const name of names) {
        await page.locator(`main button[data-action="${name}"]`).click();
        if (name !== "new") await told(page);
        await accessible(page, `${scheme} ${name}`);
        await page.keyboard.press("Escape");
        await page.locator("dialog").waitFor({ state: "detached" });
      }
    }
    await close();
  }
});

// Playwright drives Debian's Firefox by WebDriver BiDi; the version that is pinned has this under a name of its own.
test("every page passes axe in Firefox too, light and dark", { skip: !existsSync(FIREFOX) && `no Firefox at ${FIREFOX}` }, async (context) => {
  const wallet = unique("fox");
  const held = await transfer(wallet);
  await transfer(wallet, "160000.00");
  const other = await playwright._bidiFirefox.launch({ executablePath: FIREFOX });
  context.after(() => other.close());
  for (const [scheme, language] of [["light", "ru"], ["dark", "kk"]]) {
    const page = await (await other.newContext({ viewport: { width: 1280, height: 900 } })).newPage();
    page.setDefaultTimeout(WAIT);
    await page.goto(`${url}/theme.js`);
    await page.evaluate((chosen) => {
      localStorage.setItem("kuzet.lang", chosen.language);
      localStorage.setItem("kuzet.theme", chosen.scheme);
      if (chosen.token) sessionStorage.setItem("kuzet.token", chosen.token);
    }, { scheme, language, token: auth ? tokens.support : null });
    await page.goto(`${url}/#/decisions`);
    for (const hash of ["#/decisions", `#/decisions/${held.seq}`, "#/restrictions", "#/rules", "#/rules/transfer-over-100k", "#/health", walletHash(wallet)]) {
      await goTo(page, hash);
      await page.locator("main .page").waitFor();
      await page.locator("main .state[role=status]").first().waitFor({ state: "detached" });
      if (hash === "#/health") await page.locator("[data-ready]").waitFor();
      await accessible(page, `Firefox ${scheme} ${hash}`);
    }
    await page.locator('tr[data-waiting] button[data-action="settle"]').first().click();
    await page.locator("dialog[open]").waitFor();
    await accessible(page, `Firefox ${scheme} dialog`);
  }
});

test("the operator sees whether the service decides, and what needs attention", async () => {
  for (const role of ["support", "analyst"]) {
    const { page, close } = await open({ role, hash: "#/health" });
    await page.locator('[data-ready="true"]').waitFor();
    if (auth) await page.getByText("Only a token with the role metrics").waitFor();
    else {
      await page.locator('[data-alert="KuzetSampleGeoDatabase"][data-bad="true"]').waitFor();
      for (const alert of ["KuzetStoreNearlyFull", "KuzetRulesetsDiffer", "KuzetHoldsAge"]) await page.locator(`[data-alert="${alert}"]`).first().waitFor();
      await page.locator('[data-stage="end_to_end"]').waitFor();
      assert.ok(Number(await page.locator("[data-attention]").getAttribute("data-attention")) > 0);
    }
    await close();
  }
});

test("whoever may not read the figures sees why nothing is decided", async () => {
  const trouble = { title: "Service Unavailable", status: 503, detail: "the store cannot be written: no space left on the device" };
  const refuse = (page) => page.route("**/readyz", (route) => route.fulfill({ status: 503, contentType: "application/problem+json", body: JSON.stringify(trouble) }));
  const { page, close } = await open({ hash: "#/health", expected: ["503"], before: refuse });
  await page.locator('[data-ready="false"]').waitFor();
  assert.match(await page.locator("[data-ready]").innerText(), /no space left on the device/);
  await close();
});

test("what waits in Kafka, halted shards and spent budgets are told from the figures of a fleet", { skip: !process.env.KUZET_CONSOLE }, async () => {
  const from = (file) => import(join(process.env.KUZET_CONSOLE, file));
  const [{ parseMetrics }, { budgetsOf, watched }] = await Promise.all([from("metrics.js"), from("watched.js")]);
  const figures = (decided, lag) => parseMetrics(`# HELP kuzet_shards Shards of this process
kuzet_operations_total{type="transfer"} ${decided}
kuzet_consumer_lag_records{shard="3"} ${lag}
kuzet_consumer_lag_records{shard="7"} 200
kuzet_shards 2
kuzet_shard_halted{shard="3"} 0
kuzet_shard_halted{shard="7"} 1
kuzet_transactions_total{result="aborted"} 9
kuzet_rule_budget_stopped{rule="a-rule",shard="7"} 501
kuzet_rule_budget_exceeded{rule="a-rule",shard="7"} 1
`);
  const alerts = (decided, lag) => {
    const found = watched(figures(decided, lag), figures(0, lag), 10);
    return new Map(found.filter(({ alert }) => alert).map(({ alert, isBad }) => [alert, isBad]));
  };
  // 100 a second were decided: 3,000 records are half a minute's work.
  assert.equal(alerts(1000, 2800).get("KuzetLag"), false);
  assert.equal(alerts(1000, 2801).get("KuzetLag"), true);
  assert.equal(alerts(0, 800).get("KuzetLag"), false, "so few are none to speak of");
  assert.equal(alerts(0, 801).get("KuzetLag"), true, "and nothing is decided");
  const found = alerts(1000, 0);
  assert.equal(found.get("KuzetShardHalted"), true);
  assert.equal(found.get("KuzetTransactionsFail"), false, "they failed before this page was opened");
  assert.deepEqual(budgetsOf(figures(0, 0)), [{ rule: "a-rule", shard: "7", stopped: 501, isExceeded: true }]);
});

test("pages fit a narrow screen in every language", async () => {
  const wallet = unique("narrow");
  const decision = await transfer(wallet);
  for (const language of ["kk", "ru", "en"]) {
    const { page, close } = await open({ width: 400, language, expected: ["403"] });
    for (const hash of ["#/decisions", `#/decisions/${decision.seq}`, walletHash(wallet), "#/restrictions", "#/rules", "#/rules/transfer-over-100k", "#/rules/transfer-over-100k/edit", "#/rules/some-rule/new", "#/backtests", "#/health"]) {
      await goTo(page, hash);
      await page.locator("main .page").waitFor();
      if (hash === "#/health") await page.locator("[data-ready]").waitFor();
      else if (hash.startsWith("#/wallets")) await page.locator(".chart canvas").waitFor();
      else if (!hash.includes("/", 2) && hash !== "#/backtests") await rows(page).first().waitFor();
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `${language} ${hash} is ${wide} px too wide`);
    }
    await close();
  }
});

test("5,000 decisions at once leave the page usable", async (context) => {
  const { page, close } = await open();
  await page.locator('.stream[data-state="live"]').waitFor();
  await page.keyboard.press("p");
  await page.evaluate(() => {
    globalThis.longest = 0;
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) globalThis.longest = Math.max(globalThis.longest, entry.duration);
    }).observe({ entryTypes: ["longtask"] });
  });
  const began = Date.now();
  const operation = () => ({ op_id: unique("op"), occurred_at: now(), ...transferOf(unique("burst"), "500.00") });
  const batches = Array.from({ length: 5 }, () => call("/v1/operations", { body: Array.from({ length: 1000 }, operation) }));
  await Promise.all(batches);
  const decided = Date.now();
  const { decisions: [newest] } = await call("/v1/decisions?after=-1");
  await page.locator(`tr[data-seq="${newest.seq}"]`).waitFor();
  const [shown, longest] = [Date.now(), await page.evaluate(() => globalThis.longest)];
  assert.equal(await rows(page).first().getAttribute("data-seq"), String(newest.seq));
  assert.equal(await rows(page).count(), 500, "the oldest rows are left out");
  await page.keyboard.press("p");
  await page.locator('.stream[data-rows="still"]').waitFor();
  context.diagnostic(`decided in ${decided - began} ms, shown ${shown - decided} ms later, longest task ${Math.round(longest)} ms`);
  await close();
});

test("a service that stops and starts again is followed without a gap", async () => {
  const folder = mkdtempSync(join(tmpdir(), "kuzet-console-"));
  const config = join(folder, "kuzet.toml");
  /** Starts a service of this test's own; gives its process and its port. */
  async function start(port) {
    writeFileSync(config, `[store]\npath = "${join(folder, "store")}"\n[http]\nlisten = "127.0.0.1:${port}"\nshutdown_grace = "1s"\n`);
    const service = spawn(process.env.KUZET_BIN, ["serve", "--config", config, "--log-format", "json"], { env: {}, stdio: ["ignore", "ignore", "pipe"] });
    let log = "";
    for await (const piece of service.stderr.iterator({ destroyOnReturn: false })) {
      log += piece;
      const found = /"the service is ready".*?"address":"127\.0\.0\.1:(\d+)"/.exec(log);
      if (!found) continue;
      service.stderr.resume();
      return { service, port: found[1], from: `http://127.0.0.1:${found[1]}` };
    }
    throw new Error(`the service did not start: ${log}`);
  }
  async function stop({ service }) {
    service.kill("SIGTERM");
    assert.deepEqual(await once(service, "exit"), [0, null]);
  }

  let running = await start(0);
  try {
    const { from, port } = running;
    const before = await decide(transferOf(unique("W"), "150000.00"), from);
    const { page, close } = await open({ from, expected: ["net::ERR", "Failed to load resource"] });
    await page.locator('.stream[data-state="live"]').waitFor();
    await page.locator(`tr[data-seq="${before.seq}"]`).waitFor();
    await page.keyboard.press("p");
    await stop(running);
    await page.locator('.stream[data-state="retry"]').waitFor();
    await goTo(page, "#/restrictions");
    await page.getByText("The server cannot be reached.").waitFor();
    await goTo(page, "#/rules");
    const retry = page.getByRole("button", { name: "Try again" });
    await retry.waitFor();
    running = await start(port);
    const missed = await decide(transferOf(unique("W"), "160000.00"), from);
    await retry.click();
    await rows(page).first().waitFor();
    await goTo(page, "#/decisions");
    for (const { seq } of [missed, before]) await page.locator(`tr[data-seq="${seq}"]`).waitFor();
    // Once more with the live page open all the while.
    await page.locator('.stream[data-state="live"]').waitFor();
    await page.keyboard.press("p");
    await stop(running);
    await page.locator('.stream[data-state="retry"]').waitFor();
    running = await start(port);
    const after = await decide(transferOf(unique("W"), "170000.00"), from);
    await page.locator(`tr[data-seq="${after.seq}"]`).waitFor();
    await page.locator('.stream[data-state="live"]').waitFor();
    await close();
  } finally {
    running.service.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  }
});
