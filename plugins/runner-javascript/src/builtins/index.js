// The built-in modules of node that the sandbox has, each made when first asked for, and those it refuses by name.

import { Buffer } from "buffer";
import EventEmitter from "./events.js";
import stream from "readable-stream";
import { StringDecoder } from "string_decoder";
import { path } from "./path.js";
import { makeFs } from "./fs.js";
import { util } from "./util.js";
import { makeProcess, sandboxProcess } from "./process.js";
import { readline, readlinePromises } from "./readline.js";
import { url, querystring, os, perfHooks } from "./small.js";
import { cryptoModule } from "./crypto.js";
import { assertModule } from "../judge/assert.js";
import { testModule } from "../judge/test.js";
import * as clock from "../clock.js";
import { makeRequire } from "../loader.js";

const REFUSED = [
  "child_process", "cluster", "dgram", "dns", "dns/promises", "http", "http2", "https", "inspector", "net", "repl", "sqlite", "tls", "v8", "vm",
  "wasi", "worker_threads", "zlib", "async_hooks", "diagnostics_channel", "tty", "trace_events",
];

let made = new Map();
export function resetBuiltins() { made = new Map(); }

function timersPromises() {
  const wait = (start) => (delay, value, options) => new Promise((done, fail) => {
    if (options?.signal?.aborted) { fail(options.signal.reason); return; }
    start(() => done(value), delay);
    options?.signal?.addEventListener("abort", () => fail(options.signal.reason));
  });
  const api = { setTimeout: wait((run, delay) => clock.setTimeout(run, delay)), setImmediate: (value) => new Promise((done) => { clock.setImmediate(() => done(value)); }) };
  api.setInterval = async function* setInterval(delay, value) { for (;;) { await api.setTimeout(delay); yield value; } };
  api.scheduler = { wait: (delay) => api.setTimeout(delay), yield: () => api.setImmediate() };
  return api;
}

const timers = () => ({
  setTimeout: clock.setTimeout, clearTimeout: clock.clearTimeout, setInterval: clock.setInterval, clearInterval: clock.clearInterval,
  setImmediate: clock.setImmediate, clearImmediate: clock.clearImmediate, promises: builtin("timers/promises"),
});

/** @type {Record<string, () => unknown>} */
const MAKERS = {
  assert: () => assertModule(),
  "assert/strict": () => assertModule().strict,
  buffer: () => ({ Buffer, constants: { MAX_LENGTH: 2 ** 31 }, kMaxLength: 2 ** 31, Blob: globalThis.Blob, File: globalThis.File, atob: globalThis.atob, btoa: globalThis.btoa }),
  console: () => Object.assign(Object.create(globalThis.console), globalThis.console),
  constants: () => builtin("fs").constants,
  crypto: () => cryptoModule(),
  events: () => EventEmitter,
  fs: () => makeFs(),
  "fs/promises": () => builtin("fs").promises,
  module: () => moduleModule(),
  os: () => os,
  path: () => path,
  "path/posix": () => path,
  perf_hooks: () => perfHooks(),
  process: () => sandboxProcess(),
  punycode: () => ({ toASCII: (text) => new URL(`http://${text}`).hostname }),
  querystring: () => querystring,
  readline: () => readline,
  "readline/promises": () => readlinePromises,
  stream: () => stream,
  "stream/promises": () => stream.promises,
  "stream/web": () => ({ ReadableStream: globalThis.ReadableStream, WritableStream: globalThis.WritableStream, TransformStream: globalThis.TransformStream }),
  string_decoder: () => ({ StringDecoder }),
  test: () => testModule(),
  timers,
  "timers/promises": timersPromises,
  url: () => url,
  util: () => util,
  "util/types": () => util.types,
};

const ONLY_WITH_PREFIX = ["test"];

function moduleModule() {
  const Module = function Module() {};
  Module.createRequire = (from) => makeRequire(String(from).replace(/^file:\/\//, ""));
  Module.builtinModules = Object.keys(MAKERS).filter((name) => name !== "test");
  Module.isBuiltin = isBuiltin;
  Module.Module = Module;
  return Module;
}

/** Whether a specifier names a module of node's own. */
export function isBuiltin(specifier) {
  const name = specifier.replace(/^node:/, "");
  if (ONLY_WITH_PREFIX.includes(name)) return specifier.startsWith("node:");
  return Object.hasOwn(MAKERS, name) || REFUSED.includes(name);
}

/** The exports of a built-in module. */
export function builtin(name) {
  if (REFUSED.includes(name)) {
    const error = new Error(`The module '${name}' is not available in the sandbox`);
    error.code = "ERR_NOT_AVAILABLE";
    throw error;
  }
  if (!made.has(name)) made.set(name, MAKERS[name]());
  return made.get(name);
}

export { makeProcess };
