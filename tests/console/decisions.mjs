// The page of decisions: live, filtered, searched, exported.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import {
  between, call, decide, goTo, now, open, queued, rows, transfer, transferOf, unique,
} from "./support.mjs";

test("every page opens by its links", async () => {
  const wallet = unique("W");
  const decision = await transfer(wallet);
  const { page, close } = await open();
  await rows(page).first().waitFor();
  assert.match(await page.title(), /Decisions/);
  assert.ok(await page.locator('nav a[data-nav="decisions"][aria-current="page"]').count());

  await page.locator(`tr[data-seq="${decision.seq}"] a.primary`).click();
  await page.getByRole("heading", { level: 1, name: new RegExp(`Decision ${decision.seq}`) }).waitFor();
  await page.getByRole("heading", { name: "Why" }).waitFor();
  assert.match(await page.locator("main").innerText(), /100[_\s]?000/, "the condition shows, as a sentence or as it is written");
  assert.match(await page.locator("main").innerText(), /150\u2009000\.00\u00a0₸/, "money has thin spaces and its sign");
  assert.ok(await page.locator(".commands li").count(), "there are commands");
  assert.match(await page.locator("main time").first().getAttribute("title"), /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d.* UTC$/);

  await page.locator("main").getByRole("link", { name: wallet, exact: true }).first().click();
  await page.getByRole("heading", { name: "Active restrictions" }).waitFor();
  await page.locator(".chart canvas").waitFor();
  await page.getByRole("heading", { name: "Waiting operations" }).waitFor();
  await page.locator("main a.rule").first().click();
  await page.getByRole("heading", { name: "Rule file" }).waitFor();
  assert.match(await page.locator("pre.yaml").innerText(), /^rule: /m);

  await page.locator('a[data-nav="rules"]').click();
  await rows(page).first().waitFor();
  assert.ok(await page.locator("svg.spark").count());
  await page.locator('a[data-nav="restrictions"]').click();
  await queued(page, wallet);
  await page.goBack();
  await page.getByRole("heading", { level: 1, name: "Rules" }).waitFor();
  await goTo(page, "#/nowhere");
  await page.getByRole("heading", { name: "There is no such page." }).waitFor();
  await goTo(page, "#/decisions");
  await rows(page).first().waitFor();
  await close();
});

test("new decisions wait behind a button, and the rows that show stay where they are", async () => {
  const wallet = unique("live");
  const { page, close } = await open({ hash: `#/decisions?wallet=${wallet}` });
  const fresh = page.locator('[data-key="fresh"]');
  await page.locator('.stream[data-state="live"]').waitFor();
  await page.getByText("No decision fits the filters.").waitFor();
  const first = await transfer(wallet);
  await page.locator(`tr[data-seq="${first.seq}"]`).waitFor();
  const row = await rows(page).first().innerText();
  assert.match(row, new RegExp(wallet));
  assert.match(row, /150\u2009000\.00\u00a0₸/, "the amount comes with the stream");
  assert.match(row, /other-/, "and so does the other side");

  await transfer(unique("W"));
  const second = await transfer(wallet, "160000.00");
  await fresh.getByText("1 new").waitFor();
  const third = await transfer(wallet, "1000.00");
  await fresh.getByText("2 new").waitFor();
  assert.equal(await rows(page).count(), 1, "nothing moves by itself");
  await fresh.click();
  await page.locator(`tr[data-seq="${third.seq}"]`).waitFor();
  const seqs = await rows(page).evaluateAll((all) => all.map((one) => Number(one.dataset.seq)));
  assert.deepEqual(seqs, [third.seq, second.seq, first.seq], "newest first");
  assert.equal(await fresh.count(), 0);

  await page.locator('[data-key="follow"]').click();
  const fourth = await transfer(wallet, "2000.00");
  await page.locator(`tr[data-seq="${fourth.seq}"]`).waitFor();
  await page.locator(".filters").getByLabel("Verdict").selectOption("challenge");
  await page.getByText("No decision fits the filters.").waitFor();
  await close();
});

test("a broken stream is resumed from the last decision", async () => {
  const wallet = unique("resume");
  const first = await transfer(wallet);
  const proxy = await between();
  const { page, close } = await open({ hash: `#/decisions?wallet=${wallet}`, from: proxy.from, expected: ["net::ERR", "Failed to load resource"] });
  await page.locator(`tr[data-seq="${first.seq}"]`).waitFor();
  await page.locator('.stream[data-state="live"]').waitFor();
  proxy.cut();
  await page.locator('.stream[data-state="retry"]').waitFor();
  await transfer(wallet);
  await page.locator('[data-key="fresh"]').getByText("1 new").waitFor();
  assert.ok(proxy.asked.length >= 2 && proxy.asked.every((id) => /^\d+$/.test(id)), `Last-Event-ID is sent: ${proxy.asked}`);
  await close();
  proxy.end();
});

