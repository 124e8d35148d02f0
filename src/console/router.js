// Addresses of pages: `#/path?query`. Every visit has a place, which keeps what showed there: going back shows it again.
import { signal } from "./html.js";

/** The most visits that are remembered. */
const PLACES_MOST = 50;
/** A page that is shown again may take so long to become as long as it was. */
const RESTORE_MS = 3000;

const places = new Map();
let [number, restoring] = [0, 0];

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The visit that the browser's history stands at. */
function currentPlace() {
  let key = history.state?.place;
  if (!key) {
    number += 1;
    key = `${Date.now().toString(36)}-${number}`;
    history.replaceState({ place: key }, "");
  }
  const place = places.get(key) ?? { key, scroll: 0, kept: null };
  // The newest last.
  places.delete(key);
  places.set(key, place);
  if (places.size > PLACES_MOST) places.delete(places.keys().next().value);
  return place;
}

function read() {
  const [path, query = ""] = (location.hash.replace(/^#/, "") || "/").split(/\?(.*)/s);
  return { path, parts: path.split("/").slice(1).map(decoded), query: new URLSearchParams(query), place: currentPlace() };
}

/** Where the console is. */
export const route = signal(read());

/** Goes to an address. */
export function go(hash) {
  location.hash = hash;
}

/** Puts another address in the place of this one, without another visit. */
export function replaceAddress(hash) {
  history.replaceState(history.state, "", hash);
}

/** Goes to an address that takes the place of this one. */
export function goInstead(hash) {
  location.replace(hash);
}

/** Scrolls to where the page was left, once it is long enough. */
function restore(place) {
  const wanted = place.scroll;
  const until = Date.now() + RESTORE_MS;
  restoring += 1;
  const mine = restoring;
  const step = () => {
    if (mine !== restoring || route.value.place !== place) return;
    const reach = document.documentElement.scrollHeight - innerHeight;
    if (reach >= wanted - 1 || Date.now() > until) {
      scrollTo(0, wanted);
      restoring = 0;
    } else requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
}

/** Follows the address; `moved` is called after another page was put in place. */
export function followAddress(moved) {
  history.scrollRestoration = "manual";
  addEventListener("hashchange", () => {
    route.value = read();
    moved();
    if (route.value.place.scroll > 0) restore(route.value.place);
    else scrollTo(0, 0);
  });
  addEventListener("scroll", () => {
    if (!restoring) route.value.place.scroll = scrollY;
  }, { passive: true });
  for (const name of ["wheel", "touchmove", "keydown"]) {
    addEventListener(name, () => {
      restoring = 0;
    }, { passive: true });
  }
}
