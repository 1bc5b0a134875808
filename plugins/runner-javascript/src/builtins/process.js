// node's process for one program: its arguments, its standard streams, and its end. Leaving is remembered at once and for good, whatever
// the program does afterwards, so that a judge can tell a test that ended from a program that left.

import EventEmitter from "./events.js";
import stream from "readable-stream";
import { Buffer } from "buffer";
import * as clock from "../clock.js";
import { ROOT, isDirectory, absolute, systemError } from "../tree.js";

const MOST_OUTPUT = 256 * 1024;
const MOST_DISCARDED = 4 * 1024 * 1024;
const MARKER = "\n[output cut at 256 KiB]\n";
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Thrown to unwind a program that called process.exit. */
export class ExitSignal {
  constructor(code) { this.code = code; }
}

/** @type {{code: number, how: string} | undefined} */
let left;
let current;
let outputs;

/** How the program left, if it did. */
export const howItLeft = () => left;
export const sandboxProcess = () => current;

/** Ends the program from the runner's side. */
export function stop(code, how) {
  left ??= { code, how };
}

class Capture {
  constructor() { this.parts = []; this.size = 0; this.cut = false; this.discarded = 0; }
  add(chunk) {
    if (left) return;
    let bytes = typeof chunk === "string" ? encoder.encode(chunk) : chunk;
    if (this.cut || this.size + bytes.length > MOST_OUTPUT) {
      const room = this.cut ? 0 : MOST_OUTPUT - this.size;
      this.discarded += bytes.length - room;
      bytes = bytes.slice(0, room);
      this.cut = true;
    }
    if (bytes.length > 0) { this.parts.push(bytes.slice()); this.size += bytes.length; }
    if (this.discarded > MOST_DISCARDED) {
      stop(1, "it printed without end");
      throw new ExitSignal(1);
    }
  }
  text() {
    const all = new Uint8Array(this.size);
    let at = 0;
    for (const part of this.parts) { all.set(part, at); at += part.length; }
    return (this.cut ? decoder.decode(all).replace(/\uFFFD$/, "") + MARKER : decoder.decode(all));
  }
}

/** What was printed so far. */
export const printed = () => ({ stdout: outputs.stdout.text(), stderr: outputs.stderr.text() });
export const print = (text) => outputs.stdout.add(text);
export const printError = (text) => outputs.stderr.add(text);

function outputStream(capture, fd) {
  const made = new stream.Writable({ decodeStrings: false, write(chunk, encoding, done) { capture.add(typeof chunk === "string" && encoding && encoding !== "utf8" && encoding !== "utf-8" ? Buffer.from(chunk, encoding) : chunk); done(); } });
  made.write = (chunk, encoding, callback) => {
    if (typeof chunk !== "string" && !(chunk instanceof Uint8Array)) {
      const error = new TypeError(`The "chunk" argument must be of type string or an instance of Buffer or Uint8Array. Received ${chunk === null ? "null" : `type ${typeof chunk}`}`);
      error.code = "ERR_INVALID_ARG_TYPE";
      throw error;
    }
    capture.add(typeof chunk === "string" && typeof encoding === "string" && !/^utf-?8$/i.test(encoding) ? Buffer.from(chunk, encoding) : chunk);
    const done = typeof encoding === "function" ? encoding : callback;
    if (typeof done === "function") clock.nextTick(done);
    return true;
  };
  made.end = (chunk, encoding, callback) => { if (chunk !== undefined && typeof chunk !== "function") made.write(chunk, encoding); [chunk, encoding, callback].find((entry) => typeof entry === "function")?.(); return made; };
  made.destroy = () => made;
  made.fd = fd;
  made._type = "fs";
  made.isTTY = false;
  made.hasColors = () => false;
  made.getColorDepth = () => 1;
  return made;
}

function inputStream(text) {
  const bytes = Buffer.from(text, "utf8");
  let at = 0;
  const made = new stream.Readable({
    highWaterMark: 65536,
    read(size) {
      if (at >= bytes.length) { this.push(null); return; }
      const chunk = bytes.subarray(at, at + Math.max(size, 65536));
      at += chunk.length;
      this.push(chunk);
    },
  });
  made.fd = 0;
  made.isTTY = undefined;
  made.setRawMode = () => made;
  made.ref = () => made;
  made.unref = () => made;
  return made;
}

