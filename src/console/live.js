// What this page hears of the stream: through the worker that all tabs share, or by a connection of its own.
import { Problem, dropSession, session, token } from "./api.js";
import { effect, signal } from "./html.js";

/**
 * @typedef {object} State
 * @property {"connecting" | "live" | "retry" | "stopped"} name
 * @property {number} [seconds] until it connects again
 * @property {Problem} [error] why it stopped
 */

/** How the stream is. */
export const live = signal(/** @type {State} */ ({ name: "connecting" }));

let [post, listener, filters] = [null, null, null];

function heard(message) {
  if (message.type === "session") {
    if (session.value) session.value = message.session;
  } else if (message.type === "state") {
    const error = message.name === "stopped" ? new Problem(message.status, message.body) : null;
    live.value = { name: message.name, seconds: message.seconds, error };
    if (error?.status === 401) dropSession();
  } else listener?.(message);
}

async function open() {
  if (!globalThis.SharedWorker) {
    const { memberOf } = await import("./stream.js");
    return memberOf(heard);
  }
  const { port } = new SharedWorker("stream-worker.js", { type: "module", name: "kuzet" });
  port.addEventListener("message", ({ data }) => heard(data));
  port.start();
  return (message) => port.postMessage(message);
}

async function joinStream() {
  post ??= open();
  const send = await post;
  live.value = { name: "connecting" };
  send({ type: "join", token: token(), filters, hidden: document.hidden });
}

const tell = async (message) => (await post)?.(message);

/**
 * Listens to the decisions that `wanted` means: `hear` gets `{type: "joined", last}` once the connection stands, where
 * what is newer than `last` will be told, and then `{type: "items", items, passed}`. Gives what ends it.
 */
export function listen(wanted, hear) {
  listener = hear;
  filters = wanted;
  tell({ type: "listen", filters });
  return () => {
    if (listener !== hear) return;
    listener = null;
    filters = null;
    tell({ type: "listen", filters });
  };
}

/** Joins again after the service said no. */
export function rejoin() {
  if (live.peek().name === "stopped") joinStream();
}

/** Joins for as long as somebody is logged in and the page is there. */
export function startLive() {
  let isIn = false;
  effect(() => {
    const wanted = session.value !== null;
    if (wanted === isIn) return;
    isIn = wanted;
    if (wanted) joinStream();
    else tell({ type: "leave" });
  });
  document.addEventListener("visibilitychange", () => tell({ type: "hidden", hidden: document.hidden }));
  addEventListener("pagehide", () => tell({ type: "leave" }));
  addEventListener("pageshow", (event) => {
    if (event.persisted && session.peek()) joinStream();
  });
}
