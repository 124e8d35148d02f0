// Light or dark: as the system is, or as was chosen. `theme.js` has set what was chosen before the first paint.
import { signal } from "./html.js";
import { store } from "./storage.js";

export const THEMES = ["auto", "light", "dark"];
const KEY = "kuzet.theme";

/** The theme that was chosen, and how often the system's has changed. */
export const theme = signal({ name: document.documentElement.dataset.theme || "auto", changes: 0 });

export function chooseTheme(name) {
  store("localStorage", KEY, name === "auto" ? null : name);
  if (name === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
  theme.value = { ...theme.value, name };
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  theme.value = { ...theme.value, changes: theme.value.changes + 1 };
});
