// A stand-in for `kuzet serve`: the HTTP contract over a small imitation of the engine, with invented
// traffic. It exists to work on the console and to test it without a build of the service.
//
//   node mock.mjs [PORT]      then open http://127.0.0.1:PORT/ with support-token or analyst-token
import { createServer } from "node:http";
import { createHash, randomUUID } from "node:crypto";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const CONSOLE = join(HERE, "../../src/console");
const RULES = process.env.KUZET_RULES || join(HERE, "../../rules");
const CSP = "default-src 'self'; style-src 'self'; script-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
const MEDIA = { ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".txt": "text/plain; charset=utf-8" };
const TOKENS = {
  "support-token": { name: "aigerim", roles: ["support"] },
  "analyst-token": { name: "daniyar", roles: ["analyst"] },
  "ledger-token": { name: "ledger", roles: ["ledger"] },
};
const FIVE = ["pin", "secret_answer", "identity_document", "mobile_contract", "agreed"];
const MRP_100 = 432500;
const HOUR = 3600e3;
const DAY = 24 * HOUR;

// Rules: the shipped files, read just well enough for the console.

function readRules() {
  const found = [];
  for (const folder of ["section7", "law", "behaviour"]) {
    if (!existsSync(join(RULES, folder))) continue;
    for (const file of readdirSync(join(RULES, folder)).sort()) {
      if (!file.endsWith(".yaml") || file.endsWith(".test.yaml")) continue;
      const text = readFileSync(join(RULES, folder, file), "utf8");
      const one = (name) => new RegExp(`^${name}: (.*)$`, "m").exec(text)?.[1] ?? null;
      const texts = (name) => {
        const block = new RegExp(`^${name}:\\n((?:  .*\\n?)+)`, "m").exec(text)?.[1];
        return block ? Object.fromEntries([...block.matchAll(/^ {2}(kk|ru|en): "(.*)"$/gm)].map((match) => [match[1], match[2]])) : null;
      };
      const when = /^when: \|\n((?: {2}.*\n)+)/m.exec(text)?.[1];
      found.push({
        id: file.slice(0, -5), title: texts("title"), message: texts("message"), mode: one("mode"), clauses: JSON.parse(one("clauses") || "[]"),
        on: one("on").replace(/[[\]]/g, "").split(",").map((type) => type.trim()), when: when ? when.replace(/^ {2}/gm, "").trim() : "",
        state: "active", warming_until: null, file: `${folder}/${file}`, text, hits: 0, at: [], last_match: null,
      });
    }
  }
  if (!found.length) throw new Error(`no rules in ${RULES}: set KUZET_RULES`);
  return found;
}

const uuid = (text) => createHash("sha1").update(text).digest("hex").replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*$/, "$1-$2-5$3-a$4-$5");
const utc = (at) => new Date(at).toISOString();
const fixed = (amount) => Number(amount).toFixed(2);

function countryOf(ip) {
  return { 95: "KZ", 212: "KG", 77: "RU" }[String(ip).split(".")[0]] ?? null;
}

export class Mock {
  constructor({ auth = true, live = true } = {}) {
    this.auth = auth;
    this.rules = readRules();
    this.byId = new Map(this.rules.map((rule) => [rule.id, rule]));
    this.ruleset = "b1946ac92492";
    this.previous = "f1de29b24a25";
    this.loadedAt = Date.now() - 5 * HOUR;
    this.decisions = [];
    this.operations = new Map();
    this.restrictions = [];
    this.waiting = [];
    this.streams = new Set();
    this.random = 42;
    this.seed();
    if (live) this.timer = setInterval(() => this.decide(this.invent(Date.now())), 1500);
    this.timer?.unref();
  }

  next(below) {
    this.random = (this.random * 1103515245 + 12345) % 2147483648;
    return Math.floor((this.random / 2147483648) * below);
  }

  wallet() {
    return `7701000${String(1000 + this.next(40)).padStart(4, "0")}`;
  }

