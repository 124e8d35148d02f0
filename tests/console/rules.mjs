// Analysts: rules, their life, the editor.
import assert from "node:assert/strict";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  accessible, auth, call, decide, goTo, open, rows, rules, tokens, told, transfer, transferOf, unique, url,
} from "./support.mjs";

test("an analyst changes a rule: errors as they are typed, tests, and what the change would have done", async () => {
  const wallet = unique("edit");
  for (const amount of ["50000.00", "60000.00"]) await transfer(wallet, amount);
  const { page, close } = await open({ role: "analyst", hash: "#/rules/transfer-over-100k" });
  await page.locator('[data-action="edit"]').click();
  await page.locator('[data-checked="ok"]').waitFor();
  const area = page.getByLabel("Rule file");
  const text = await area.inputValue();
  await area.fill(text.replace("amount > 100_000 KZT", "amuont > 100_000 KZT"));
  await page.locator('[data-checked="errors"]').waitFor({ state: "attached" });
  assert.match(await page.locator(".card pre").first().evaluate((element) => element.textContent), /amuont > 100_000 KZT.*\n.*\| +\^{6}/);
  await page.locator(".gutter .line-error").first().waitFor();
  assert.ok(await page.locator('button[data-action="test"]').isDisabled());

  await area.fill(text.replace("amount > 100_000 KZT", "amount > 40_000 KZT"));
  await page.locator('[data-checked="ok"]').waitFor();
  await page.locator('button[data-action="test"]').click();
  await page.locator("[data-tests]").waitFor();
  await page.locator('button[data-action="backtest"]').click();
  await page.locator('[data-report="done"] [data-impact="hold"]').waitFor();
  await page.reload();
  await page.locator('[data-checked="ok"]').waitFor();
  assert.match(await page.getByLabel("Rule file").inputValue(), /40_000 KZT/, "the draft stays");
  const [download] = await Promise.all([page.waitForEvent("download"), page.locator('[data-action="download"]').click()]);
  assert.match(download.suggestedFilename(), /\.yaml$/);
  await close();
});

test("an analyst saves a change once its count was seen, and every open page hears what it changed", async () => {
  const file = join(rules, "section7", "transfer-over-100k.yaml");
  const text = readFileSync(file, "utf8");
  await transfer(unique("save"));
  const reader = await open({ hash: "#/restrictions" });
  await rows(reader.page).first().waitFor();
  const { page, close } = await open({ role: "analyst", hash: "#/rules/transfer-over-100k/edit", expected: ["422"] });
  try {
    const area = page.getByLabel("Rule file");
    const save = page.locator('button[data-action="save"]');
    await page.locator('[data-checked="ok"]').waitFor();
    assert.ok(await save.isDisabled(), "nothing has changed yet");
    await area.fill(text.replace("amount > 100_000 KZT", "amount > 120_000 KZT"));
    await page.locator('[data-checked="ok"]').waitFor();
    await save.click();
    let dialog = await told(page);
    await dialog.getByText(/expected .*, found /).first().waitFor();
    assert.ok(await dialog.locator('button[data-action="submit"]').isDisabled(), "its tests fail");
    await page.keyboard.press("Escape");
    assert.equal(readFileSync(file, "utf8"), text);

    const changed = text.replace(/^severity: .*$/m, "severity: low   # for a while");
    assert.notEqual(changed, text);
    await area.fill(changed);
    await page.locator('[data-checked="ok"]').waitFor();
    await save.click();
    dialog = await told(page);
    await dialog.locator('[data-shadowed="transfer-over-100k"].warning').waitFor();
    await dialog.locator('[data-impact="hold"]').waitFor();
    await accessible(page, "save");
    await dialog.locator('input[name="live"]').check();
    await dialog.locator("[data-shadowed]").waitFor({ state: "detached" });
    dialog = await told(page);
    await dialog.locator('input[name="comment"]').fill("until the meeting");
    await dialog.locator('button[data-action="submit"]').click();
    await page.locator("[data-notice]").getByText("Saved.").waitFor();
    const began = Date.now();
    await reader.page.locator("[data-news]").getByText("severity").waitFor();
    assert.ok(Date.now() - began < 1500, `told after ${Date.now() - began} ms`);
    await accessible(reader.page, "news");
    await reader.page.getByText("«until the meeting»").waitFor();
    await reader.page.locator('[data-dismiss="news"]').click();
    await reader.page.locator("[data-news]").waitFor({ state: "detached" });
    assert.equal(readFileSync(file, "utf8"), changed, "the text is kept as it was written");
    const { history: [newest] } = await call("/v1/rules/history?limit=1", { role: "analyst" });
    assert.deepEqual([newest.cause, newest.comment], ["save", "until the meeting"]);
    await page.locator(`[data-history="${newest.ruleset}"]`, { hasText: "severity" }).waitFor();
    assert.equal(await page.evaluate(() => sessionStorage.getItem("kuzet.draft.transfer-over-100k")), null);
  } finally {
    writeFileSync(file, text);
    await call("/v1/rules/reload", { body: {}, role: "analyst" });
  }
  await close();
  await reader.close();
});