test("all tabs of a browser share one connection", async () => {
  const wallet = unique("tabs");
  const proxy = await between();
  const { page, close } = await open({ hash: `#/decisions?wallet=${wallet}`, from: proxy.from });
  const pages = [page];
  while (pages.length < 9) {
    pages.push(await page.context().newPage());
    await pages.at(-1).goto(`${proxy.from}/#/decisions?wallet=${wallet}`);
  }
  for (const tab of pages) await tab.locator('.stream[data-state="live"]').waitFor();
  const decision = await transfer(wallet);
  for (const tab of pages) await tab.locator(`tr[data-seq="${decision.seq}"]`).waitFor();
  assert.equal(proxy.asked.length, 1);
  await page.close();
  const later = await transfer(wallet);
  await pages[1].locator('[data-key="fresh"]').waitFor();
  await pages[1].keyboard.press("n");
  await pages[1].locator(`tr[data-seq="${later.seq}"]`).waitFor();
  assert.equal(proxy.asked.length, 1, "the connection outlives the tab that began it");
  await close();
  proxy.end();
});

test("filters stand in the address, and the service applies them to all of history", async () => {
  const wallet = unique("filter");
  const small = await transfer(wallet, "1000.00");
  const large = await transfer(wallet, "150000.00");
  const seen = await decide({ type: "login", wallet_id: wallet, outcome: "success", ip: "203.0.113.77", device_id: wallet });
  const { page, close } = await open({ hash: `#/decisions?wallet=${wallet}&type=transfer` });
  const seqs = () => rows(page).evaluateAll((all) => all.map((one) => Number(one.dataset.seq)));
  await page.locator(`tr[data-seq="${small.seq}"]`).waitFor();
  assert.deepEqual(await seqs(), [large.seq, small.seq]);
  await page.getByLabel("Amount, least").fill("100000");
  await page.locator(`tr[data-seq="${small.seq}"]`).waitFor({ state: "detached" });
  assert.deepEqual(await seqs(), [large.seq]);
  assert.match(await page.evaluate(() => location.hash), /amount_min=100000/);
  await page.reload();
  await page.locator(`tr[data-seq="${large.seq}"]`).waitFor();
  assert.deepEqual(await seqs(), [large.seq], "the address has all that was chosen");
  await page.getByRole("button", { name: "Clear filters" }).click();
  await page.locator(".filters").getByLabel("Wallet", { exact: true }).fill(wallet);
  await page.locator(`tr[data-seq="${seen.seq}"]`).waitFor();
  await page.getByLabel("Period").selectOption({ label: "Last hour" });
  await page.getByLabel("From (Almaty)").waitFor();
  await goTo(page, `#/decisions?device=${wallet}`);
  await page.locator(`tr[data-seq="${seen.seq}"]`).waitFor();
  assert.deepEqual(await seqs(), [seen.seq]);
  const next = await decide({ type: "login", wallet_id: wallet, outcome: "success", ip: "203.0.113.77", device_id: wallet });
  await page.locator('[data-key="fresh"]').click();
  await page.locator(`tr[data-seq="${next.seq}"]`).waitFor();
  await close();
});

test("scrolling reads all of history, going back brings the place back", async () => {
  const wallet = unique("deep");
  const operations = Array.from({ length: 450 }, () => ({ op_id: unique("op"), occurred_at: now(), ...transferOf(wallet, "10.00") }));
  await call("/v1/operations", { body: operations });
  const { page, close } = await open({ hash: `#/decisions?wallet=${wallet}` });
  await rows(page).nth(99).waitFor();
  for (let steps = 0; steps < 40 && (await rows(page).count()) < 450; steps += 1) {
    await page.evaluate(() => scrollTo(0, document.documentElement.scrollHeight));
    await page.waitForTimeout(100);
  }
  await page.getByText("There are no earlier decisions.").waitFor();
  assert.equal(await rows(page).count(), 450);
  await rows(page).nth(300).scrollIntoViewIfNeeded();
  const before = await page.evaluate(() => scrollY);
  await rows(page).nth(300).locator("a.primary").click();
  await page.getByRole("heading", { name: "Why" }).waitFor();
  await page.goBack();
  await rows(page).nth(449).waitFor();
  const moved = () => page.evaluate((wanted) => Math.abs(scrollY - wanted), before);
  for (let steps = 0; steps < 40 && (await moved()) > 2; steps += 1) await page.waitForTimeout(50);
  assert.ok((await moved()) <= 2);
  await close();
});

