// The stream of decisions: one connection, shared by all who joined. It runs in a worker that all tabs of a browser
// share, or in the page where there is none, so nothing here touches a page.
import { accepts } from "./filter.js";
import { createParser } from "./vendor/eventsource-parser.js";

const WAIT_FIRST = 1000;
const WAIT_MOST = 30000;
/** A connection that held this long was a good one. */
const HELD = 10000;
/** Decisions are told of together, so often. */
const GATHER = 250;
/** So often the service is asked whether its rules have changed. */
const SESSION_EVERY = 500;

/** Waits; coming back online ends the wait. */
function pause(milliseconds, signal) {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      removeEventListener("online", end);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    addEventListener("online", end);
    signal.addEventListener("abort", end);
  });
}

/** Splits a server-sent event stream into events. */
async function* events(response) {
  const found = [];
  const parser = createParser({ onEvent: (event) => found.push(event) });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    parser.feed(value);
    yield* found.splice(0);
  }
}

/**
 * One connection for one token. A member has `send(message)`, `hidden`, and the `filters` of the decisions that it wants;
 * without them it wants none.
 */
export class Hub {
  constructor(token, idle) {
    this.token = token;
    this.idle = idle;
    this.members = new Set();
    this.ending = new AbortController();
    // The number of the last decision that was told of; unknown before the first answer.
    this.last = null;
    // The history that the number belongs to: a restored store has another one, and refuses this one's numbers.
    this.epoch = "";
    this.state = { name: "connecting" };
    this.session = "";
    this.gathered = [];
    this.timer = null;
    this.run();
    this.watch();
  }

  join(member) {
    this.members.add(member);
    member.send({ type: "state", ...this.state });
    this.greet(member);
  }

  /** Tells where the stream is, once that is known. */
  greet(member) {
    if (this.last !== null) member.send({ type: "joined", last: this.last });
  }

  leave(member) {
    this.members.delete(member);
    if (this.members.size) return;
    this.ending.abort();
    this.idle(this);
  }

  tell(message) {
    for (const member of this.members) member.send(message);
  }

  setState(name, more = {}) {
    this.state = { name, ...more };
    this.tell({ type: "state", ...this.state });
  }

  async call(path, headers) {
    const { signal } = this.ending;
    const bearer = this.token ? { Authorization: `Bearer ${this.token}` } : {};
    /** @type {RequestInit} */
    const options = { cache: "no-store", credentials: "omit", redirect: "error", signal };
    const response = await fetch(path, { ...options, headers: { ...headers, ...bearer } });
    if (response.ok) return response;
    const body = await response.json().catch(() => ({}));
    throw Object.assign(new Error("the service said no"), { status: response.status, body });
  }

  /** Learns where the stream is now, and tells those who joined. */
  async begin() {
    const newest = await (await this.call("/v1/decisions?after=-1&limit=1", { Accept: "application/json" })).json();
    this.last = newest.next;
    this.epoch = newest.epoch;
    this.tell({ type: "joined", last: this.last });
  }

  async follow() {
    const query = new URLSearchParams({ after: this.last, epoch: this.epoch });
    const headers = { Accept: "text/event-stream", "Last-Event-ID": String(this.last) };
    const response = await this.call(`/v1/decisions?${query}`, headers);
    this.setState("live");
    for await (const event of events(response)) {
      this.wait = WAIT_FIRST;
      // The service says why it ends the stream: this reader was too slow, and goes on where it was.
      if (event.event === "closed") return;
      const item = JSON.parse(event.data);
      this.last = item.seq;
      this.epoch = item.epoch;
      this.gather(item);
    }
  }

  gather(item) {
    this.gathered.push(item);
    this.timer ??= setTimeout(() => this.deliver(), GATHER);
  }

  deliver() {
    this.timer = null;
    const items = this.gathered.splice(0);
    for (const member of this.members) {
      if (!member.filters) continue;
      member.send({ type: "items", passed: items.length, items: items.filter((item) => accepts(member.filters, item)) });
    }
  }

  /** Follows the decisions until nobody is here, reconnecting where it stopped. */
  async run() {
    const { signal } = this.ending;
    this.wait = WAIT_FIRST;
    while (!signal.aborted) {
      const began = Date.now();
      try {
        if (this.last === null) await this.begin();
        await this.follow();
      } catch (error) {
        if (signal.aborted) return;
        // 4xx will not get better by asking again.
        if (error.status && error.status < 500 && error.status !== 429) {
          this.setState("stopped", { status: error.status, body: error.body });
          this.ending.abort();
          this.idle(this);
          return;
        }
      }
      if (signal.aborted) return;
      if (Date.now() - began > HELD) this.wait = WAIT_FIRST;
      this.setState("retry", { seconds: Math.ceil(this.wait / 1000) });
      await pause(this.wait, signal);
      this.wait = Math.min(this.wait * 2, WAIT_MOST);
      if (!signal.aborted) this.setState("connecting");
    }
  }

  /** Tells what runs, whenever that changes: rules that were loaded, or could not be. */
  async watch() {
    const { signal } = this.ending;
    while (!signal.aborted) {
      await pause(SESSION_EVERY, signal);
      if (signal.aborted || ![...this.members].some((member) => !member.hidden)) continue;
      try {
        const text = await (await this.call("/v1/session", { Accept: "application/json" })).text();
        if (text === this.session) continue;
        this.session = text;
        this.tell({ type: "session", session: JSON.parse(text) });
      } catch {
        // The stream says what is wrong.
      }
    }
  }
}

/** The connections by their tokens: tabs of one browser may have different ones. */
const hubs = new Map();

function hubOf(token) {
  const key = token ?? "";
  if (!hubs.has(key)) {
    hubs.set(key, new Hub(token, (hub) => {
      if (hubs.get(key) === hub) hubs.delete(key);
    }));
  }
  return hubs.get(key);
}

/** Makes a member of the one who hears what is sent; gives what takes that one's messages. */
export function memberOf(send) {
  const member = { send, hidden: false, filters: null };
  let hub = null;
  const leave = () => {
    hub?.leave(member);
    hub = null;
  };
  return ({ type, ...message }) => {
    if (type === "join") {
      leave();
      Object.assign(member, { hidden: message.hidden, filters: message.filters });
      hub = hubOf(message.token);
      hub.join(member);
    } else if (type === "listen") {
      member.filters = message.filters;
      if (message.filters) hub?.greet(member);
    } else if (type === "hidden") member.hidden = message.hidden;
    else if (type === "leave") leave();
  };
}
