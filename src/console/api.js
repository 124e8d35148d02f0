// Calls to the service. The token lives in sessionStorage and nowhere else.
import { signal, useEffect, useState } from "./html.js";
import { t } from "./i18n.js";
import { store } from "./storage.js";

const TOKEN = "kuzet.token";

/** What the service said when it said no. */
export class Problem extends Error {
  constructor(status, body = {}) {
    super(body.detail || body.title || String(status));
    this.status = status;
    this.body = body;
  }
}

/** Who asks and what is running, as `GET /v1/session` tells it; `null` before the service has said so. */
export const session = signal(null);
/** Set once a token was not accepted. */
export const refused = signal(false);

export const token = () => store("sessionStorage", TOKEN);
export const setToken = (value) => store("sessionStorage", TOKEN, value);
export const can = (role) => Boolean(session.value?.roles?.includes(role));

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

/** What an answer that is not right says. */
export async function problemOf(response) {
  try {
    return new Problem(response.status, await response.json());
  } catch {
    // Not every error in between is the service's own.
    return new Problem(response.status);
  }
}

/** Forgets a token that stopped being good, and asks for another. */
export function dropSession() {
  if (!session.value) return;
  setToken(null);
  refused.value = true;
  session.value = null;
}

async function call(path, options) {
  const response = await fetch(path, { cache: "no-store", credentials: "omit", redirect: "error", ...options });
  if (response.ok) return response;
  const problem = await problemOf(response);
  if (problem.status === 401) dropSession();
  throw problem;
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
  if (error.status === 403) {
    return t("error_403", { roles: (session.value?.roles || []).join(", ") || t("none"), role });
  }
  if (error.status === 404) return t("error_404");
  if (error.status === 410) return t("error_410");
  return `${t("error_status", { status: error.status })}${detail ? ` ${detail}` : ""}`;
}

/** Runs `job` on every item, at most `width` at a time. */
export async function each(items, width, job) {
  const queue = [...items];
  const work = async () => {
    while (queue.length) await job(queue.shift());
  };
  await Promise.all(Array.from({ length: width }, work));
}

/**
 * Loads something for a component, again when `keys` change or `again` is called; what was loaded stays until then.
 * `load` gets the signal of leaving.
 */
export function useLoad(load, keys) {
  const [state, setState] = useState({ value: null, error: null, key: null });
  const [round, setRound] = useState(0);
  const key = JSON.stringify(keys);
  useEffect(() => {
    const leaving = new AbortController();
    const told = (next) => !leaving.signal.aborted && setState({ ...next, key });
    Promise.resolve().then(() => load(leaving.signal))
      .then((value) => told({ value, error: null }), (error) => told({ value: null, error }));
    return () => leaving.abort();
  }, [key, round]);
  const isFresh = state.key === key;
  return { value: isFresh ? state.value : null, error: isFresh ? state.error : null, again: () => setRound((n) => n + 1) };
}
