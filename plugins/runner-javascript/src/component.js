// The four exports of the runner's world. Each call has a fresh instance of the component, so that nothing is kept between calls.
// The bindings call `then` on what an export returns, so a promise is given back before any project code could have replaced `then`.

import "./prelude.js";
import { findProblems } from "./parse.js";
import { listFile, runTestFile } from "./run-tests.js";
import { runLine } from "./run-command.js";

export function parse(files) {
  return findProblems(files);
}

export function listTests(files, testFile) {
  try {
    return listFile(files, testFile);
  } catch (error) {
    // A thrown string is the error side of the result.
    throw `${error.message}${error.line ? ` (line ${error.line})` : ""}`; // eslint-disable-line no-throw-literal
  }
}

export async function runTests(files, testFile) {
  await null;
  return await runTestFile(files, testFile);
}

export async function runCommand(files, commandLine, stdin) {
  await null;
  return await runLine(files, commandLine, stdin);
}
