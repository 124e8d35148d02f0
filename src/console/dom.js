// Building the page. Texts only ever become text nodes: what the server sends is never read as HTML.

const SVG = "http://www.w3.org/2000/svg";
const SAFE_LINK = /^(#|https:\/\/db-ip\.com$)/;

/** Makes an element. `on…` functions become listeners, null and false attributes are left out. */
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (name === "href" && !SAFE_LINK.test(value)) throw new Error("a link that leads elsewhere");
    else if (name === "style" || name.startsWith("on")) throw new Error(`attribute ${name} is not allowed`);
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  append(element, children);
  return element;
}

export function append(element, children) {
  for (const child of [children].flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
  return element;
}

export function replace(element, ...children) {
  element.replaceChildren();
  return append(element, children);
}
