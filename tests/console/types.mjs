// Checks the console's types: those of its comments against each other, its libraries, and the document of the
// service's interface.
//
//   KUZET_CONSOLE=../../src/console KUZET_URL=http://127.0.0.1:8480 node types.mjs
import openapiTS, { astToString } from "openapi-typescript";
import { spawnSync } from "node:child_process";
import { cpSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = dirname(fileURLToPath(import.meta.url));

/** Gives what the compiler says of the console in `source`; an empty text where nothing is wrong. */
export async function checkTypes(source, document) {
  // A copy, in which the libraries are only their types.
  const checked = join(HERE, "checked");
  rmSync(checked, { recursive: true, force: true });
  cpSync(source, checked, { recursive: true, filter: (path) => !path.includes("vendor") });
  cpSync(join(HERE, "types"), checked, { recursive: true });
  writeFileSync(join(checked, "openapi.d.ts"), astToString(await openapiTS(document)));
  const config = {
    compilerOptions: {
      allowJs: true, checkJs: true, noEmit: true, noUnusedLocals: true, noUnusedParameters: true,
      strict: true, noImplicitAny: false, strictNullChecks: false, useUnknownInCatchVariables: false,
      target: "es2023", module: "esnext", moduleResolution: "bundler", lib: ["es2023", "dom", "dom.iterable", "dom.asynciterable"],
      skipLibCheck: true, types: [],
    },
    include: ["*.js", "pages/*.js"],
  };
  writeFileSync(join(checked, "tsconfig.json"), JSON.stringify(config, null, 2));
  const tsc = [join(HERE, "node_modules/typescript/bin/tsc"), "-p", checked];
  const { stdout, stderr } = spawnSync(process.execPath, tsc, { encoding: "utf8", cwd: checked });
  return stdout + stderr;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const document = await (await fetch(`${process.env.KUZET_URL}/openapi.json`)).json();
  console.log(await checkTypes(process.env.KUZET_CONSOLE, document));
}
