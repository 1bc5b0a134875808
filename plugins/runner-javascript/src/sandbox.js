// Puts node's globals in place of the engine's, once per call: the virtual clock, chance that repeats, the console, and errors whose
// stacks read as node's do. What the engine offers beyond node, or only pretends to offer, is taken away.

import { Buffer } from "buffer";
import inspected from "node-inspect-extracted";
import * as clock from "./clock.js";
import { PromiseThen } from "./primordials.js";
import { resetTree } from "./tree.js";
import { resetLoader } from "./loader.js";
import { resetBuiltins, builtin } from "./builtins/index.js";
import { makeProcess, print, printError, howItLeft, ExitSignal, stop } from "./builtins/process.js";
import { makePerformance } from "./builtins/small.js";
import { resetTests, setRawStack, blame } from "./judge/test.js";
import { resetTamper } from "./judge/tamper.js";
import { makeRegExp } from "./language/unicode.js";
import { installLocale } from "./locale.js";

const { formatWithOptions, inspect } = inspected;
const define = (name, value, enumerable = false) => Object.defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable });

/** A frame of the engine ("name@file:line:column") as node writes it, or nothing for the runner's own frames. */
function frame(line) {
  const found = /^(.*)@(.*?)(?::(\d+))(?::(\d+))?$/.exec(line);
  if (!found || !(found[2].startsWith("/project/") || found[2] === "[eval]")) return undefined;
  const name = found[1].replace(/^.*\*/, "").replace(/\/<.*$/, "").replace(/[<[\]]+$/, "").replace(/^.*\//, "");
  const place = `${found[2]}:${found[3]}${found[4] && found[3] !== "1" ? `:${found[4]}` : ""}`;
  return name ? `    at ${name} (${place})` : `    at ${place}`;
}

function installStacks() {
  const native = Object.getOwnPropertyDescriptor(Error.prototype, "stack");
  if (!native?.get) { setRawStack((error) => String(error.stack)); return; } // another engine, in the runner's own tests
  setRawStack((error) => String(Reflect.apply(native.get, error, [])));
  Object.defineProperty(Error.prototype, "stack", {
    get() {
      const raw = Reflect.apply(native.get, this, []);
      if (typeof raw !== "string" || !/^[^\n]*@/.test(raw)) return typeof raw === "string" && raw !== "" ? raw : `${head(this)}`;
      const frames = raw.split("\n").map(frame).filter(Boolean);
      return [head(this), ...frames.slice(0, 10)].join("\n");
    },
    set(value) { Object.defineProperty(this, "stack", { value, writable: true, configurable: true, enumerable: false }); },
    configurable: true, enumerable: false,
  });
  Error.captureStackTrace = (target) => { const made = new Error(); Object.defineProperty(target, "stack", { value: [head(target), ...made.stack.split("\n").slice(1)].join("\n"), writable: true, configurable: true }); };
  Error.stackTraceLimit = 10;
}

function head(error) {
  let name;
  let message;
  try { name = error.name === undefined ? "Error" : String(error.name); message = error.message === undefined ? "" : String(error.message); } catch { return "Error"; }
  if (error.code !== undefined && /^ERR_/.test(error.code) && !name.includes("[")) name += ` [${error.code}]`;
  return name && message ? `${name}: ${message}` : name || message;
}

function table(data, columns) {
  const rows = data instanceof Map ? [...data].map(([key, value], index) => [index, { Key: key, Values: value }]) : data instanceof Set ? [...data].map((value, index) => [index, value]) : Object.entries(data);
  const keys = [];
  let hasValues = false;
  for (const [, row] of rows) {
    if (row !== null && typeof row === "object") for (const key of Object.keys(row)) { if (!keys.includes(key)) keys.push(key); }
    else hasValues = true;
  }
  const shown = columns ?? keys;
  const cell = (value) => inspect(value, { depth: value !== null && typeof value === "object" && !Array.isArray(value) && Object.keys(value).length > 2 ? -1 : 0, maxArrayLength: 3, breakLength: Infinity });
  const header = [data instanceof Map || data instanceof Set ? "(iteration index)" : "(index)", ...shown, ...(hasValues ? ["Values"] : [])].map(String);
  const body = rows.map(([index, row]) => {
    const isObject = row !== null && typeof row === "object";
    return [String(index), ...shown.map((key) => (isObject && Object.hasOwn(row, key) ? cell(row[key]) : "")), ...(hasValues ? [isObject ? "" : cell(row)] : [])];
  });
  const widths = header.map((text, index) => Math.max(text.length, ...body.map((row) => row[index].length)) + 2);
  const center = (text, width) => { const left = Math.floor((width - text.length) / 2); return " ".repeat(left) + text + " ".repeat(width - text.length - left); };
  const line = (row) => `│${row.map((text, index) => center(text, widths[index])).join("│")}│`;
  const rule = (left, middle, right) => left + widths.map((width) => "─".repeat(width)).join(middle) + right;
  return [rule("┌", "┬", "┐"), line(header), rule("├", "┼", "┤"), ...body.map(line), rule("└", "┴", "┘")].join("\n");
}

/** console, writing through process.stdout so that a program that replaces its write sees it. */
function makeConsole() {
  const counts = new Map();
  const timers = new Map();
  let indent = "";
  const write = (stream, args) => {
    const text = formatWithOptions({}, ...args);
    const lines = indent ? text.split("\n").map((line) => indent + line).join("\n") : text;
    const target = globalThis.process?.[stream];
    if (typeof target?.write === "function") target.write(`${lines}\n`);
    else (stream === "stdout" ? print : printError)(`${lines}\n`);
  };
  const out = (...args) => write("stdout", args);
  const err = (...args) => write("stderr", args);
  const since = (label) => { const start = timers.get(label); return start === undefined ? undefined : `${label}: ${(clock.elapsed() - start).toFixed(3)}ms`; };
  return {
    log: out, info: out, debug: out, dirxml: out, error: err, warn: err,
    dir: (value, options) => out(inspect(value, { customInspect: false, ...options })),
    trace: (...args) => err(`Trace${args.length ? `: ${formatWithOptions({}, ...args)}` : ""}\n${new Error().stack.split("\n").slice(1).join("\n")}`),
    assert: (value, ...args) => { if (!value) err(...(args.length ? [`Assertion failed: ${typeof args[0] === "string" ? args.shift() : ""}`.replace(/: $/, args.length ? ":" : ": "), ...args] : ["Assertion failed"])); },
    table: (data, columns) => (data === null || typeof data !== "object" ? out(data) : out(table(data, columns))),
    group: (...args) => { if (args.length) out(...args); indent += "  "; },
    groupCollapsed: (...args) => { if (args.length) out(...args); indent += "  "; },
    groupEnd: () => { indent = indent.slice(2); },
    count: (label = "default") => { counts.set(label, (counts.get(label) ?? 0) + 1); out(`${label}: ${counts.get(label)}`); },
    countReset: (label = "default") => { counts.delete(label); },
    time: (label = "default") => { timers.set(label, clock.elapsed()); },
    timeEnd: (label = "default") => { const text = since(label); if (text) out(text); timers.delete(label); },
    timeLog: (label = "default", ...args) => { const text = since(label); if (text) out(text, ...args); },
    clear() {}, profile() {}, profileEnd() {}, timeStamp() {},
    Console: class Console { constructor(...args) { const stdout = args[0]?.stdout ?? args[0]; const stderr = args[0]?.stderr ?? args[1] ?? stdout; this.log = (...rest) => { stdout.write(`${formatWithOptions({}, ...rest)}\n`); }; this.info = this.log; this.error = (...rest) => { stderr.write(`${formatWithOptions({}, ...rest)}\n`); }; this.warn = this.error; } },
  };
}

const UNWANTED = [
  "fetch", "Request", "Response", "Headers", "location", "WorkerLocation", "addEventListener", "removeEventListener", "dispatchEvent", "self",
  "SubtleCrypto", "MultipartFormData", "contentGlobal", "setRequestHeaders",
];

/** Prints an error that nobody caught, as node does, and ends the program. */
export function reportUncaught(error) {
  if (error instanceof ExitSignal || howItLeft()) return;
  let text;
  try {
    text = error instanceof Error ? inspect(error) : `Uncaught ${inspect(error)}`;
  } catch {
    text = "Uncaught error";
  }
  const place = /\(?(\/project\/[^:\s]+:\d+)/.exec(error instanceof Error ? String(error.stack) : "")?.[1];
  printError(`${place ? `${place}\n\n` : ""}${text}\n\nNode.js v20.20.0\n`);
  stop(1, "an error nobody caught");
}

function onUncaught(error, promise) {
  if (error instanceof ExitSignal || howItLeft()) return;
  if (blame(error)) return;
  const process = builtin("process");
  const name = promise ? "unhandledRejection" : "uncaughtException";
  const chosen = process.listenerCount(name) > 0 ? name : process.listenerCount("uncaughtException") > 0 ? "uncaughtException" : undefined;
  if (!chosen) { reportUncaught(error); return; }
  try { process.emit(chosen, error, promise ?? "uncaughtException"); } catch (inner) { reportUncaught(inner); }
}

/** A program whose timers never end is ended. */
function onEndless() {
  printError("the program was stopped: its timers never came to an end\n");
  stop(1, "timers without end");
}

/** Makes the world of one program: the files, the globals, a fresh process. */
export function openSandbox({ files, argv, stdin = "", execArgv = [] }) {
  clock.resetClock(onUncaught, () => howItLeft() !== undefined, onEndless);
  resetTree(files, stdin, () => clock.elapsed());
  resetLoader();
  resetBuiltins();
  resetTests();
  resetTamper();
  const process = makeProcess({ argv, stdin, execArgv });
  installStacks();
  for (const name of UNWANTED) { try { delete globalThis[name]; } catch { /* what cannot be taken away does no harm */ } }
  define("RegExp", makeRegExp(RegExp));
  installLocale();
  define("Date", clock.makeDate());
  Math.random = clock.makeRandom();
  for (const name of ["setTimeout", "setInterval", "setImmediate", "clearTimeout", "clearInterval", "clearImmediate", "queueMicrotask"]) define(name, clock[name], true);
  define("performance", makePerformance(), true);
  define("process", process);
  define("Buffer", Buffer);
  define("global", globalThis);
  define("console", makeConsole());
  define("crypto", builtin("crypto").webcrypto);
  return process;
}

/** Runs a piece of the program; errors that escape end it as node ends a program. */
export async function guardMain(task) {
  let failure;
  let done = false;
  const ended = () => done;
  PromiseThen((async () => { await task(); })(), () => { done = true; }, (error) => { failure = { error }; done = true; });
  clock.drainTicks();
  const finished = await clock.runLoop(ended);
  return { failure, finished };
}
