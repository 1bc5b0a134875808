// Runs a command line as node would: a script, text given with -e or -p, or --test.

import inspected from "node-inspect-extracted";
import { openSandbox, guardMain, reportUncaught } from "./sandbox.js";
import { runMain, runText, resolve } from "./loader.js";
import { judge } from "./run-tests.js";
import { ROOT, changes } from "./tree.js";
import { print, printError, printed, howItLeft, finishProcess, ExitSignal } from "./builtins/process.js";
import { builtin } from "./builtins/index.js";
import * as clock from "./clock.js";

const IGNORED = /^--(no-|enable-|experimental-|disable-warning|trace-|stack-|max-|unhandled-rejections|harmony|strip-types)/;

/** @param {string[]} line the arguments after the program */
export function readLine(line) {
  const made = { mode: "script", text: "", wantsValue: false, script: undefined, args: [], execArgv: [], esm: false };
  for (let index = 0; index < line.length; index += 1) {
    const word = line[index];
    if (["-e", "--eval", "-p", "--print", "-pe"].includes(word)) {
      made.mode = "text";
      made.wantsValue = word.startsWith("-p") || word === "--print";
      made.text = line[index + 1] ?? "";
      made.args = line.slice(index + 2);
      if (made.args[0] === "--") made.args.shift();
      return made;
    }
    if (word === "--test") { made.mode = "test"; continue; }
    if (word === "-v" || word === "--version") { made.mode = "version"; return made; }
    if (word === "-c" || word === "--check") { made.mode = "check"; continue; }
    if (word === "-r" || word === "--require" || word === "--import" || word === "--input-type" || word === "--test-name-pattern" || word === "--test-reporter") { index += 1; continue; }
    if (word === "--") { [made.script, ...made.args] = line.slice(index + 1); return made; }
    if (word === "-") { made.mode = "stdin"; made.args = line.slice(index + 1); return made; }
    if (word.startsWith("-")) { if (!IGNORED.test(word) && !word.startsWith("--test-") && !word.startsWith("--input-type=")) made.unknown ??= word; made.execArgv.push(word); continue; }
    if (made.mode === "test") { made.args.push(word); continue; }
    [made.script, ...made.args] = line.slice(index);
    return made;
  }
  if (made.mode === "script" && made.script === undefined) made.mode = "stdin";
  return made;
}

const TEST_FILE = /(^|\/)test\/.*\.[mc]?[jt]s$|(^|\/)(test|test-[^/]*|[^/]*[._-]test)\.[mc]?[jt]s$/;