test("two analysts do not overwrite each other", async () => {
  const file = join(rules, "section7", "transfer-over-100k.yaml");
  const text = readFileSync(file, "utf8");
  const { page, close } = await open({ role: "analyst", hash: "#/rules/transfer-over-100k/edit", expected: ["409"] });
  try {
    await page.locator('[data-checked="ok"]').waitFor();
    writeFileSync(file, text.replace(/^severity: .*$/m, "severity: low"));
    await call("/v1/rules/reload", { body: {}, role: "analyst" });
    await page.getByLabel("Rule file").fill(text.replace(/^severity: .*$/m, "severity: high"));
    await page.locator('[data-checked="ok"]').waitFor();
    await page.locator('button[data-action="save"]').click();
    const dialog = await told(page);
    await dialog.getByText("has been changed since it was opened").waitFor();
    assert.ok(await dialog.locator('button[data-action="submit"]').isDisabled());
    await page.keyboard.press("Escape");
  } finally {
    writeFileSync(file, text);
    await call("/v1/rules/reload", { body: {}, role: "analyst" });
  }
  await close();
});

test("the life of a rule by keyboard: written, let act, put back, what it placed lifted, removed", async () => {
  // The history begins with the first set that decided something.
  await transfer(unique("first"));
  const id = unique("life").toLowerCase();
  const file = join(rules, "behaviour", `${id}.yaml`);
  const { page, close } = await open({ role: "analyst", hash: "#/rules", expected: ["409"] });
  const press = (name) => page.locator(`main button[data-action="${name}"]`).press("Enter");
  /** Sees what would happen, gives a reason, and agrees by keys alone. */
  const agree = async (said, comment) => {
    await told(page);
    if (comment) await page.keyboard.type(comment);
    else await page.locator('dialog[open] button[data-action="submit"]').focus();
    await page.keyboard.press("Enter");
    await page.locator("[data-notice]").getByText(said).waitFor();
    await page.locator("dialog").waitFor({ state: "detached" });
  };
  await press("new");
  await page.locator('dialog[open] input[name="id"]:focus').waitFor();
  await page.keyboard.type(id);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: `New rule ${id}` }).waitFor();
  const area = page.getByLabel("Rule file");
  await page.locator('[data-checked="ok"]').waitFor();
  // Of amounts that occur in no test in which all rules act.
  const written = (await area.inputValue()).replace("on: transfer", "on: payment").replace("> 250_000 KZT", "> 250_000 KZT and amount < 251_000 KZT   # as the committee said");
  await area.fill(written);
  const tests = page.getByLabel("Tests", { exact: true });
  await tests.fill((await tests.inputValue()).replace("type: transfer", "type: payment").replace("kind: client", "kind: merchant"));
  await page.locator('[data-checked="ok"]').waitFor();
  await press("test");
  await page.locator('[data-tests="passed"]').waitFor();
  await press("save");
  await told(page);
  await page.locator('dialog[open] input[name="comment"]').focus();
  await agree("Saved.", "a first version");
  assert.match(readFileSync(file, "utf8"), /^mode: shadow$[\s\S]*# as the committee said$/m);

  const wallet = unique("life");
  const pay = (amount) => decide({ ...transferOf(wallet, amount), type: "payment", counterparty: { kind: "merchant", wallet_id: unique("shop") } });
  await pay("250500.00");
  await press("promote");
  await agree("The rule is now: enforced", "12 of 12 were right");
  await page.locator(".heading .mode-enforce").waitFor();
  await pay("250600.00");
  await page.reload();
  for (const mode of ["shadow", "enforce"]) await page.locator(`[data-mode="${mode}"]`).waitFor();
  await page.locator('input[name="mutate"]').check();
  await press("test");
  await page.locator("[data-mutants], [data-tests=\"failed\"]").first().waitFor();
  await press("demote");
  await agree("The rule is now: shadow", "too many");
  await page.locator(".heading .mode-shadow").waitFor();
  await page.locator("[data-history]").nth(2).waitFor();
  await press("withdraw");
  await (await told(page)).locator('[data-lifts="1"]').waitFor();
  await agree("Restrictions lifted: 1.");
  const { restrictions } = await call(`/v1/restrictions?rule=${id}`);
  assert.deepEqual(restrictions, []);
  await press("remove");
  await agree("was removed", "not needed");
  await page.getByRole("heading", { level: 1, name: "Rules" }).waitFor();
  assert.equal(readdirSync(join(rules, "behaviour")).filter((name) => name.startsWith(id)).length, 0);
  await close();
});

