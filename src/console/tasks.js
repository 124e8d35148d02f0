// Work that takes a while and is told of where it was asked for: how far it is, what it gave, or what went wrong.
import { explain, Problem } from "./api.js";
import { html, useEffect, useRef, useState } from "./html.js";
import { t } from "./i18n.js";

/** What went wrong with rules; their errors keep their carets. */
export function ReloadFailure({ error, title }) {
  const text = error instanceof Problem ? error.body.text : null;
  const listed = error instanceof Problem && !text ? error.body.errors : null;
  const line = (item) => `${item.file || ""}:${item.line ?? ""}:${item.column ?? ""} ${item.code || ""}: ${item.message || ""}`;
  const lines = text || listed?.map(line).join("\n");
  const said = error instanceof Problem && error.status === 422 ? title ?? t("reload_failed") : explain(error, "analyst");
  return html`<div class="state error banner" role="alert"><strong>${said}</strong>${lines && html`<pre tabindex="0">${lines}</pre>`}</div>`;
}

/**
 * Runs a job for a component: `job(told, signal)` tells by `told` how far it is, and is given up when another one begins
 * or the component goes. Gives `{busy}`, `{done}` or `{error}`, and what runs a job.
 */
export function useTask() {
  const [state, setState] = useState(null);
  const running = useRef(new AbortController());
  useEffect(() => () => running.current.abort(), []);
  const run = async (job) => {
    running.current.abort();
    const mine = new AbortController();
    running.current = mine;
    const show = (next) => mine.signal.aborted || setState(next);
    show({ busy: t("loading") });
    try {
      const done = await job((share) => show({ busy: t("impact_running", { n: Math.round(share * 100) }) }), mine.signal);
      show({ done });
    } catch (error) {
      show({ error });
    }
  };
  return [state, run];
}

/** Shows how a job is; what it gave is shown by `children`. */
export function Task({ state, children }) {
  if (!state) return null;
  if (state.busy) return html`<p class="state" role="status">${state.busy}</p>`;
  if (state.error) return html`<${ReloadFailure} error=${state.error} title=${t("edit_refused")}/>`;
  return children(state.done);
}
