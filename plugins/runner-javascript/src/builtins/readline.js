// node's readline over any readable stream: lines as events, as an async iterator and as answers to questions.

import EventEmitter from "./events.js";

class Interface extends EventEmitter {
  constructor(first, output) {
    super();
    const options = first && typeof first.on === "function" ? { input: first, output } : first ?? {};
    this.input = options.input;
    this.output = options.output;
    this.terminal = false;
    this.closed = false;
    this.line = "";
    this._prompt = options.prompt ?? "> ";
    this._rest = "";
    this._lines = [];
    this._questions = [];
    this._waiting = [];
    this._ended = false;
    this._paused = false;
    const decoder = new TextDecoder();
    if (!this.input) return;
    this.input.on("data", (chunk) => { this._feed(typeof chunk === "string" ? chunk : decoder.decode(chunk, { stream: true })); });
    this.input.on("end", () => {
      if (this._rest !== "") { const rest = this._rest; this._rest = ""; this._take(rest); }
      this._ended = true;
      this._finish();
    });
  }
  _feed(text) {
    const lines = (this._rest + text).split(/\r\n|\n|\r/);
    this._rest = lines.pop();
    for (const line of lines) this._take(line);
  }
  _take(line) {
    if (this.closed) return;
    const question = this._questions.shift();
    if (question) question(line);
    else if (this._waiting.length > 0) this._waiting.shift()({ value: line, done: false });
    else if (this._iterating || this._paused || this.listenerCount("line") === 0) this._lines.push(line);
    else this.emit("line", line);
  }
  _finish() {
    if (this._ended && this._lines.length === 0) this.close();
  }
  on(name, listener) {
    super.on(name, listener);
    if (name === "line") queueMicrotask(() => { this._flush(); });
    return this;
  }
  _flush() {
    while (this._lines.length > 0 && !this._iterating && !this._paused && this.listenerCount("line") > 0) this.emit("line", this._lines.shift());
    this._finish();
  }
  question(query, options, callback) {
    const done = typeof options === "function" ? options : callback;
    this.output?.write(query);
    if (this._lines.length > 0) { const line = this._lines.shift(); queueMicrotask(() => { done(line); this._finish(); }); }
    else if (!this.closed) this._questions.push(done);
  }
  setPrompt(text) { this._prompt = text; }
  getPrompt() { return this._prompt; }
  prompt() { this.output?.write(this._prompt); }
  write() {}
  pause() { this._paused = true; this.emit("pause"); return this; }
  resume() { this._paused = false; this._flush(); return this; }
  close() {
    if (this.closed) return;
    this.closed = true;
    this.input?.pause?.();
    for (const waiting of this._waiting.splice(0)) waiting({ value: undefined, done: true });
    this.emit("close");
  }
  [Symbol.asyncIterator]() {
    this._iterating = true;
    return {
      next: () => {
        if (this._lines.length > 0) { const value = this._lines.shift(); return Promise.resolve({ value, done: false }); }
        if (this._ended || this.closed) { this.close(); return Promise.resolve({ value: undefined, done: true }); }
        return new Promise((resolve) => { this._waiting.push(resolve); });
      },
      return: () => { this.close(); return Promise.resolve({ value: undefined, done: true }); },
      [Symbol.asyncIterator]() { return this; },
    };
  }
}

class PromisesInterface extends Interface {
  question(query) { return new Promise((resolve) => { super.question(query, resolve); }); }
}

const clear = (stream, ...rest) => { rest.filter((entry) => typeof entry === "function").forEach((call) => call()); return true; };

export const readlinePromises = { Interface: PromisesInterface, createInterface: (...args) => new PromisesInterface(...args) };
export const readline = {
  Interface, createInterface: (...args) => new Interface(...args), promises: readlinePromises,
  clearLine: clear, cursorTo: clear, moveCursor: clear, clearScreenDown: clear, emitKeypressEvents() {},
};
