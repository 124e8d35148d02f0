// Support: a client's page, restrictions, why a decision was made.
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import {
  act, auth, call, decide, foreseen, goTo, login, open, queued, transfer, unique, waitingCard, walletHash,
} from "./support.mjs";

test("support lifts a restriction through the dialog", async () => {
  const wallet = unique("lift");
  const held = await transfer(wallet);
  assert.equal(held.verdict, "hold");
  const { page, close } = await open({ hash: "#/restrictions" });
  const row = await queued(page, wallet);
  await row.locator('button[data-action="confirm"]').click();
  const dialog = page.locator("dialog[open]");
  await dialog.waitFor();
  await dialog.getByRole("radio", { name: "identity document" }).check();
  await dialog.getByText("Will be lifted").waitFor();
  await dialog.getByRole("radio", { name: "Complete them" }).check();
  await foreseen(dialog);
  await dialog.locator('button[data-action="submit"]').click();
  await dialog.locator(".outcome .commands li").first().waitFor();
  const outcome = await dialog.locator(".outcome").innerText();
  assert.match(outcome, /Lift the restriction/);
  assert.match(outcome, /Carry out operation/);
  await dialog.locator('button[data-action="close"]').click();
  await row.waitFor({ state: "detached" });
  await goTo(page, walletHash(wallet));
  await page.getByText("This wallet has no restrictions.").waitFor();
  await close();
});

test("the dialog says what becomes of each waiting operation, and what it says happens", async () => {
  const wallet = unique("list");
  const [first, second] = [await transfer(wallet), await transfer(wallet, "160000.00")];
  const { page, close } = await open({ hash: walletHash(wallet), expected: ["409"] });
  await page.locator('.toolbar button[data-action="confirm"]').click();
  const dialog = page.locator("dialog[open]");
  const row = (operation) => dialog.locator(`[data-foreseen="${operation.op_id}"]`);
  await dialog.getByRole("radio", { name: "explanations" }).check();
  await dialog.locator(`[data-foreseen="${first.op_id}"][data-will="wait"]`).waitFor();
  await dialog.getByRole("radio", { name: "identity document" }).check();
  await dialog.locator(`[data-foreseen="${first.op_id}"][data-will="release"]`).waitFor();
  assert.match(await row(second).innerText(), /160\u2009000\.00\u00a0₸/);
  await row(second).locator("select").selectOption("cancel");
  await dialog.locator(`[data-foreseen="${second.op_id}"][data-will="cancel"]`).waitFor();
  assert.equal(await row(first).getAttribute("data-will"), "release");

  // Meanwhile one more operation waits: nothing happens, and the fresh list has it.
  const fourth = await transfer(wallet, "180000.00");
  await dialog.locator('button[data-action="submit"]').click();
  await dialog.locator('[data-note="wallet-changed"]').waitFor();
  await row(fourth).waitFor();
  assert.equal((await call(`/v1/wallets/${wallet}`)).waiting.length, 3);
  assert.equal(await row(second).getAttribute("data-will"), "cancel", "what was chosen stays");
  await row(fourth).locator("select").selectOption("cancel");
  await dialog.locator(`[data-foreseen="${fourth.op_id}"][data-will="cancel"]`).waitFor();
  await foreseen(dialog);
  await dialog.locator('button[data-action="submit"]').click();
  await dialog.locator(".outcome .commands li").first().waitFor();
  const outcome = await dialog.locator(".outcome").innerText();
  assert.match(outcome, new RegExp(`Carry out operation ${first.op_id}`));
  for (const operation of [second, fourth]) assert.match(outcome, new RegExp(`Cancel operation ${operation.op_id}`));
  await dialog.locator('button[data-action="close"]').click();
  await page.getByText("No operation is waiting.").waitFor();

  // The decisions tell what became of them.
  await goTo(page, `#/decisions/${first.seq}`);
  await page.getByRole("heading", { name: "What happened later" }).waitFor();
  const text = await page.locator("main").innerText();
  assert.match(text, /Kept operation .* waiting/);
  assert.doesNotMatch(text, /Keep operation/, "it waits no more");
  assert.match(text, /Identity confirmed/);
  assert.match(text, new RegExp(`by ${auth ? "support-desk" : "local"}`));
  await close();
});

test("every time names its zone, and windows are as of now", async () => {
  const wallet = unique("zone");
  await transfer(wallet);
  const { page, close } = await open({ hash: walletHash(wallet) });
  await page.locator('[data-note="as-of"]').getByText("Almaty").waitFor();
  for (const hash of [walletHash(wallet), "#/decisions", "#/restrictions", "#/rules"]) {
    await goTo(page, hash);
    await page.locator("main time").first().waitFor();
    for (const text of await page.locator("main time").allInnerTexts()) assert.match(text, /Almaty$/, hash);
  }
  await close();
});

