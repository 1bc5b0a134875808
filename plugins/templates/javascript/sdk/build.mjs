// Makes the component: node sdk/build.mjs <world> <path of the .wasm to write>
//
// Every door of WASI is taken out, so that the component imports the contract and nothing else: no clock, no randomness, no file.
// That is what makes its run repeatable, and the host would refuse it otherwise.

import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { componentize } from "@bytecodealliance/componentize-js";

const [world, target] = process.argv.slice(2);
if (!world || !target) {
  console.error("usage: node sdk/build.mjs <world> <path of the .wasm to write>");
  process.exit(2);
}
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const { component, imports } = await componentize({
  sourcePath: here("../src/plugin.js"),
  witPath: here("wit"),
  worldName: world,
  disableFeatures: ["stdio", "random", "clocks", "http", "fetch-event"],
});
const strange = imports.map(([name]) => name).filter((name) => !name.startsWith("atelier:agent/"));
if (strange.length > 0) throw new Error(`the component would import ${strange.join(", ")}`);
await writeFile(target, component);
