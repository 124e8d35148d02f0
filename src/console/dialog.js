// Dialogs: one `<dialog>` at a time, gone from the page when it closes.
import { html, signal, useLayoutEffect, useRef } from "./html.js";
import { t } from "./i18n.js";

const shown = signal(null);
let number = 0;

export const anyDialogOpen = () => shown.peek() !== null;

/** Opens a dialog whose inside `Content` makes; it gets `close`. Resolves with what `close` got. */
export function openDialog(title, Content, props = {}) {
  closeDialog();
  number += 1;
  const id = `dialog-${number}`;
  return new Promise((resolve) => {
    shown.value = { id, title, Content, props, resolve };
  });
}

export function closeDialog(result = null) {
  const dialog = shown.peek();
  if (!dialog) return;
  shown.value = null;
  dialog.resolve(result);
  // What opened it may be gone by now: the keyboard goes on in the page, not before it.
  queueMicrotask(() => {
    if (document.activeElement === document.body) document.getElementById("main")?.focus({ preventScroll: true });
  });
}

function Dialog({ id, title, Content, props }) {
  const element = useRef(null);
  useLayoutEffect(() => {
    const dialog = element.current;
    const opener = /** @type {HTMLElement} */ (document.activeElement);
    dialog.showModal();
    // Not the button that acts: a key held too long must not agree.
    (dialog.querySelector("input, textarea") ?? dialog.querySelector('[data-action="close"]'))?.focus();
    return () => {
      dialog.close();
      if (opener?.isConnected) opener.focus({ preventScroll: true });
    };
  }, []);
  const isWide = props.wide ? "wide" : null;
  return html`<dialog ref=${element} aria-labelledby=${id} class=${isWide} onClose=${() => closeDialog()}>
    <h2 id=${id}>${title}</h2><div class="content"><${Content} ...${props} close=${closeDialog}/></div>
  </dialog>`;
}

/** The place of the dialog in the page. */
export function Dialogs() {
  const dialog = shown.value;
  return dialog && html`<${Dialog} key=${dialog.id} ...${dialog}/>`;
}

export function CloseButton({ close, text }) {
  const press = () => close();
  return html`<button type="button" class="quiet" data-action="close" onClick=${press}>${text ?? t("close")}</button>`;
}
