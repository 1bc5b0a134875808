// Builds the component: node build.mjs <path of runner.wit> <path of the .wasm to write>

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { componentize } from "@bytecodealliance/componentize-js";
import { escapeRange } from "./src/language/unicode.js";

const [witPath, target] = process.argv.slice(2);
if (!witPath || !target) {
  console.error("usage: node build.mjs <path of runner.wit> <path of the .wasm to write>");
  process.exit(2);
}

const PROPERTIES = [
  "L", "Ll", "Lu", "Lt", "Lm", "Lo", "M", "Mn", "Mc", "N", "Nd", "Nl", "No", "P", "Pc", "Pd", "Ps", "Pe", "Po", "S", "Sc", "Sm", "Sk", "So", "Z", "Zs", "Cc", "C",
  "Alphabetic", "Uppercase", "Lowercase", "White_Space", "Emoji", "Emoji_Presentation", "Extended_Pictographic", "ID_Start", "ID_Continue",
  "Script=Latin", "Script=Greek", "Script=Cyrillic", "Script=Han", "Script=Hiragana", "Script=Katakana", "Script=Arabic", "Script=Hebrew", "Script=Hangul", "Script=Thai", "Script=Devanagari",
];

/** The code points that have a property, as the inside of a character class. */
function ranges(property) {
  const pattern = new RegExp(`^\\p{${property}}$`, "u");
  let made = "";
  let start = -1;
  for (let point = 0; point <= 0x110000; point += 1) {
    const has = point <= 0x10ffff && pattern.test(String.fromCodePoint(point));
    if (has && start < 0) start = point;
    if (!has && start >= 0) {
      made += escapeRange(start, point - 1);
      start = -1;
    }
  }
  return made;
}

const tables = Object.fromEntries(PROPERTIES.map((property) => [property.replace("Script=", ""), ranges(property)]));
const work = await mkdtemp(join(tmpdir(), "runner-javascript-"));
const bundle = join(work, "runner.js");
const shim = fileURLToPath(new URL("./src/shims.js", import.meta.url));
await build({
  entryPoints: [fileURLToPath(new URL("./src/component.js", import.meta.url))],
  bundle: true,
  format: "esm",
  platform: "browser",
  mainFields: ["browser", "module", "main"],
  conditions: ["import", "require"],
  target: "es2022",
  outfile: bundle,
  define: { __UNICODE_TABLES__: JSON.stringify(tables) },
  plugins: [{
    name: "shims",
    setup(tool) {
      tool.onResolve({ filter: /^process\/?$/ }, () => ({ path: shim }));
    },
  }],
  minify: true,
  keepNames: true,
  charset: "utf8",
  logLevel: "warning",
});

const wit = await readFile(witPath, "utf8");
const { component, imports } = await componentize({
  sourcePath: bundle,
  witWorld: /^package /m.test(wit) ? wit : `package atelier:agent@0.1.0;\n${wit}`,
  worldName: "runner",
  disableFeatures: ["stdio", "random", "clocks", "http", "fetch-event"],
});
await rm(work, { recursive: true });
if (imports.length > 0) throw new Error(`the component imports ${JSON.stringify(imports)}`);
await writeFile(target, component);
console.log(`${target}: ${component.length} bytes`);