  invent(at) {
    const type = ["payment", "payment", "payment", "transfer", "transfer", "login", "login", "top_up", "cash_out"][this.next(9)];
    const base = { op_id: `op-${utc(at).replace(/\D/g, "")}-${this.next(100000)}`, type, occurred_at: utc(at), wallet_id: this.wallet(), ip: `95.56.234.${this.next(250)}`, device_id: `d-${this.next(4096).toString(16)}` };
    if (type === "login") return { ...base, outcome: this.next(8) ? "success" : "failure" };
    const amount = fixed((this.next(40) ? 500 + this.next(45000) : 110000 + this.next(300000)) + this.next(100) / 100);
    const counterparty = type === "transfer" ? { kind: "client", wallet_id: this.wallet() } : { kind: type === "payment" ? "merchant" : "bank_account", account: `m-${this.next(9000)}` };
    return { ...base, client_status: "identified", amount, currency: "KZT", counterparty };
  }

  /** Three days of history, with one wallet on which much happens. */
  seed() {
    const now = Date.now();
    const list = [];
    for (let index = 0; index < 420; index += 1) list.push(this.invent(now - 3 * DAY + index * 615e3 + this.next(300e3)));
    const hero = "77010007777";
    const own = (ago, type, rest) => list.push({ op_id: `hero-${ago}-${type}`, type, occurred_at: utc(now - ago * 60e3), wallet_id: hero, ...(["login"].includes(type) ? {} : { client_status: "identified" }), ...rest });
    const client = { kind: "client", wallet_id: "77010001005" };
    own(2600, "top_up", { amount: "400000.00" });
    own(2500, "payment", { amount: "18250.00", counterparty: { kind: "merchant", account: "m-17" } });
    own(1700, "cash_out", { amount: "52000.00", counterparty: { kind: "bank_account", account: "KZ00SAMPLE01" } });
    own(400, "login", { outcome: "success", ip: "95.56.234.10" });
    own(395, "transfer", { amount: "45000.00", counterparty: client });
    own(380, "transfer", { amount: "150000.00", counterparty: client });
    own(330, "payment", { amount: "64500.50", counterparty: { kind: "merchant", account: "m-3" } });
    for (const ago of [300, 298, 296, 294]) own(ago, "login", { outcome: "failure", ip: "77.88.8.8" });
    own(200, "top_up", { amount: "300000.00" });
    own(110, "login", { outcome: "success", ip: "95.56.234.10" });
    own(60, "login", { outcome: "success", ip: "212.42.96.5" });
    own(50, "transfer", { amount: "99000.00", counterparty: client });
    own(30, "payment", { amount: "7200.00", counterparty: { kind: "merchant", account: "m-8" } });
    for (let index = 0; index < 12; index += 1) list.push({ op_id: `equal-${index}`, type: "transfer", occurred_at: utc(now - 9 * HOUR + index * 240e3), wallet_id: "77010001011", client_status: "identified", amount: "5000.00", counterparty: { kind: "client", wallet_id: `770100010${20 + index}` } });
    for (let index = 0; index < 6; index += 1) list.push({ op_id: `guess-${index}`, type: "login", occurred_at: utc(now - 4 * HOUR + index * 20e3), wallet_id: "77010001014", outcome: "failure", ip: "77.88.21.3" });
    list.push({ op_id: "dispute-1", type: "ownership_disputed", occurred_at: utc(now - 50 * HOUR), wallet_id: "77010001017", actor: "aigerim", source: "support" });
    list.push({ op_id: "own-block-1", type: "wallet_block_requested", occurred_at: utc(now - 26 * HOUR), wallet_id: "77010001019", actor: "aigerim", source: "client" });
    list.push({ op_id: "fraud-1", type: "fraud_reported", occurred_at: utc(now - 20 * HOUR), wallet_id: "77010001021", source: "issuer" });
    list.push({ op_id: "details-1", type: "cash_out_details_wrong", occurred_at: utc(now - 12 * HOUR), wallet_id: "77010001023" });
    list.sort((a, b) => (a.occurred_at < b.occurred_at ? -1 : 1));
    for (const operation of list) this.decide(operation);
    const warming = this.byId.get("structuring-below-100k");
    if (warming) Object.assign(warming, { state: "warming", warming_until: utc(now + 7 * HOUR) });
  }