test("rules that do not load show their carets on every open page", async () => {
  const file = join(rules, "section7", "transfer-over-100k.yaml");
  const text = readFileSync(file, "utf8");
  const { page, close } = await open({ role: "support", hash: "#/restrictions" });
  await page.locator('a[data-nav="restrictions"]').waitFor();
  try {
    await page.waitForTimeout(1000);
    writeFileSync(file, text.replace("amount > 100_000 KZT", "amuont > 100_000 KZT"));
    const headers = auth ? { Authorization: `Bearer ${tokens.analyst}` } : {};
    assert.equal((await fetch(`${url}/v1/rules/reload`, { method: "POST", headers })).status, 422);
    const began = Date.now();
    const shown = page.locator(".state.error pre").first();
    await shown.waitFor();
    assert.ok(Date.now() - began < 1500, `told after ${Date.now() - began} ms`);
    assert.match(await shown.evaluate((element) => element.textContent), /amuont > 100_000 KZT.*\n.*\| +\^{6}/);
  } finally {
    writeFileSync(file, text);
    await call("/v1/rules/reload", { body: {}, role: "analyst" });
  }
  await page.locator(".state.error").waitFor({ state: "detached" });
  await close();
});

test("a backtest is counted beside the service, and its report has an address", async () => {
  await transfer(unique("past"));
  const titles = { kk: "Өткенде тексеру", ru: "Проверка на прошлом", en: "Backtest" };
  for (const [language, title] of Object.entries(titles)) {
    const { page, close } = await open({ role: "analyst", hash: "#/backtests", language });
    await page.getByRole("heading", { level: 1, name: title }).waitFor();
    await page.locator('[data-field="days"]').selectOption("30");
    await page.locator('button[data-action="backtest"]').press("Enter");
    await page.locator('[data-figures="transfer-over-100k"]').waitFor();
    await accessible(page, "backtest");
    await page.locator("[data-report-link]").first().click();
    await page.waitForURL(/#\/backtests\/\d+$/);
    await page.locator('[data-figures="transfer-over-100k"]').waitFor();
    await page.reload();
    await page.locator('[data-figures="transfer-over-100k"]').waitFor();
    const [download] = await Promise.all([page.waitForEvent("download"), page.locator('[data-action="download"]').click()]);
    assert.match(download.suggestedFilename(), /^kuzet-backtest-\d+\.json$/);
    await close();
  }
});

test("going back to the rules before shows what it changes first", async () => {
  const file = join(rules, "section7", "transfer-over-100k.yaml");
  const text = readFileSync(file, "utf8");
  const { page, close } = await open({ role: "analyst", hash: "#/rules" });
  try {
    writeFileSync(file, text.replace(/^severity: .*$/m, "severity: low"));
    await call("/v1/rules/reload", { body: {}, role: "analyst" });
    await page.locator("[data-news]").waitFor();
    await page.locator('button[data-action="rollback"]').click();
    const dialog = await told(page);
    await dialog.locator('[data-change="transfer-over-100k"]', { hasText: "severity" }).waitFor();
    await dialog.locator('[data-report="done"]').waitFor();
    await dialog.locator('button[data-action="submit"]').click();
    await page.locator(".state.success").waitFor();
  } finally {
    writeFileSync(file, text);
    await call("/v1/rules/reload", { body: {}, role: "analyst" });
  }
  await close();
});

test("rule errors keep their carets, and decisions outlive their rules", async () => {
  const file = join(rules, "section7", "transfer-over-100k.yaml");
  const text = readFileSync(file, "utf8");
  // Tests that name a rule do not outlive it: they are set aside while it is gone.
  const ruleTests = readdirSync(rules, { recursive: true }).filter((name) => name.endsWith(".test.yaml"))
    .map((name) => [join(rules, name), readFileSync(join(rules, name))]);
  const wallet = unique("rules");
  const decision = await transfer(wallet);
  const { page, close } = await open({ role: "analyst", hash: "#/rules", expected: ["422"] });
  const reload = page.locator('button[data-action="reload"]');
  try {
    writeFileSync(file, text.replace("amount > 100_000 KZT", "amuont > 100_000 KZT"));
    await reload.click();
    const shown = page.locator(".state.error pre").first();
    await shown.waitFor();
    assert.match(await shown.evaluate((element) => element.textContent), /amuont > 100_000 KZT.*\n.*\| +\^{6}/);
    assert.match(await shown.evaluate((element) => getComputedStyle(element).fontFamily), /mono/);
    await page.reload();
    await page.getByText("The last reload failed").waitFor();

    writeFileSync(file, text.replace("amount > 100_000 KZT", "amount > 120_000 KZT"));
    await reload.click();
    await page.locator(".state.success").waitFor();
    await page.getByText("The last reload failed").waitFor({ state: "detached" });
    await goTo(page, `#/decisions/${decision.seq}`);
    await page.locator('[data-note="changed"]').getByText("The rules have changed").waitFor();

    for (const gone of [file, ...ruleTests.map(([name]) => name)]) rmSync(gone);
    await goTo(page, "#/rules");
    await reload.click();
    await page.locator(".state.success").waitFor();
    await goTo(page, `#/decisions/${decision.seq}`);
    await page.locator('[data-note="changed"]').getByText("no longer among the rules").waitFor();
  } finally {
    for (const [name, bytes] of [[file, text], ...ruleTests]) writeFileSync(name, bytes);
  }
  await goTo(page, "#/rules");
  await reload.click();
  await page.locator(".state.success").waitFor();
  await goTo(page, `#/decisions/${decision.seq}`);
  // Below the sentences it is folded away.
  await page.locator(".why code", { hasText: "amount > 100_000 KZT" }).first().waitFor({ state: "attached" });
  assert.equal(await page.locator('[data-note="changed"]').count(), 0);
  await goTo(page, "#/rules");
  await page.locator('button[data-action="rollback"]').click();
  await page.locator('dialog[open] button[data-action="submit"]').click();
  await page.locator(".state.success").waitFor();
  await reload.click();
  await page.getByText("The rules were updated").waitFor();
  await close();
});

test("rules are sorted by what they stopped in a chosen period, and the address keeps both", async () => {
  await transfer(unique("stopped"), "7654321.00");
  const { page, close } = await open({ role: "analyst", hash: "#/rules" });
  const row = page.locator('tr[data-rule="transfer-over-100k"]');
  await row.waitFor();
  const amounts = async (period) => {
    const { rules: listed } = await call(`/v1/rules?period=${period}`, { role: "analyst" });
    const known = new Map(listed.map(({ id, in_period: counted }) => [id, Number(counted.amount_stopped)]));
    const order = await page.locator("tr[data-rule]").evaluateAll((all) => all.map(({ dataset }) => dataset.rule));
    return order.map((id) => known.get(id));
  };
  const descending = (all) => [...all].sort((a, b) => b - a);
  await page.locator('button[data-sort="col_amount_stopped"]').click();
  await page.locator('th[aria-sort="descending"] [data-sort="col_amount_stopped"]').waitFor();
  const shown = await amounts("24h");
  assert.ok(shown.length > 10 && shown[0] >= 7654321, String(shown));
  assert.deepEqual(shown, descending(shown));
  assert.match(await row.innerText(), /risk/);
  await page.getByLabel("Period").selectOption("7d");
  await page.waitForURL(/period=7d/);
  assert.match(await row.locator("td").nth(6).innerText(), /\d\u2009\d{3}\u2009\d{3}\.00\u00a0₸/);
  await page.reload();
  await row.waitFor();
  assert.equal(await page.getByLabel("Period").inputValue(), "7d");
  const again = await amounts("7d");
  assert.deepEqual(again, descending(again));
  // The hits lead to the decisions of that period.
  await row.locator("td").nth(5).locator("a").click();
  await rows(page).first().waitFor();
  assert.match(await page.evaluate(() => location.hash), /rule=transfer-over-100k&from=/);
  await close();
});