test("the chart is whole with one point, with large sums and without money", async () => {
  const [one, large, none] = [unique("one"), unique("large"), unique("none")];
  await transfer(one, "1000.00");
  for (const amount of ["99999999999.99", "1.00", "12345678901.00"]) await transfer(large, amount);
  await login(none, "95.56.234.10");
  const { page, close } = await open();
  for (const [wallet, name] of [[one, "one"], [large, "large"], [none, "none"]]) {
    await goTo(page, walletHash(wallet));
    await page.getByRole("heading", { level: 1, name: wallet }).waitFor();
    await page.locator(".chart canvas").waitFor();
    if (process.env.SCREENSHOTS) await page.locator(".timeline").screenshot({ path: join(process.env.SCREENSHOTS, `chart-${name}.png`) });
    const inside = await page.locator(".chart").evaluate((chart) => chart.scrollWidth <= chart.clientWidth + 1);
    assert.ok(inside, wallet);
    // The axis of a chart with one point spans minutes: its marks are times of this hour, not months.
    const marks = await page.locator(".chart").getAttribute("data-span");
    assert.ok(Number(marks) <= 3600, `${wallet}: ${marks} s`);
  }
  await close();
});

test("the client's own block is lifted by the client only", async () => {
  const wallet = unique("own");
  await transfer(wallet, "1000.00");
  const { page, close } = await open({ hash: walletHash(wallet) });
  await page.locator('button[data-action="block"]').click();
  await page.locator('dialog[open] button[data-action="submit"]').click();
  await page.locator("dialog[open] .outcome .commands li").first().waitFor();
  await page.locator('dialog[open] button[data-action="close"]').click();
  await page.locator('.toolbar button[data-action="unblock"]').click();
  await page.locator('dialog[open] button[data-action="submit"]').click();
  await page.locator("dialog[open] .outcome").getByText("Lift the restriction").first().waitFor();
  await page.locator('dialog[open] button[data-action="close"]').click();
  await page.getByText("This wallet has no restrictions.").waitFor();
  await close();
});

test("one waiting operation is settled by itself, another is cancelled, a third is disputed", async () => {
  const wallet = unique("settle");
  const first = await transfer(wallet);
  const second = await transfer(wallet, "160000.00");
  const third = await transfer(wallet, "170000.00");
  const { page, close } = await open({ hash: walletHash(wallet) });
  await waitingCard(page, first.op_id).getByText("150\u2009000.00\u00a0₸").waitFor();
  const released = await act(page, waitingCard(page, first.op_id).locator('button[data-action="settle"]'), async (dialog) => {
    await dialog.getByText(first.op_id).waitFor();
    await dialog.getByRole("radio", { name: "explanations" }).check();
    await dialog.getByText("will go on waiting because of").waitFor();
    await dialog.getByRole("radio", { name: "agreed with the client" }).check();
    await dialog.getByText("will be carried out at once").waitFor();
  });
  assert.match(released, new RegExp(`Carry out operation ${first.op_id}`));
  await waitingCard(page, first.op_id).waitFor({ state: "detached" });
  const cancelled = await act(page, waitingCard(page, second.op_id).locator('button[data-action="settle"]'), async (dialog) => {
    await dialog.getByRole("radio", { name: "Cancel it" }).check();
    await dialog.getByText("whatever it waits for").waitFor();
    await dialog.getByRole("radio", { name: "PIN", exact: true }).check();
  });
  assert.match(cancelled, new RegExp(`Cancel operation ${second.op_id}`));
  await waitingCard(page, second.op_id).waitFor({ state: "detached" });
  const disputed = await act(page, waitingCard(page, third.op_id).locator('button[data-action="disputed"]'));
  assert.match(disputed, /Monitor wallet/);
  assert.match(disputed, new RegExp(`Cancel operation ${third.op_id}`));
  assert.match(disputed, /to the disputes team/);
  await page.getByText("No operation is waiting.").waitFor();
  const { decisions } = await call(`/v1/wallets/${wallet}`);
  const { operation } = await call(`/v1/operations/${decisions[0].seq}`);
  assert.deepEqual([operation.ref_op_id, operation.source], [third.op_id, "client"]);
  await close();
});