  past(wallet, at, within, keep) {
    const found = [];
    for (let index = this.decisions.length - 1; index >= 0; index -= 1) {
      const decision = this.decisions[index];
      if (decision.wallet_id !== wallet || decision.verdict === "refuse") continue;
      if (Date.parse(decision.occurred_at) < at - within) break;
      const operation = this.operations.get(decision.seq);
      if (keep(operation)) found.push(operation);
    }
    return found;
  }

  /** The rules that fire: `[rule id, evidence, conditions, commands]`. */
  judge(operation, at) {
    const { wallet_id: wallet, type } = operation;
    const amount = Number(operation.amount || 0);
    const fired = [];
    const condition = (text, values, needed) => ({ text, values, holds: true, needed });
    const toClient = operation.counterparty?.kind === "client";
    if (type === "transfer" && toClient && amount > 100000) {
      fired.push(["transfer-over-100k", [condition("amount > 100_000 KZT", { amount: fixed(amount) }, "amount <= 100000.00 KZT"), condition("counterparty.kind = client", { "counterparty.kind": "client" }, "counterparty.kind != client")], [{ command: "hold" }]]);
    }
    if (type === "transfer" && toClient) {
      const same = 1 + this.past(wallet, at, HOUR, (one) => one.type === "transfer" && fixed(one.amount) === fixed(amount)).length;
      const name = "count(transfer where counterparty.kind = client by wallet, amount within 1h)";
      if (same > 10) fired.push(["equal-transfers-in-hour", [condition("counterparty.kind = client", { "counterparty.kind": "client" }, "counterparty.kind != client"), condition(`${name} > 10`, { [name]: same }, `${name} <= 10`)], [{ command: "hold" }, { command: "monitor" }]]);
    }
    const debit = (one) => ["transfer", "payment", "cash_out", "redemption"].includes(one.type);
    if (debit(operation)) {
      const midnight = at - ((at + 5 * HOUR) % DAY);
      const sum = amount + this.past(wallet, at, at - midnight, debit).reduce((total, one) => total + Number(one.amount), 0);
      const name = "sum(debit.amount by wallet today)";
      const pins = "none(pin where outcome = success by wallet today)";
      if (sum > MRP_100) fired.push(["daily-total-over-100-mrp", [condition("client_status != unregistered", { client_status: operation.client_status }, "client_status = unregistered"), condition(`${name} > 100 MRP`, { [name]: fixed(sum) }, `${name} <= 432500.00 KZT`), condition(pins, { [pins]: true }, `not ${pins}`)], [{ command: "challenge", challenge: "pin" }]]);
    }
    if (type === "login" && operation.outcome === "failure") {
      const logins = this.past(wallet, at, DAY, (one) => one.type === "login");
      const right = logins.findIndex((one) => one.outcome === "success");
      const streak = 1 + (right < 0 ? logins.length : right);
      const name = "streak(login where outcome = failure by wallet quiet 24h)";
      const outcome = condition("outcome = failure", { outcome: "failure" }, "outcome = success");
      if (streak % 6 >= 3) fired.push(["wrong-password-captcha", [outcome, condition(`${name} % 6 >= 3`, { [name]: streak }, `${name} % 6 < 3`)], [{ command: "challenge", challenge: "captcha", subject: { wallet } }]]);
      if (streak % 6 === 0 && operation.ip) fired.push(["wrong-password-ip-block", [outcome, condition("ip is present", { ip: operation.ip }, "ip is absent"), condition(`${name} % 6 = 0`, { [name]: streak }, `${name} % 6 != 0`)], [{ command: "block", direction: "login", subject: { ip: operation.ip }, for: DAY, lifted_by: ["support"] }]]);
    }
    if (type === "login" && operation.outcome === "success" && countryOf(operation.ip)) {
      const before = this.past(wallet, at, 2 * HOUR, (one) => one.type === "login" && one.outcome === "success" && countryOf(one.ip))[0];
      const name = "last(login.ip.country where outcome = success by wallet within 2h)";
      const [here, there] = [countryOf(operation.ip), before && countryOf(before.ip)];
      if (before && here !== there) fired.push(["login-country-change", [condition("outcome = success", { outcome: "success" }, "outcome != success"), condition(`ip.country != ${name}`, { "ip.country": here, [name]: there }, `ip.country = "${there}"`)], [{ command: "monitor" }, { command: "block", direction: "debit", for: 2 * HOUR, lifted_by: FIVE.slice(1) }]]);
    }
    const events = {
      fraud_reported: ["fraud-reported-block", [{ command: "block", direction: "debit", for: 183 * DAY, lifted_by: ["identity_document"] }, { command: "cancel_waiting" }]],
      ownership_disputed: ["ownership-dispute-hold", [{ command: "monitor", lifted_by: ["identity_document", "mobile_contract"] }]],
      wallet_block_requested: ["client-voluntary-block", [{ command: "block", direction: "both", lifted_by: ["client"] }]],
      cash_out_details_wrong: ["cash-out-wrong-details", [{ command: "block", direction: "debit", for: 30 * DAY, lifted_by: FIVE.slice(2) }]],
    };
    if (events[type]) fired.push([events[type][0], [], events[type][1]]);
    return fired.filter(([id]) => this.byId.has(id));
  }