test("columns are chosen and kept", async () => {
  const decision = await transfer(unique("W"));
  const { page, close } = await open();
  const head = page.locator("thead th");
  await page.locator(`tr[data-seq="${decision.seq}"]`).waitFor();
  await page.locator('[data-menu="columns"] summary').click();
  await page.getByLabel("Operation id").check();
  await page.locator('[data-menu="columns"]').getByLabel("Effect").uncheck();
  await head.getByText("Operation id").waitFor();
  await page.reload();
  await head.getByText("Operation id").waitFor();
  assert.equal(await head.getByText("Effect").count(), 0);
  await page.locator(`tr[data-seq="${decision.seq}"]`).getByText(decision.op_id).waitFor();
  await close();
});

test("what is filtered is exported, and no cell becomes a formula", async () => {
  const wallet = `=1+1${unique("x").slice(-12)}`;
  const decisions = [await transfer(wallet, "1000.00"), await transfer(wallet, "150000.00")];
  await transfer(unique("W"));
  const { page, close } = await open({ hash: `#/decisions?wallet=${encodeURIComponent(wallet)}` });
  await rows(page).nth(1).waitFor();
  await page.locator('[data-menu="export"] summary').click();
  const file = async (format) => {
    const [download] = await Promise.all([page.waitForEvent("download"), page.locator(`[data-export="${format}"]`).click()]);
    await page.locator('[data-note="export"]').getByText("Done: 2 decisions.").waitFor();
    return readFileSync(await download.path(), "utf8");
  };
  const lines = (await file("csv")).trimEnd().split("\r\n");
  assert.equal(lines.length, 3);
  assert.match(lines[0], /^\ufeffseq,occurred_at,type,verdict,wallet_id,amount,counterparty,/);
  assert.ok(lines[1].startsWith(`${decisions[1].seq},`) && lines[1].includes(`,'=1+1`), lines[1]);
  const items = (await file("jsonl")).trim().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(items.map(({ seq, amount }) => [seq, amount]), [[decisions[1].seq, "150000.00"], [decisions[0].seq, "1000.00"]]);
  await close();
});

test("one box finds whatever a person has in hand", async () => {
  const wallet = unique("seek");
  const device = unique("device");
  const ip = `198.51.100.${1 + (process.pid % 250)}`;
  const held = await transfer(wallet);
  const seen = await decide({ type: "login", wallet_id: wallet, outcome: "success", ip, device_id: device });
  const restriction = held.commands.find((command) => command.restriction_id).restriction_id;
  const { page, close } = await open({ expected: ["404", "400"] });
  let left = "#/decisions";
  const find = async (text) => {
    await page.evaluate(() => {
      location.hash = "#/decisions";
    });
    left = "#/decisions";
    await page.locator("#search").fill(text);
    await page.keyboard.press("Enter");
    const hash = () => page.evaluate(() => decodeURIComponent(location.hash));
    for (let steps = 0; steps < 100 && (!(await hash()) || (await hash()) === left || (await hash()).startsWith("#/search")); steps += 1) await page.waitForTimeout(50);
    left = await hash();
    return left;
  };
  assert.equal(await find(wallet), `#/wallets/${wallet}`);
  assert.equal(await find(` ${wallet.slice(0, 4)} ${wallet.slice(4)} `), `#/wallets/${wallet}`, "grouped");
  assert.equal(await find(held.op_id), `#/decisions/${held.seq}`);
  assert.equal(await find(held.decision_id.toUpperCase()), `#/decisions/${held.seq}`);
  assert.equal(await find(`#${held.seq}`), `#/decisions/${held.seq}`);
  assert.equal(await find(device), `#/decisions/${seen.seq}`);
  assert.match(await find(ip), /ip=|#\/decisions\/\d+$/);
  assert.equal(await find("transfer-over-100k"), "#/rules/transfer-over-100k");
  assert.equal(await find(restriction), `#/decisions/${held.seq}`);
  const digits = `7701${String(process.pid).padStart(7, "0")}`;
  const called = await decide({ ...transferOf(wallet, "10.00"), type: "payment", counterparty: { kind: "merchant", phone: `+${digits}` } });
  assert.equal(await find(`+7 (701) ${digits.slice(4, 7)}-${digits.slice(7, 9)}-${digits.slice(9)}`), `#/decisions/${called.seq}`, "a phone, grouped");
  await page.locator("#search").fill(unique("nothing"));
  await page.keyboard.press("Enter");
  await page.getByText("was found").waitFor();
  await close();
});
