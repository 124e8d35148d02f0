// A dialog that tells what something would do before it is agreed to.
import { Problem } from "./api.js";
import { CloseButton, openDialog } from "./dialog.js";
import { html, useEffect, useState } from "./html.js";
import { t } from "./i18n.js";
import { ReloadFailure, Task, useTask } from "./tasks.js";

/** The service would refuse it for the same reason. */
const isFinal = (error) => error instanceof Problem && [403, 409, 422].includes(error.status) && error.body.code !== "backtest-running";

function Agree({ text, first = {}, Fields, hasComment, look, act, done, close }) {
  const [values, setValues] = useState(first);
  const [comment, setComment] = useState("");
  const [problem, setProblem] = useState(null);
  const [isSending, setSending] = useState(false);
  const [ahead, runAhead] = useTask();
  useEffect(() => {
    runAhead((told, signal) => look(values, told, signal));
  }, [JSON.stringify(values)]);
  const mayAct = Boolean(ahead) && !ahead.busy && !isFinal(ahead.error) && ahead.done?.nothing !== true;
  const send = async (event) => {
    event.preventDefault();
    if (!mayAct || isSending) return;
    setSending(true);
    setProblem(null);
    try {
      const answer = await act(values, comment.trim() || undefined, ahead.done);
      close(answer);
      done?.(answer);
    } catch (error) {
      setProblem(html`<${ReloadFailure} error=${error} title=${t("edit_refused")}/>`);
      setSending(false);
    }
  };
  const set = (more) => setValues((before) => ({ ...before, ...more }));
  return html`<form onSubmit=${send}><p>${text}</p>${Fields && html`<${Fields} values=${values} set=${set}/>`}
    <div class="foreseen" aria-live="polite" data-ahead=${ahead && !ahead.busy ? "told" : "asking"}>
      <${Task} state=${ahead}>${(found) => found.shows}<//></div>
    ${ahead?.error && !isFinal(ahead.error) && html`<p class="warning">${t("agree_unknown")}</p>`}
    ${hasComment && html`<label class="field">${t("comment")} <input type="text" name="comment" maxlength="500" autocomplete="off"
      value=${comment} onInput=${(event) => setComment(event.currentTarget.value)}/></label>`}
    <div aria-live="assertive">${problem}</div>
    <div class="buttons"><button type="submit" class="primary-button" data-action="submit" disabled=${!mayAct || isSending}>
        ${t(isSending ? "sending" : "submit")}</button>
      <${CloseButton} close=${close} text=${t("cancel")}/></div></form>`;
}

/**
 * Asks before something is done. `look(values, told, signal)` tells what it would do: what `shows`, and whether it would
 * do `nothing`; it is asked again whenever a field of `Fields` changes. `act(values, comment, found)` does it, and `done`
 * hears what that gave.
 */
export const agree = (title, props) => openDialog(title, Agree, { wide: true, ...props });