  decide(operation) {
    const at = Date.parse(operation.occurred_at);
    const { wallet_id: wallet, op_id: op } = operation;
    const seq = this.decisions.length + 1;
    const debit = ["transfer", "payment", "cash_out", "redemption"].includes(operation.type);
    const commands = [];
    const command = (rule, rest) => commands.push({ command: rest.command, command_id: uuid(`${op}${rule}${JSON.stringify(rest)}`), rule, clauses: this.byId.get(rule)?.clauses ?? [], ...rest });
    let verdict = "allow";
    const order = ["allow", "challenge", "hold", "refuse"];
    const atLeast = (word) => {
      if (order.indexOf(word) > order.indexOf(verdict)) verdict = word;
    };
    const terms = (one) => ({ restriction_id: one.restriction_id, from: one.from, until: one.until, lifted_by: one.lifted_by });
    const active = () => this.active(at);
    const wait = (one) => {
      let waiting = this.waiting.find((entry) => entry.op_id === op && entry.wallet_id === wallet);
      if (!waiting) this.waiting.push(waiting = { op_id: op, wallet_id: wallet, since: utc(at), holds: [], pins: [] });
      waiting.holds.push({ restriction_id: one.restriction_id, rule: one.rule, clauses: one.clauses, lifted_by: one.kind === "hold" ? one.lifted_by : null });
      command(one.rule, { command: "hold", subject: { operation: op }, ...terms(one) });
      atLeast("hold");
    };
    const blocks = active().filter((one) => one.kind === "block" && (one.direction === "login" ? operation.type === "login" && one.ip === operation.ip : one.wallet_id === wallet && debit));
    for (const one of blocks) {
      command(one.rule, { command: "refuse", subject: { operation: op }, ...terms(one) });
      atLeast("refuse");
    }
    if (!blocks.length && debit) for (const one of active().filter((entry) => entry.kind === "monitor" && entry.wallet_id === wallet)) wait(one);
    this.lifecycle(operation, at, command);
    const fired = blocks.length ? [] : this.judge(operation, at);
    for (const [id, , actions] of fired) {
      const rule = this.byId.get(id);
      rule.hits += 1;
      rule.at.push(at);
      rule.last_match = { seq, at: utc(at) };
      for (const action of actions) {
        if (action.command === "challenge") {
          command(id, { command: "challenge", subject: action.subject ?? { operation: op }, challenge: action.challenge });
          atLeast("challenge");
        } else if (action.command === "cancel_waiting") {
          for (const waiting of this.waiting.filter((entry) => entry.wallet_id === wallet)) command(id, { command: "cancel", subject: { operation: waiting.op_id } });
          this.waiting = this.waiting.filter((entry) => entry.wallet_id !== wallet);
        } else {
          if (action.command === "hold" && actions.some((other) => other.command === "monitor")) continue;
          const one = { restriction_id: uuid(`${wallet}${op}${id}${action.command}`), kind: action.command, direction: action.direction ?? null, wallet_id: wallet, ip: action.subject?.ip ?? null, op_id: action.command === "hold" ? op : null, rule: id, clauses: rule.clauses, from: utc(at), until: action.for ? utc(at + action.for) : null, lifted_by: action.lifted_by ?? FIVE };
          this.restrictions.push(one);
          if (action.command === "hold") wait(one);
          else {
            if (action.command === "monitor" && debit) wait(one);
            const direction = action.direction ? { direction: action.direction } : {};
            command(id, { command: action.command, subject: action.subject ?? { wallet }, ...direction, ...terms(one) });
          }
        }
      }
    }
    const decision = {
      seq, decision_id: uuid(`decision${wallet}${op}`), op_id: op, wallet_id: wallet, type: operation.type, occurred_at: utc(at), verdict,
      matches: fired.map(([id, conditions]) => ({ rule: id, clauses: this.byId.get(id).clauses, mode: this.byId.get(id).mode, evidence: Object.assign({}, ...conditions.map((one) => one.values)) })),
      commands, late: false, degraded: [], ruleset: this.ruleset,
    };
    Object.defineProperty(decision, "conditions", { value: new Map(fired.map(([id, conditions]) => [id, conditions])), enumerable: false });
    this.decisions.push(decision);
    this.operations.set(seq, operation);
    for (const stream of this.streams) this.send(stream, decision);
    return decision;
  }

