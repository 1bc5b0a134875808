// Time as the project sees it: it starts at a fixed instant, moves a little whenever someone looks, and jumps over every wait, so that
// sleeping costs nothing and two runs print the same. The event loop lives here because it decides when time jumps.

import { NativeDate, isPromise, PromiseThen } from "./primordials.js";

const START = 1767225600000; // 2026-01-01T00:00:00Z
const LOOK = 0.01;
const MOST_CALLBACKS = 50_000;
const MOST_TURNS = 4_000_000;

let now;
let sequence;
let timers;
let immediates;
let ticks;
let ticking;
let fired;
let turns;
/** @type {() => void} */
let onEndless;
/** @type {(error: unknown) => void} */
let onUncaught;
/** @type {() => boolean} */
let isStopped;

/** Starts afresh. `uncaught` hears of errors that escape a callback; once `stopped` says so, nothing runs any more. */
export function resetClock(uncaught, stopped, endless = () => {}) {
  turns = 0;
  onEndless = endless;
  now = 0;
  sequence = 0;
  timers = [];
  immediates = [];
  ticks = [];
  ticking = false;
  fired = 0;
  onUncaught = uncaught;
  isStopped = stopped;
}

/** Milliseconds since the start of the program. */
export function elapsed() {
  now += LOOK;
  return now;
}

export const epoch = () => Math.floor(START + elapsed());
export const timeOrigin = START;

/** The Date of the sandbox. */
export function makeDate() {
  const Native = NativeDate;
  function Date(...args) {
    if (!new.target) return new Native(epoch()).toString();
    return Reflect.construct(Native, args.length === 0 ? [epoch()] : args, new.target === Date ? Native : new.target);
  }
  Object.setPrototypeOf(Date, Native);
  Date.prototype = Native.prototype;
  Object.defineProperty(Date, "length", { value: 7 });
  Object.defineProperty(Date, "prototype", { writable: false, enumerable: false });
  Object.defineProperty(Date, "now", { value: () => epoch(), writable: true, configurable: true });
  Object.defineProperty(Native.prototype, "constructor", { value: Date, writable: true, configurable: true });
  return Date;
}

/** A generator of chance that always says the same (mulberry32). */
export function makeRandom() {
  let state = 0x9e3779b9;
  return function random() {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export class Timeout {
  constructor(callback, delay, args, repeat) {
    this._callback = callback;
    this._args = args;
    this._delay = delay >= 1 && delay <= 2147483647 ? Math.trunc(delay) : 1;
    this._repeat = repeat;
    this._ref = true;
    sequence += 1;
    this._id = sequence;
    schedule(this);
  }
  ref() { this._ref = true; return this; }
  unref() { this._ref = false; return this; }
  hasRef() { return this._ref; }
  refresh() { remove(this); schedule(this); return this; }
  close() { remove(this); return this; }
  [Symbol.toPrimitive]() { return this._id; }
  [Symbol.dispose ?? Symbol("dispose")]() { remove(this); }
}

function schedule(timer) {
  sequence += 1;
  timer._at = now + timer._delay;
  timer._order = sequence;
  let index = timers.length;
  while (index > 0 && timers[index - 1]._at > timer._at) index -= 1;
  timers.splice(index, 0, timer);
}

function remove(timer) {
  const index = timers.indexOf(timer);
  if (index >= 0) timers.splice(index, 1);
}

function callable(callback) {
  if (typeof callback === "function") return;
  const error = new TypeError(`The "callback" argument must be of type function. Received ${callback === null ? "null" : typeof callback}`);
  error.code = "ERR_INVALID_ARG_TYPE";
  throw error;
}

function clear(timer) {
  if (timer instanceof Timeout) return remove(timer);
  if (timer && timer._immediate) { immediates = immediates.filter((entry) => entry !== timer); return; }
  if (timer !== undefined && timer !== null) {
    const found = timers.find((entry) => entry._id === Number(timer));
    if (found) remove(found);
  }
}

export const setTimeout = function setTimeout(callback, delay, ...args) { callable(callback); return new Timeout(callback, Number(delay), args, false); };
export const setInterval = function setInterval(callback, delay, ...args) { callable(callback); return new Timeout(callback, Number(delay), args, true); };
export const clearTimeout = function clearTimeout(timer) { clear(timer); };
export const clearInterval = function clearInterval(timer) { clear(timer); };
export const clearImmediate = function clearImmediate(timer) { clear(timer); };
export const setImmediate = function setImmediate(callback, ...args) {
  callable(callback);
  const entry = { _immediate: true, _callback: callback, _args: args, ref() { return this; }, unref() { return this; }, hasRef: () => true };
  immediates.push(entry);
  return entry;
};

/** process.nextTick: before the promises when the caller is ordinary code, soon when it is one of them. */
export function nextTick(callback, ...args) {
  callable(callback);
  ticks.push([callback, args]);
  if (!ticking) {
    ticking = true;
    PromiseThen(Promise.resolve(), drainTicks);
  }
}

export function queueMicrotask(callback) {
  callable(callback);
  PromiseThen(Promise.resolve(), () => guarded(callback, []));
}

export function drainTicks() {
  while (ticks.length > 0 && !isStopped()) {
    const [callback, args] = ticks.shift();
    guarded(callback, args);
  }
  ticking = false;
}

function guarded(callback, args) {
  if (isStopped()) return;
  try {
    float(callback(...args));
  } catch (error) {
    onUncaught(error);
  }
}

/** A value nobody looks at: if it is a promise that fails, that failure is nobody's, as node has it. */
export function float(value) {
  if (typeof value === "object" && value !== null && isPromise(value)) PromiseThen(value, undefined, (error) => onUncaught(error, value));
  return value;
}

/** Lets promises run for at most `most` turns; there is no way to ask the engine whether any is left. */
async function settle(most, isDone) {
  for (let turn = 0; turn < most; turn += 1) {
    if ((turn & 15) === 0 && (isStopped() || isDone())) return;
    await null;
  }
  turns += most;
}

/** Runs until `isDone`, or nothing is left that could make a difference. Says whether it is done. */
export async function runLoop(isDone) {
  for (;;) {
    drainTicks();
    await settle(immediates.length > 0 ? 200 : 60, isDone);
    drainTicks();
    if (isStopped() || isDone()) return isDone();
    if (immediates.length > 0 && !(timers.length > 0 && timers[0]._at <= now)) {
      const batch = immediates;
      immediates = [];
      for (const entry of batch) { fired += 1; guarded(entry._callback, entry._args); drainTicks(); await settle(4, isDone); }
      if (fired > MOST_CALLBACKS) { onEndless(); return isDone(); }
      continue;
    }
    const living = timers.some((timer) => timer._ref);
    if (!living) {
      const before = timers.length;
      await settle(100_000, () => isDone() || immediates.length > 0 || ticks.length > 0 || timers.length !== before);
      if (immediates.length > 0 || ticks.length > 0 || timers.some((timer) => timer._ref)) continue;
      return isDone();
    }
    const wait = timers[0]._at - now;
    if (wait > 0) {
      const first = timers[0];
      await settle(turns > MOST_TURNS ? 60 : Math.min(100 + wait * 20, 20_000), () => isDone() || immediates.length > 0 || timers[0] !== first);
      if (isStopped() || isDone()) return isDone();
      if (immediates.length > 0 || timers[0] !== first) continue;
    }
    const timer = timers.shift();
    now = Math.max(now, timer._at);
    fired += 1;
    if (fired > MOST_CALLBACKS) { onEndless(); return isDone(); }
    if (timer._repeat) schedule(timer);
    guarded(timer._callback, timer._args);
  }
}
