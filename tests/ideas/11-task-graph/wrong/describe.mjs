import fs from "node:fs";
import { order } from "./graph.mjs";

const needs = JSON.parse(fs.readFileSync(0, "utf8"));
const jobs = Object.fromEntries(Object.entries(needs).map(([name, list]) => [name, { needs: list }]));
try {
  for (const name of order(jobs)) {
    console.log(name);
  }
} catch (error) {
  console.log(error.message);
  process.exitCode = 1;
}