test("an operation that its client's own block suspends says so, and goes on when the block ends", async () => {
  const wallet = unique("suspended");
  const held = await transfer(wallet);
  const { page, close } = await open({ hash: walletHash(wallet) });
  await act(page, page.locator('.toolbar button[data-action="block"]'));
  const card = waitingCard(page, held.op_id);
  await page.locator('.toolbar button[data-action="unblock"]').waitFor();
  await act(page, card.locator('button[data-action="settle"]'), async (dialog) => {
    await dialog.getByRole("radio", { name: "agreed with the client" }).check();
    await dialog.getByText("will go on waiting because of").waitFor();
    assert.match(await dialog.locator(".forecast").innerText(), /client-voluntary-block/);
  });
  await card.getByText("suspended until the block ends").waitFor();
  const outcome = await act(page, page.locator('.toolbar button[data-action="unblock"]'));
  assert.match(outcome, new RegExp(`Carry out operation ${held.op_id}`));
  await page.getByText("No operation is waiting.").waitFor();
  await close();
});

test("what others report about a client is entered, and a seizure is ended by the court only", async () => {
  const wallet = unique("reports");
  const cashOut = await decide({ type: "cash_out", wallet_id: wallet, client_status: "identified", amount: "1000.00", counterparty: { kind: "bank_account", account: "KZ86125KZT5004100100" } });
  const { page, close } = await open({ hash: walletHash(wallet) });
  const button = (name) => page.locator(`.toolbar button[data-action="${name}"]`);
  const details = await act(page, button("details"), async (dialog) => {
    await dialog.getByRole("radio", { name: /Cash-out/ }).check();
  });
  assert.match(details, /Block outgoing operations/);
  for (const [action, rule] of [["complaint", "complaint-block"], ["suspicion", "suspicion-confirmed-block"], ["seizure", "seizure-block"]]) {
    assert.match(await act(page, button(action)), new RegExp(rule));
  }
  const other = await act(page, button("disputed"), async (dialog) => {
    await dialog.getByRole("radio", { name: "Another operation, by its id" }).check();
    await dialog.getByLabel("Operation id").fill("unknown-operation");
  });
  assert.match(other, /Monitor wallet/);
  const again = await act(page, button("suspicion"));
  assert.match(again, /suspicion-confirmed-block/, "a block that is extended is commanded again");
  const extended = page.locator(".cards li", { hasText: "suspicion-confirmed-block" });
  await extended.locator('[data-note="again"]').getByText("extended").waitFor();
  assert.match(await extended.innerText(), /identity document, mobile contract/);
  assert.equal(await extended.count(), 1, "it is one block");
  const fraud = await act(page, button("fraud"), async (dialog) => {
    await dialog.getByRole("radio", { name: "a payment system" }).check();
    await dialog.getByRole("radio", { name: /Cash-out/ }).check();
  });
  assert.match(fraud, /Report .* to a payment system/);
  const ended = await act(page, button("unseize"));
  assert.match(ended, /Lift the restriction/);
  await button("seizure").waitFor();
  const { decisions } = await call(`/v1/wallets/${wallet}`);
  const sent = (type) => call(`/v1/operations/${decisions.find((decision) => decision.type === type).seq}`).then(({ operation }) => operation);
  assert.equal((await sent("cash_out_details_wrong")).ref_op_id, cashOut.op_id);
  assert.equal((await sent("operation_disputed")).ref_op_id, "unknown-operation");
  const report = await sent("fraud_reported");
  assert.deepEqual([report.source, report.ref_op_id], ["payment_system", cashOut.op_id]);
  assert.equal((await sent("seizure_lifted")).source, "court");
  await close();
});

test("what the client is told shows in the language of the console", async () => {
  const decision = await transfer(unique("told"));
  const { message } = decision.matches[0];
  for (const language of ["kk", "ru", "en"]) {
    const { page, close } = await open({ hash: `#/decisions/${decision.seq}`, language });
    const shown = page.locator('[data-note="message"]').first();
    assert.ok((await shown.innerText()).includes(message[language]), message[language]);
    assert.equal(await shown.locator("span[lang]").first().getAttribute("lang"), language);
    await close();
  }
});