function exitCodeOf(value) {
  if (value === undefined || value === null) return 0;
  const number = Number(value);
  return Number.isInteger(number) ? number & 255 : 1;
}

/** Makes the process of a program. */
export function makeProcess({ argv, stdin, execArgv = [] }) {
  left = undefined;
  outputs = { stdout: new Capture(), stderr: new Capture() };
  let cwd = ROOT;
  let umask = 0o022;
  const made = Object.create(Object.create(EventEmitter.prototype, { constructor: { value: function process() {} } }));
  EventEmitter.call(made);
  current = made;
  const leave = (how) => (code) => {
    if (left) throw new ExitSignal(left.code);
    if (code !== undefined) made.exitCode = code;
    if (!made._exiting) { made._exiting = true; try { made.emit("exit", exitCodeOf(made.exitCode)); } catch (error) { if (!(error instanceof ExitSignal)) { printError(`${error?.stack ?? error}\n`); made.exitCode = 1; } } }
    const final = exitCodeOf(made.exitCode);
    stop(final, `${how}(${code === undefined ? "" : code})`);
    throw new ExitSignal(final);
  };
  const hrtime = (since) => {
    const now = clock.elapsed();
    let seconds = Math.floor(now / 1000);
    let nanos = Math.floor((now % 1000) * 1e6);
    if (since) { seconds -= since[0]; nanos -= since[1]; if (nanos < 0) { seconds -= 1; nanos += 1e9; } }
    return [seconds, nanos];
  };
  hrtime.bigint = () => BigInt(Math.floor(clock.elapsed() * 1e6));
  let stdinStream;
  Object.assign(made, {
    title: "node", argv: ["/usr/bin/node", ...argv], argv0: "node", execArgv, execPath: "/usr/bin/node", env: {}, pid: 1, ppid: 0, platform: "linux", arch: "x64",
    version: "v20.20.0", versions: { node: "20.20.0", v8: "0", modules: "115" }, release: { name: "node", lts: "Iron" }, config: {}, features: {}, exitCode: undefined,
    stdout: outputStream(outputs.stdout, 1), stderr: outputStream(outputs.stderr, 2),
    exit: leave("process.exit"), reallyExit: leave("process.reallyExit"),
    abort: () => { stop(134, "process.abort()"); throw new ExitSignal(134); },
    kill: (pid, signal = "SIGTERM") => { if (signal === 0) return true; stop(143, "process.kill()"); throw new ExitSignal(143); },
    cwd: () => cwd,
    chdir: (to) => { const full = absolute(String(to), cwd); if (!isDirectory(full)) throw systemError("ENOENT", "chdir", cwd, String(to)); cwd = full; },
    umask: (mask) => { const before = umask; if (mask !== undefined) umask = Number(mask); return before; },
    hrtime, nextTick: clock.nextTick, uptime: () => clock.elapsed() / 1000,
    memoryUsage: Object.assign(() => ({ rss: 50331648, heapTotal: 8388608, heapUsed: 4194304, external: 1048576, arrayBuffers: 16384 }), { rss: () => 50331648 }),
    cpuUsage: () => ({ user: Math.floor(clock.elapsed() * 1000), system: 0 }), resourceUsage: () => ({}),
    getuid: () => 1000, getgid: () => 1000, geteuid: () => 1000, getegid: () => 1000,
    emitWarning: (warning) => { printError(`(node:1) ${warning instanceof Error ? `${warning.name}: ${warning.message}` : `Warning: ${warning}`}\n`); },
    binding: () => { throw new Error("process.binding is not available in the sandbox"); },
  });
  Object.defineProperty(made, "stdin", { get: () => (stdinStream ??= inputStream(stdin)), enumerable: true, configurable: true });
  Object.defineProperty(made, Symbol.toStringTag, { value: "process", configurable: true });
  return made;
}

/** Runs the listeners of a program that comes to its end by itself, and says with which code. */
export function finishProcess(failed) {
  if (left) return left.code;
  const { emit } = EventEmitter.prototype;
  if (failed) current.exitCode = 1;
  try {
    current._exiting = true;
    emit.call(current, "exit", exitCodeOf(current.exitCode));
  } catch (error) {
    if (!(error instanceof ExitSignal)) { printError(`${error?.stack ?? error}\n`); return 1; }
    return left.code;
  }
  return exitCodeOf(current.exitCode);
}