  /** Liftings by identity, by the client and by support. */
  lifecycle(operation, at, command) {
    const { wallet_id: wallet, type } = operation;
    if (type === "ip_unblock_requested") {
      for (const one of this.active(at).filter((entry) => entry.ip === operation.ip && entry.kind === "block")) {
        this.drop(one);
        command(one.rule, { command: "lift", subject: { ip: one.ip }, reason: "support", restriction_id: one.restriction_id });
      }
      return;
    }
    const lifter = { identity_confirmed: operation.proof, wallet_unblock_requested: "client" }[type];
    if (!lifter) return;
    const lifted = this.active(at).filter((one) => one.wallet_id === wallet && !one.ip && one.lifted_by.includes(lifter));
    for (const one of lifted) {
      this.drop(one);
      command(one.rule, { command: "lift", subject: one.kind === "hold" ? { operation: one.op_id } : { wallet }, reason: lifter, restriction_id: one.restriction_id });
    }
    const gone = new Set(lifted.map((one) => one.restriction_id));
    for (const waiting of this.waiting.filter((entry) => entry.wallet_id === wallet)) {
      const before = waiting.holds;
      waiting.holds = before.filter((hold) => !gone.has(hold.restriction_id));
      if (waiting.holds.length || waiting.holds.length === before.length) continue;
      this.waiting = this.waiting.filter((entry) => entry !== waiting);
      command(before[0].rule, { command: operation.order === "cancel" ? "cancel" : "release", subject: { operation: waiting.op_id } });
    }
  }

  drop(one) {
    this.restrictions = this.restrictions.filter((entry) => entry !== one);
  }

  active(at = Date.now()) {
    return this.restrictions.filter((one) => !one.until || Date.parse(one.until) > at);
  }

  shown(one) {
    return { ...one, age_seconds: Math.max(0, Math.floor((Date.now() - Date.parse(one.from)) / 1000)) };
  }

  // HTTP.

  send(stream, decision) {
    stream.write(`id: ${decision.seq}\ndata: ${JSON.stringify(decision)}\n\n`);
  }

  who(request) {
    if (!this.auth) return { name: "local", roles: ["ledger", "support", "analyst", "metrics"] };
    return TOKENS[/^Bearer (.+)$/.exec(request.headers.authorization || "")?.[1]];
  }

