// Calls to the service. The token lives in sessionStorage and nowhere else.
import { store, t } from "./i18n.js";

const TOKEN = "kuzet.token";

/** What the service said when it said no. */
export class Problem extends Error {
  constructor(status, body = {}) {
    super(body.detail || body.title || String(status));
    this.status = status;
    this.body = body;
  }
}

export const api = { session: null, onUnauthorized: () => {} };

export const token = () => store(sessionStorage, TOKEN);
export const setToken = (value) => store(sessionStorage, TOKEN, value);
export const can = (role) => Boolean(api.session?.roles?.includes(role));

/** Puts an id into a path. `.` and `..` would be read as steps of the path. */
export function segment(id) {
  const text = String(id);
  if (text === "" || text === "." || text === "..") throw new Problem(0, { code: "id" });
  return encodeURIComponent(text);
}

function headers(extra = {}) {
  const bearer = token();
  return bearer ? { ...extra, Authorization: `Bearer ${bearer}` } : extra;
}

async function problem(response) {
  let body = {};
  try {
    body = await response.json();
  } catch {
    // Not every error in between is the service's own.
  }
  if (response.status === 401) api.onUnauthorized();
  return new Problem(response.status, body);
}

async function call(path, options) {
  const response = await fetch(path, { cache: "no-store", credentials: "omit", redirect: "error", ...options });
  if (!response.ok) throw await problem(response);
  return response;
}

export async function get(path, signal) {
  return (await call(path, { headers: headers({ Accept: "application/json" }), signal })).json();
}

export async function post(path, body) {
  const options = { method: "POST", headers: headers({ Accept: "application/json" }) };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  return (await call(path, options)).json();
}

/** Says a failure in the user's language; `role` is what the call needs. */
export function explain(error, role = "support, analyst") {
  if (!(error instanceof Problem)) return t("error_network");
  if (error.body.code === "id" && error.status === 0) return t("error_id");
  const detail = [error.body.title, error.body.detail].filter(Boolean).join(": ");
  if (error.status === 403) return t("error_403", { roles: (api.session?.roles || []).join(", ") || t("none"), role });
  if (error.status === 404) return t("error_404");
  if (error.status === 410) return t("error_410");
  return `${t("error_status", { status: error.status })}${detail ? ` ${detail}` : ""}`;
}

/** Splits a server-sent event stream; gives each event's name, id and data. */
export async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let event = { name: "", id: null, data: [] };
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    rest += value;
    const lines = rest.split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop();
    for (const line of lines) {
      if (line === "") {
        if (event.data.length) yield { name: event.name, id: event.id, data: event.data.join("\n") };
        event = { name: "", id: event.id, data: [] };
        continue;
      }
      const at = line.indexOf(":");
      const name = at < 0 ? line : line.slice(0, at);
      const text = at < 0 ? "" : line.slice(at + 1).replace(/^ /, "");
      if (name === "data") event.data.push(text);
      else if (name === "id") event.id = text;
      else if (name === "event") event.name = text;
    }
  }
}

const WAIT_FIRST = 1000;
const WAIT_MOST = 30000;
/** A connection that held this long was a good one. */
const HELD = 10000;

/**
 * Follows the decisions after `seq` until `signal` ends it, reconnecting where it stopped.
 * `state(name, seconds)` is told "connecting", "live" or "retry".
 */
export async function follow(seq, { decision, state, failed, signal }) {
  let last = seq;
  // The history that the number belongs to: a restored store has another one, and refuses this one's numbers.
  let epoch = "";
  let wait = WAIT_FIRST;
  while (!signal.aborted) {
    state("connecting");
    const began = Date.now();
    try {
      const wanted = headers({ Accept: "text/event-stream", "Last-Event-ID": String(last) });
      const here = epoch && `&epoch=${encodeURIComponent(epoch)}`;
      const path = `/v1/decisions?after=${encodeURIComponent(last)}${here}`;
      const response = await call(path, { headers: wanted, signal });
      state("live");
      for await (const event of events(response)) {
        wait = WAIT_FIRST;
        // The service says why it ends the stream: this reader was too slow, and goes on where it was.
        if (event.name === "closed") break;
        const item = JSON.parse(event.data);
        last = event.id ?? item.seq ?? last;
        epoch = item.epoch ?? epoch;
        decision(item);
      }
    } catch (error) {
      if (signal.aborted) return;
      // 4xx will not get better by asking again.
      if (error instanceof Problem && error.status < 500 && error.status !== 429) {
        failed(error);
        return;
      }
    }
    if (signal.aborted) return;
    if (Date.now() - began > HELD) wait = WAIT_FIRST;
    state("retry", Math.ceil(wait / 1000));
    await pause(wait, signal);
    wait = Math.min(wait * 2, WAIT_MOST);
  }
}

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

/** Runs `job` on every item, at most `width` at a time. */
export async function each(items, width, job) {
  const queue = [...items];
  const work = async () => {
    while (queue.length) await job(queue.shift());
  };
  await Promise.all(Array.from({ length: width }, work));
}
