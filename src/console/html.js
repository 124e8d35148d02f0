// Building the page: Preact with signals, written as templates. Texts only ever become text nodes: what the server
// sends is never read as HTML, and a link leads to a page of the console, to a file made here or to a known site.
import htm from "./vendor/htm.js";
import { Fragment, h, options, render } from "./vendor/preact.js";

export { Fragment, render };
export { useEffect, useLayoutEffect, useMemo, useRef, useState } from "./vendor/preact-hooks.js";
export { batch, computed, effect, signal, untracked, useSignal } from "./vendor/signals.js";

const SAFE_LINK = /^(#|blob:|https:\/\/db-ip\.com$)/;

const before = options.vnode;
options.vnode = (vnode) => {
  if (typeof vnode.type === "string") {
    const { href, dangerouslySetInnerHTML: raw } = /** @type {any} */ (vnode.props);
    if (href !== undefined && href !== null && !SAFE_LINK.test(href)) throw new Error("a link that leads elsewhere");
    if (raw !== undefined) throw new Error("text must not be read as HTML");
  }
  before?.(vnode);
};

/** The template tag: html`<p class="small">${text}</p>` makes a virtual node. */
export const html = htm.bind(h);
