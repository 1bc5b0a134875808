// node's events: the npm package has the emitter, this adds what newer programs import beside it.

import EventEmitter from "events";

EventEmitter.EventEmitter = EventEmitter;
EventEmitter.captureRejectionSymbol ??= Symbol.for("nodejs.rejection");
EventEmitter.errorMonitor ??= Symbol("events.errorMonitor");
EventEmitter.getEventListeners ??= (emitter, name) => emitter.listeners(name);
EventEmitter.setMaxListeners ??= () => {};
EventEmitter.EventEmitterAsyncResource ??= EventEmitter;

/** An endless async iterator over the arguments of an event. */
EventEmitter.on ??= function on(emitter, name, options = {}) {
  const waiting = [];
  const ready = [];
  let failure;
  const push = (...args) => { const next = waiting.shift(); if (next) next.resolve({ value: args, done: false }); else ready.push(args); };
  const fail = (error) => { const next = waiting.shift(); if (next) next.reject(error); else failure = error; };
  emitter.on(name, push);
  if (name !== "error") emitter.on("error", fail);
  options.signal?.addEventListener("abort", () => fail(options.signal.reason));
  return {
    next() {
      if (ready.length > 0) return Promise.resolve({ value: ready.shift(), done: false });
      if (failure) { const error = failure; failure = undefined; return Promise.reject(error); }
      return new Promise((resolve, reject) => { waiting.push({ resolve, reject }); });
    },
    return() {
      emitter.removeListener(name, push);
      emitter.removeListener("error", fail);
      for (const next of waiting) next.resolve({ value: undefined, done: true });
      return Promise.resolve({ value: undefined, done: true });
    },
    [Symbol.asyncIterator]() { return this; },
  };
};

export default EventEmitter;
