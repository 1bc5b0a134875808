// Runs one test file and says how each listed test ended. The list comes from the source before anything ran; a test that is not heard
// of again, a program that leaves, or a framework that was changed can only make it worse.

import { readSource } from "./language/source.js";
import { listTests } from "./judge/list.js";
import { registered, runRegistered } from "./judge/test.js";
import { tamperedWith } from "./judge/tamper.js";
import { assertModule } from "./judge/assert.js";
import { testModule } from "./judge/test.js";
import { openSandbox, guardMain } from "./sandbox.js";
import { prepare, runMain, kindOf } from "./loader.js";
import { ROOT, isFile, readText, resetTree } from "./tree.js";
import { printed, howItLeft, finishProcess } from "./builtins/process.js";
import { takeSnapshot, changedSince, append } from "./primordials.js";

const LONGEST = 1500;
const RANK = { passed: 0, skipped: 1, failed: 2, errored: 3 };

/** The names of the tests of a file; raises if it is missing or does not parse. */
export function listFile(files, testFile) {
  resetTree(files, "", () => 0);
  return readList(testFile).map((entry) => entry.name);
}

function readList(testFile) {
  const path = `${ROOT}/${testFile}`;
  if (!isFile(path)) throw new Error(`${testFile} is not among the files`);
  return listTests(readSource(path, readText(path), kindOf(path)).ast);
}

/** What went wrong, with the lines of the project's own code. */
export function detailOf(failure) {
  if (!failure) return "";
  if (failure.left) return `the program left by ${failure.left}`;
  if (failure.text !== undefined) return failure.text;
  const { error } = failure;
  let text;
  try {
    if (error instanceof Error) {
      const message = String(error.message);
      const stack = String(error.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line)).slice(0, 6).map((line) => line.replace(`${ROOT}/`, ""));
      const cause = error.cause instanceof Error ? `\nCaused by: ${error.cause.name}: ${error.cause.message}` : "";
      const room = LONGEST - stack.join("\n").length - cause.length;
      const name = error.code === "ERR_ASSERTION" ? "AssertionError" : error.name;
      text = [`${name}: ${message.length > room ? `${message.slice(0, room)}…` : message}`.trimEnd() + cause, ...stack].join("\n");
    } else text = `thrown: ${String(error)}`;
  } catch {
    text = "an error that cannot be shown";
  }
  return (failure.within ? `in subtest '${failure.within}': ` : "") + text;
}

/** Runs the files's tests; used by the typed run and by `node --test`. */
export async function judge(files, testFile, argv) {
  openSandbox({ files, argv: argv ?? [`${ROOT}/${testFile}`] });
  const listed = readList(testFile);
  assertModule();
  testModule();
  prepare(`${ROOT}/${testFile}`);
  const snapshot = takeSnapshot();
  let changed;
  const look = () => {
    changed ??= tamperedWith() ?? changedSince(snapshot);
    return changed === undefined;
  };
  // After each test what costs nothing; every built-in when the file was loaded and at the end. No verdict rests on a built-in.
  const quickLook = () => {
    changed ??= tamperedWith();
    return changed === undefined;
  };
  const load = await guardMain(() => runMain(`${ROOT}/${testFile}`));
  look();
  let problem;
  let after;
  const leftWhileLoading = howItLeft();
  if (leftWhileLoading) problem = `the program left by ${leftWhileLoading.how} while the file was loaded`;
  else if (load.failure) problem = describeLoad(load.failure.error);
  else if (!load.finished) problem = "the file never finished loading: a promise was still pending when nothing was left to do";
  else if (changed === undefined) after = await runRegistered(quickLook);
  look();
  finishProcess(false);
  const outcomes = match(listed, registered(), `${ROOT}/${testFile}`, problem);
  if (!problem && after) problem = `an after hook failed: ${detailOf(after)}`;
  if (!problem && outcomes.strangers) problem = `a test that the file does not list did not pass: ${outcomes.strangers}`;
  const left = howItLeft();
  if (!problem && left && left.how !== "the end") problem = `the program left by ${left.how}`;
  if (changed !== undefined) {
    problem = "the test framework was changed by the project";
    outcomes.tests = outcomes.tests.map((entry) => ({ name: entry.name, status: "errored", detail: `the test framework was changed by the project (${changed})` }));
  }
  return { tests: outcomes.tests, problem, listed };
}

function describeLoad(error) {
  const detail = detailOf({ error });
  const global = /^ReferenceError: (describe|it|test|expect|beforeEach|afterEach|beforeAll|afterAll|jest|vi) is not defined/.exec(detail);
  return global ? `${detail}\n'${global[1]}' is not a global here: import it from 'node:test', and use 'node:assert' to compare` : detail;
}

/** Pairs what was listed with what was registered. */
function match(listed, tests, file, problem) {
  const slots = listed.map((entry) => ({ entry, nodes: [] }));
  const strangers = [];
  const take = (node) => {
    const own = (slot) => slot.entry.own === undefined || slot.entry.own === node.name;
    const near = slots.filter((slot) => node.file === file && node.line >= slot.entry.line && node.line <= slot.entry.end && own(slot));
    const free = near.find((slot) => slot.nodes.length === 0) ?? near.at(-1);
    if (free) { append(free.nodes, node); return true; }
    return false;
  };
  const rest = tests.filter((node) => !take(node));
  for (const node of rest) {
    const slot = slots.find((candidate) => candidate.nodes.length === 0 && candidate.entry.own === node.name);
    if (slot) append(slot.nodes, node);
    else append(strangers, node);
  }
  const judged = slots.map(({ entry, nodes }) => {
    if (nodes.length === 0) return { name: entry.name, status: "errored", detail: problem ?? (howItLeft() ? `the program left by ${howItLeft().how} before this test` : "the test disappeared") };
    let worst;
    for (const node of nodes) {
      const found = node.outcome ?? { status: "errored", failure: { text: problem ?? (howItLeft() ? `the program left by ${howItLeft().how} before this test` : "the test was not run") } };
      if (!worst || RANK[found.status] > RANK[worst.status]) worst = found;
    }
    return { name: entry.name, status: worst.status, detail: detailOf(worst.failure) };
  });
  const bad = strangers.find((node) => !["passed", "skipped"].includes(node.outcome?.status));
  return { tests: judged, strangers: bad && `${bad.name}: ${detailOf(bad.outcome?.failure)}` };
}

/** The typed run. */
export async function runTestFile(files, testFile) {
  try {
    const { tests, problem } = await judge(files, testFile);
    return { tests, ...printed(), problem };
  } catch (error) {
    return { tests: [], stdout: "", stderr: "", problem: `${testFile}: ${error.message}${error.line ? ` (line ${error.line})` : ""}` };
  }
}
