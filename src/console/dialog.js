// Dialogs: one `<dialog>` at a time, gone from the page when it closes.
import { h, replace } from "./dom.js";
import { t } from "./i18n.js";

/** Opens a dialog; `fill(content, close)` puts its inside in place. Resolves with what `close` got. */
export function openDialog(title, fill) {
  return new Promise((resolve) => {
    const content = h("div", { class: "content" });
    const name = `dialog-${Math.trunc(performance.now())}`;
    const dialog = h("dialog", { "aria-labelledby": name }, h("h2", { id: name }, title), content);
    let result = null;
    dialog.addEventListener("close", () => {
      dialog.remove();
      // What opened it may be gone by now: the keyboard goes on in the page, not before it.
      if (document.activeElement === document.body) document.getElementById("main")?.focus({ preventScroll: true });
      resolve(result);
    });
    const close = (value = null) => {
      result = value;
      dialog.close();
    };
    document.body.append(dialog);
    fill(content, close, dialog);
    dialog.showModal();
    // Not the button that acts: a key held too long must not agree.
    (content.querySelector("input") ?? content.querySelector('[data-action="close"]'))?.focus();
  });
}

export const closeButton = (close, text = t("close")) => h("button", { type: "button", class: "quiet", "data-action": "close", onclick: () => close() }, text);

/** Asks before something is done; true when the user agreed. */
export async function ask(title, text) {
  return Boolean(await openDialog(title, (content, close) => {
    const agree = h("button", { type: "button", class: "primary-button", "data-action": "submit", onclick: () => close(true) }, t("submit"));
    replace(content, h("p", {}, text), h("div", { class: "buttons" }, agree, closeButton(close, t("cancel"))));
  }));
}

export const anyDialogOpen = () => document.querySelector("dialog[open]") !== null;