test("the page of a client has the message ready to copy, and tells what was done by whom, in which case", async () => {
  const wallet = unique("client");
  const first = await transfer(wallet);
  await transfer(wallet, "160000.00");
  await transfer(wallet, "170000.00");
  const { page, close } = await open({ hash: walletHash(wallet) });
  const message = page.locator('.cards [data-note="message"]').first();
  await message.getByText(first.matches[0].message.en).waitFor();
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await message.locator('button[data-action="copy"]').first().click();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), first.matches[0].message.en);
  await message.getByText("Copied").waitFor();

  // Two of three are settled together: the dry run says of each what will be, then it is.
  for (const amount of ["150", "160"]) {
    await page.locator("tr[data-waiting]", { hasText: new RegExp(`${amount}\\s000`) }).locator('input[type="checkbox"]').check();
  }
  const outcome = await act(page, page.locator('button[data-action="settle"]', { hasText: "(2)" }), async (dialog) => {
    await dialog.getByText("Chosen operations: 2").waitFor();
    await dialog.getByRole("radio", { name: "agreed with the client" }).check();
    await dialog.locator('[data-foreseen][data-will="release"]').nth(1).waitFor();
    await dialog.getByLabel("Case number").fill("CASE-77");
    await dialog.getByLabel("Comment").fill("called back, <b>agreed</b>");
  });
  assert.equal(outcome.match(/Carry out operation/g).length, 2);
  await page.locator("tr[data-waiting]").nth(1).waitFor({ state: "detached" });
  assert.equal(await page.locator("tr[data-waiting]").count(), 1);
  const done = page.locator("tr[data-act]");
  await done.nth(1).waitFor();
  assert.match(await done.first().innerText(), /agreed with the client\s+CASE-77\s+called back, <b>agreed<\/b>/);
  assert.match(await done.first().innerText(), new RegExp(auth ? "support-desk" : "local"));
  await close();
});

test("why is told in sentences, of rules that lacked one condition too", async () => {
  const wallet = unique("why");
  const decision = await transfer(wallet);
  const text = { kk: /теңге|₸|KZT|100/, ru: /100/, en: /100/ };
  for (const language of ["kk", "ru", "en"]) {
    const { page, close } = await open({ role: "analyst", hash: `#/decisions/${decision.seq}`, language });
    const sentences = page.locator('[data-sentences="transfer-over-100k"] li[data-holds="true"]');
    await sentences.first().waitFor();
    assert.match(await sentences.first().innerText(), text[language]);
    await page.locator("[data-nearly] li[data-holds=\"false\"]").first().waitFor();
    await close();
  }
});

test("a block of an address is lifted on behalf of a client", async () => {
  const wallet = unique("guess");
  const ip = `198.51.100.${process.pid % 250}`;
  for (let attempt = 0; attempt < 6; attempt += 1) await login(wallet, ip, "failure");
  const { page, close } = await open({ hash: "#/restrictions?kind=block&rule=wrong-password-ip-block", expected: ["404"] });
  const row = page.locator("tbody tr[data-row]", { hasText: ip });
  await row.locator('button[data-action="ip"]').click();
  const dialog = page.locator("dialog[open]");
  const field = dialog.getByLabel("Wallet of the client who was identified");
  await dialog.locator('button[data-action="submit"]').click();
  assert.equal(await field.evaluate((input) => input.validity.valueMissing), true, "a wallet is wanted");
  await field.fill(unique("nobody"));
  await field.press("Tab");
  await dialog.getByText("This wallet is not known.").waitFor();
  await field.fill(wallet);
  await field.press("Enter");
  await dialog.locator(".outcome").getByText("Lift the restriction on IP address").waitFor();
  await dialog.locator('button[data-action="close"]').click();
  await row.waitFor({ state: "detached" });
  const { decisions } = await call(`/v1/wallets/${wallet}`);
  assert.deepEqual([decisions[0].type, decisions[0].commands[0].subject], ["ip_unblock_requested", { ip }]);
  await close();
});

test("a country comes with the credit of its source", async () => {
  const wallet = unique("land");
  await login(wallet, "95.56.234.10");
  const decision = await login(wallet, "212.42.96.5");
  const { page, close } = await open({ hash: `#/decisions/${decision.seq}` });
  await page.locator(".country").first().waitFor();
  const link = page.getByRole("link", { name: "IP Geolocation by DB-IP" });
  assert.equal(await link.getAttribute("href"), "https://db-ip.com");
  await goTo(page, walletHash(wallet));
  await page.locator(".chart canvas").waitFor();
  assert.equal((await page.locator("main .country").count()) > 0, (await page.locator("main .credit a").count()) > 0);
  await close();
});

test("a reason leads to the operations that its window counted", async () => {
  const wallet = unique("counted");
  const sent = [];
  for (let number = 0; number < 11; number += 1) sent.push(await transfer(wallet, "5000.00"));
  const { page, close } = await open({ hash: `#/decisions/${sent.at(-1).seq}` });
  const counted = page.locator('[data-sentences="equal-transfers-in-hour"] [data-counted="10"]');
  await counted.locator("summary").click();
  assert.equal(await counted.locator("li a").count(), 10);
  await counted.locator("li a").last().click();
  await page.getByRole("heading", { name: String(sent[0].seq) }).waitFor();
  await close();
});