function testFiles(files, asked) {
  const paths = files.map((file) => file.path).filter((path) => !/(^|\/)node_modules\//.test(path)).sort();
  if (asked.length === 0) return paths.filter((path) => TEST_FILE.test(path));
  return asked.flatMap((word) => {
    const wanted = word.replace(/^\.\//, "").replace(/^\/project\//, "").replace(/\/$/, "");
    if (paths.includes(wanted)) return [wanted];
    if (wanted.includes("*")) {
      const pattern = new RegExp(`^${wanted.replace(/[.+^${}()|[\]\\]/g, "\\$&").replace(/\*\*\/|\*\*|\*/g, (star) => (star === "**/" ? "(?:.*/)?" : star === "**" ? ".*" : "[^/]*"))}$`);
      return paths.filter((path) => pattern.test(path));
    }
    const within = paths.filter((path) => path.startsWith(`${wanted}/`) && /\.[mc]?[jt]s$/.test(path) && TEST_FILE.test(path));
    return within.length > 0 ? within : [wanted];
  });
}

async function runTestFiles(files, asked) {
  const chosen = testFiles(files, asked);
  const counts = { passed: 0, failed: 0, errored: 0, skipped: 0 };
  let output = "";
  let errors = "";
  let problems = 0;
  let tree = files;
  let last = { written: [], removed: [] };
  const summary = [];
  for (const path of chosen) {
    let run;
    try {
      run = await judge(tree, path);
      const { stdout, stderr } = printed();
      output += stdout;
      errors += stderr;
      last = changes();
      tree = [...tree.filter((file) => !last.removed.includes(file.path) && !last.written.some((entry) => entry.path === file.path)), ...last.written];
    } catch (error) {
      run = { tests: [], problem: error.message };
    }
    for (const { name, status, detail } of run.tests) {
      counts[status] += 1;
      const mark = { passed: "✔", skipped: "﹣", failed: "✖", errored: "✖" }[status];
      summary.push(`${mark} ${name}${status === "skipped" ? " # SKIP" : ""}`);
      if (detail && status !== "skipped") summary.push(...detail.split("\n").map((line) => `    ${line}`));
    }
    if (run.problem) { problems += 1; summary.push(`✖ ${path}: ${run.problem}`); }
  }
  const bad = counts.failed + counts.errored;
  const total = bad + counts.passed + counts.skipped;
  summary.push(`ℹ tests ${total}`, `ℹ pass ${counts.passed}`, `ℹ fail ${bad}`, `ℹ skipped ${counts.skipped}`, "");
  const exitCode = bad > 0 || problems > 0 ? 1 : 0;
  return { exitCode, stdout: output + summary.join("\n"), stderr: errors, ...difference(files, tree) };
}

/** What changed between the files given and the files at the end. */
function difference(before, after) {
  const old = new Map(before.map((file) => [file.path, file.bytes]));
  const now = new Set(after.map((file) => file.path));
  return { written: after.filter((file) => old.get(file.path) !== file.bytes), removed: before.map((file) => file.path).filter((path) => !now.has(path)) };
}

/** @param {{path: string, bytes: Uint8Array}[]} files @param {string[]} line with the program first */
export async function runLine(files, line, stdin) {
  const [program, ...rest] = line;
  const refuse = (code, message) => ({ exitCode: code, stdout: "", stderr: `${message}\n`, written: [], removed: [] });
  if (!program || !/^(.*\/)?node(js)?$/.test(program)) return refuse(127, `${program ?? ""}: this runner has only the program 'node'`);
  const command = readLine(rest);
  if (command.unknown) return refuse(9, `node: bad option: ${command.unknown}`);
  if (command.mode === "version") return { ...refuse(0, ""), stdout: "v20.20.0\n", stderr: "" };
  if (command.mode === "test") return await runTestFiles(files, command.args);
  const script = command.script === undefined ? undefined : command.script.startsWith("/") ? command.script : `${ROOT}/${command.script}`;
  openSandbox({ files, argv: script ? [script.replace(/\/\.\//g, "/"), ...command.args] : command.args, stdin, execArgv: command.execArgv });
  const { failure, finished } = await guardMain(async () => {
    if (script) {
      let path;
      try {
        path = resolve(script, `${ROOT}/.`, false);
      } catch {
        throw Object.assign(new Error(`Cannot find module '${script}'`), { code: "MODULE_NOT_FOUND" });
      }
      builtin("process").argv[1] = path;
      await runMain(path);
      return;
    }
    const text = command.mode === "stdin" ? stdin : command.text;
    for (const name of ["fs", "path", "os", "util", "url", "events", "assert", "crypto", "readline", "stream", "querystring", "child_process"]) {
      Object.defineProperty(globalThis, name, { get: () => builtin(name), set(value) { Object.defineProperty(globalThis, name, { value, writable: true, configurable: true }); }, configurable: true });
    }
    const value = await runText(text, command.wantsValue);
    if (command.wantsValue) print(`${typeof value === "string" ? value : inspected.inspect(value)}\n`);
  });
  if (failure && !(failure.error instanceof ExitSignal)) uncaught(failure.error);
  if (!howItLeft()) await clock.runLoop(() => false);
  let exitCode = finishProcess(false);
  if (!finished && !howItLeft()) {
    printError("Warning: Detected unsettled top-level await\n");
    exitCode = exitCode || 13;
  }
  return { exitCode, ...printed(), ...changes() };
}

function uncaught(error) {
  const process = builtin("process");
  if (process.listenerCount("uncaughtException") === 0) { reportUncaught(error); return; }
  try { process.emit("uncaughtException", error, "uncaughtException"); } catch (inner) { reportUncaught(inner); }
}
