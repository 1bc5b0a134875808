// Small built-in modules that need no file of their own: url, querystring, os and perf_hooks.

import * as clock from "../clock.js";
import { sandboxProcess } from "./process.js";

const { URL, URLSearchParams } = globalThis;

/** A path from a file URL. */
function fileURLToPath(value) {
  const parsed = typeof value === "string" ? new URL(value) : value;
  if (parsed.protocol !== "file:") {
    const error = new TypeError("The URL must be of scheme file");
    error.code = "ERR_INVALID_URL_SCHEME";
    throw error;
  }
  return decodeURIComponent(parsed.pathname);
}

function pathToFileURL(path) {
  const full = path.startsWith("/") ? path : `${sandboxProcess().cwd()}/${path}`;
  return new URL(`file://${encodeURI(full).replaceAll("?", "%3F").replaceAll("#", "%23")}`);
}

/** The older parser, for programs that still use it. */
function parse(text, withQuery = false) {
  const found = /^(?:([a-z][a-z0-9+.-]*:))?(\/\/(?:([^@/?#]*)@)?([^:/?#]*)(?::(\d+))?)?([^?#]*)(\?[^#]*)?(#.*)?$/i.exec(text) ?? [];
  const [, protocol = null, slashes, auth = null, hostname = null, port = null, pathname, search = null, hash = null] = found;
  const query = search === null ? null : search.slice(1);
  return {
    protocol, slashes: slashes === undefined ? null : true, auth, host: hostname === null ? null : hostname + (port ? `:${port}` : ""), port, hostname, hash, search,
    query: withQuery ? querystring.parse(query ?? "") : query, pathname: pathname || (slashes ? "/" : null), path: (pathname || "") + (search ?? "") || null, href: text,
  };
}

export const url = {
  URL, URLSearchParams, fileURLToPath, pathToFileURL, parse,
  format: (value) => (value instanceof URL ? value.href : `${value.protocol ?? ""}${value.slashes || value.host ? "//" : ""}${value.host ?? value.hostname ?? ""}${value.pathname ?? ""}${value.search ?? (value.query ? `?${querystring.stringify(value.query)}` : "")}${value.hash ?? ""}`),
  resolve: (from, to) => { const base = new URL(from, "resolve://x/"); const made = new URL(to, base); return made.protocol === "resolve:" ? made.pathname + made.search + made.hash : made.href; },
  domainToASCII: (text) => text, domainToUnicode: (text) => text,
  urlToHttpOptions: (value) => ({ protocol: value.protocol, hostname: value.hostname, path: value.pathname + value.search, port: value.port }),
};

const escape = (text) => encodeURIComponent(String(text)).replace(/[!'()*]/g, (found) => found);
const unescape = (text) => { try { return decodeURIComponent(text); } catch { return text; } };

export const querystring = {
  escape, unescape,
  parse(text, separator = "&", equals = "=") {
    const result = Object.create(null);
    for (const part of String(text).split(separator)) {
      if (part === "") continue;
      const at = part.indexOf(equals);
      const key = unescape((at < 0 ? part : part.slice(0, at)).replaceAll("+", " "));
      const value = at < 0 ? "" : unescape(part.slice(at + equals.length).replaceAll("+", " "));
      if (key in result) result[key] = [].concat(result[key], value);
      else result[key] = value;
    }
    return result;
  },
  stringify(object, separator = "&", equals = "=") {
    const text = (value) => (["string", "number", "bigint", "boolean"].includes(typeof value) ? escape(value) : "");
    return Object.keys(object ?? {}).flatMap((key) => [].concat(object[key]).map((value) => `${escape(key)}${equals}${text(value)}`)).join(separator);
  },
};
querystring.decode = querystring.parse;
querystring.encode = querystring.stringify;

export const os = {
  EOL: "\n", devNull: "/dev/null", platform: () => "linux", type: () => "Linux", arch: () => "x64", release: () => "0.0.0", version: () => "sandbox", machine: () => "x86_64",
  tmpdir: () => "/tmp", homedir: () => "/tmp", hostname: () => "sandbox", endianness: () => "LE", uptime: () => 0, loadavg: () => [0, 0, 0],
  totalmem: () => 1073741824, freemem: () => 536870912, availableParallelism: () => 1, networkInterfaces: () => ({}),
  cpus: () => [{ model: "sandbox", speed: 0, times: { user: 0, nice: 0, sys: 0, idle: 0, irq: 0 } }],
  userInfo: () => ({ username: "sandbox", uid: 1000, gid: 1000, shell: null, homedir: "/tmp" }), constants: { signals: {} },
};

/** performance on the virtual clock. */
export function makePerformance() {
  const entries = [];
  const add = (name, entryType, startTime, duration) => { const entry = { name, entryType, startTime, duration, detail: null }; entries.push(entry); return entry; };
  const time = (mark) => (typeof mark === "number" ? mark : entries.findLast((entry) => entry.name === mark)?.startTime);
  return {
    timeOrigin: clock.timeOrigin,
    now: () => clock.elapsed(),
    mark: (name) => add(name, "mark", clock.elapsed(), 0),
    measure(name, from, to) { const start = from === undefined ? 0 : time(from); return add(name, "measure", start, (to === undefined ? clock.elapsed() : time(to)) - start); },
    getEntries: () => [...entries], getEntriesByName: (name) => entries.filter((entry) => entry.name === name), getEntriesByType: (type) => entries.filter((entry) => entry.entryType === type),
    clearMarks: () => { entries.length = 0; }, clearMeasures: () => { entries.length = 0; },
    timerify: (call) => call, eventLoopUtilization: () => ({ idle: 0, active: 0, utilization: 0 }), toJSON: () => ({ timeOrigin: clock.timeOrigin }),
  };
}

export const perfHooks = () => ({ performance: globalThis.performance, PerformanceObserver: class PerformanceObserver { observe() {} disconnect() {} } });
