// The libraries that the console carries: which file of which package, and what is changed in it, so that a browser
// finds its imports without a build. `vendored()` gives every file; the tests compare them with those in the source.
//
//   node vendor.mjs ../../src/console/vendor    writes them
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = dirname(fileURLToPath(import.meta.url));
const PACKAGES = join(HERE, "node_modules");

/** `[package, file, name here]`; the licence of each package goes beside it. */
const FILES = [
  ["preact", "dist/preact.mjs", "preact.js"],
  ["preact", "hooks/dist/hooks.mjs", "preact-hooks.js"],
  ["@preact/signals-core", "dist/signals-core.mjs", "signals-core.js"],
  ["@preact/signals", "dist/signals.mjs", "signals.js"],
  ["htm", "dist/htm.mjs", "htm.js"],
  ["eventsource-parser", "dist/index.js", "eventsource-parser.js"],
  ["uplot", "dist/uPlot.iife.min.js", "uPlot.js"],
  ["uplot", "dist/uPlot.min.css", "uPlot.min.css"],
];
const LICENCES = {
  preact: "preact", "@preact/signals-core": "signals-core", "@preact/signals": "signals", htm: "htm",
  "eventsource-parser": "eventsource-parser", uplot: "uPlot", "cldr-localenames-full": "cldr",
};
/** What a package calls another one, and where that one lies here. */
const IMPORTS = {
  "preact/hooks": "./preact-hooks.js", "@preact/signals-core": "./signals-core.js", preact: "./preact.js",
};

function localized(text) {
  const imports = text.replace(/\bfrom\s*"([^".][^"]*)"/g, (whole, name) => {
    if (!IMPORTS[name]) throw new Error(`an import of ${name}`);
    return `from"${IMPORTS[name]}"`;
  });
  return imports.replace(/\n?\/\/# sourceMappingURL=\S+\s*$/, "\n");
}

/** The small build of uPlot is a script that makes a name: as a module it gives that. */
const exported = (text) => `${text.trimEnd()}\nexport default uPlot;\n`;

/** The names of countries in Kazakh, which few browsers know, as CLDR has them. */
function countries() {
  const file = join(PACKAGES, "cldr-localenames-full/main/kk/territories.json");
  const names = JSON.parse(readFileSync(file, "utf8")).main.kk.localeDisplayNames.territories;
  const kept = Object.entries(names).filter(([code]) => /^[A-Z]{2}$/.test(code));
  const lines = kept.map(([code, name]) => `  ${code}: ${JSON.stringify(name)},`).join("\n");
  return `// Names of countries in Kazakh, from CLDR.\nexport default {\n${lines}\n};\n`;
}

/** Every vendored file, by its name. */
export function vendored() {
  const files = new Map();
  for (const [name, from, to] of FILES) {
    const text = readFileSync(join(PACKAGES, name, from), "utf8");
    files.set(to, to === "uPlot.js" ? exported(text) : to.endsWith(".js") ? localized(text) : text);
  }
  for (const [name, short] of Object.entries(LICENCES)) {
    files.set(`${short}.LICENSE.txt`, readFileSync(join(PACKAGES, name, "LICENSE"), "utf8"));
  }
  files.set("countries-kk.js", countries());
  return files;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [name, text] of vendored()) writeFileSync(join(process.argv[2], name), text);
}