  async handle(request, response) {
    const url = new URL(request.url, "http://mock");
    const answer = (status, body, type = status >= 400 ? "application/problem+json" : "application/json") => {
      response.writeHead(status, { "Content-Type": type, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff" });
      response.end(JSON.stringify(body));
    };
    const problem = (status, title, rest = {}) => answer(status, { type: "about:blank", title, status, ...rest });
    if (!url.pathname.startsWith("/v1/")) return this.file(url.pathname, response, problem);
    const who = this.who(request);
    if (!who) return problem(401, "Unauthorized", { detail: "a known token is needed" });
    const path = url.pathname.slice(4).split("/").map(decodeURIComponent);
    const needs = (...roles) => {
      if (roles.some((role) => who.roles.includes(role))) return true;
      problem(403, "Forbidden", { detail: `this needs the role ${roles.join(" or ")}` });
      return false;
    };
    const body = request.method === "POST" ? await read(request) : null;
    const route = `${request.method} ${path[0]}${path.length > 1 ? "/*" : ""}${path.length > 2 ? `/${path[2]}` : ""}`;
    switch (route) {
      case "GET session":
        return answer(200, { ...who, auth: this.auth, version: "0.1.0", ruleset: this.ruleset, reload_error: null, geo: { country: { built: "2026-11-01T00:00:00Z" }, anonymizer: null } });
      case "POST operations": {
        if (!needs("ledger")) return undefined;
        const decided = [body].flat().map((operation) => this.decide(operation));
        return answer(200, Array.isArray(body) ? decided : decided[0]);
      }
      case "GET operations/*": {
        const operation = this.operations.get(Number(path[1]));
        return operation ? answer(200, { seq: Number(path[1]), arrived_at: operation.occurred_at, operation }) : problem(404, "Not found");
      }
      case "GET decisions":
        return needs("ledger", "support", "analyst") ? this.list(request, response, url, answer) : undefined;
      case "GET decisions/*": {
        const decision = this.decisions[Number(path[1]) - 1];
        if (!decision) return problem(404, "Not found");
        const why = decision.matches.map((match) => {
          const rule = this.byId.get(match.rule);
          return { rule: rule.id, title: rule.title, mode: match.mode, clauses: rule.clauses, when: rule.when, evidence: match.evidence, conditions: decision.conditions.get(rule.id) };
        });
        return answer(200, { ...decision, operation: this.operations.get(decision.seq), why });
      }
      case "GET wallets/*":
        return needs("support", "analyst", "ledger") ? this.walletView(path[1], answer, problem) : undefined;
      case "GET restrictions": {
        const hours = { s: 1, m: 60, h: 3600, d: 86400 };
        const older = /^(\d+)([smhd])$/.exec(url.searchParams.get("older_than") || "0s");
        const [kind, rule] = ["kind", "rule"].map((name) => url.searchParams.get(name));
        const found = this.active().map((one) => this.shown(one)).filter((one) => (!kind || one.kind === kind) && (!rule || one.rule === rule) && one.age_seconds >= Number(older[1]) * hours[older[2]]);
        found.sort((a, b) => (a.from < b.from ? -1 : 1));
        const [limit, offset] = [Number(url.searchParams.get("limit") || 200), Number(url.searchParams.get("offset") || 0)];
        const waiting = (one) => this.waiting.filter((entry) => entry.holds.some((hold) => hold.restriction_id === one.restriction_id)).length;
        return answer(200, { restrictions: found.slice(offset, offset + limit).map((one) => ({ ...one, waiting: waiting(one) })), total: found.length });
      }
      case "GET rules":
        return needs("support", "analyst") ? answer(200, { ruleset: this.ruleset, loaded_at: utc(this.loadedAt), previous: this.previous, reload_error: null, rules: this.rules.map((rule) => this.ruleView(rule)) }) : undefined;
      case "GET rules/*": {
        const rule = this.byId.get(path[1]);
        return rule ? answer(200, { ...this.ruleView(rule), text: rule.text, message: rule.message }) : problem(404, "Not found");
      }
      case "POST rules/*":
        if (!needs("analyst")) return undefined;
        if (path[1] === "rollback") [this.ruleset, this.previous] = [this.previous, this.ruleset];
        return answer(200, { ruleset: this.ruleset, changed: path[1] === "rollback" });
      default: {
        const type = { "identity-confirmed": "identity_confirmed" }[path[2]] ?? path[2]?.replaceAll("-", "_");
        if (request.method !== "POST" || path[0] !== "wallets" || !type) return problem(404, "Not found");
        if (!needs("support")) return undefined;
        if (type === "identity_confirmed" && !FIVE.includes(body.proof)) return problem(400, "Bad request", { detail: "proof is needed", code: "missing_field", field: "proof" });
        return answer(200, this.decide({ op_id: `support-${randomUUID()}`, type, occurred_at: utc(Date.now()), wallet_id: path[1], actor: who.name, ...body }));
      }
    }
  }

  ruleView(rule) {
    const now = Date.now();
    const hours = Array.from({ length: 24 }, (_, index) => rule.at.filter((at) => at > now - (24 - index) * HOUR && at <= now - (23 - index) * HOUR).length);
    const { text, message, at, when, ...view } = rule;
    return { ...view, hits_per_hour: hours, share: this.decisions.length ? rule.hits / this.decisions.length : 0 };
  }

  walletView(id, answer, problem) {
    const own = this.decisions.filter((decision) => decision.wallet_id === id);
    if (!own.length) return problem(404, "Not found", { detail: "unknown wallet" });
    const now = Date.now();
    const debits = this.past(id, now, DAY, (one) => ["transfer", "payment", "cash_out", "redemption"].includes(one.type));
    const today = debits.filter((one) => Date.parse(one.occurred_at) >= now - ((now + 5 * HOUR) % DAY));
    const midnight = utc(now - ((now + 5 * HOUR) % DAY) + DAY);
    const logins = this.past(id, now, 2 * HOUR, (one) => one.type === "login" && one.outcome === "success");
    const windows = [
      { aggregate: "sum(debit.amount by wallet today)", rules: ["daily-total-over-100-mrp"], value: fixed(today.reduce((sum, one) => sum + Number(one.amount), 0)), entries: today.length, clears_at: midnight },
      logins[0] && { aggregate: "last(login.ip.country where outcome = success by wallet within 2h)", rules: ["login-country-change"], value: countryOf(logins[0].ip), entries: logins.length, clears_at: utc(Date.parse(logins[0].occurred_at) + 2 * HOUR) },
    ].filter(Boolean);
    return answer(200, {
      wallet_id: id, newest: own.at(-1).occurred_at, restrictions: this.active().filter((one) => one.wallet_id === id).map((one) => this.shown(one)),
      waiting: this.waiting.filter((one) => one.wallet_id === id).map(({ wallet_id, ...one }) => one), windows, decisions: own.slice(-50).reverse(),
    });
  }

  async list(request, response, url, answer) {
    const limit = Number(url.searchParams.get("limit") || 200);
    let after = Number(request.headers["last-event-id"] ?? url.searchParams.get("after") ?? 0);
    if (after < 0) after = Math.max(0, this.decisions.length + after);
    if (!/text\/event-stream/.test(request.headers.accept || "")) {
      const decisions = this.decisions.slice(after, after + limit);
      return answer(200, { decisions, next: decisions.at(-1)?.seq ?? after });
    }
    response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
    response.write(": hello\n\n");
    for (const decision of this.decisions.slice(after)) this.send(response, decision);
    this.streams.add(response);
    request.on("close", () => this.streams.delete(response));
    return undefined;
  }

  file(path, response, problem) {
    const name = normalize(path === "/" ? "index.html" : path).replace(/^[/\\]+/, "");
    const file = join(CONSOLE, name);
    if (!file.startsWith(CONSOLE) || !existsSync(file) || !extname(file)) return problem(404, "Not found");
    response.writeHead(200, { "Content-Type": MEDIA[extname(file)] || "application/octet-stream", "Content-Security-Policy": CSP, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache" });
    return response.end(readFileSync(file));
  }

  listen(port = 0) {
    this.server = createServer((request, response) => {
      this.handle(request, response).catch?.((error) => {
        response.writeHead(500, { "Content-Type": "application/problem+json" });
        response.end(JSON.stringify({ type: "about:blank", title: String(error), status: 500 }));
      });
    });
    return new Promise((resolve) => {
      this.server.listen(port, "127.0.0.1", () => resolve(`http://127.0.0.1:${this.server.address().port}`));
    });
  }

  close() {
    clearInterval(this.timer);
    this.server.closeAllConnections();
    this.server.close();
  }
}

async function read(request) {
  let text = "";
  for await (const chunk of request) text += chunk;
  return text ? JSON.parse(text) : {};
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const mock = new Mock({ auth: !process.env.MOCK_OPEN });
  console.log(await mock.listen(Number(process.argv[2] || 8790)));
}
