// node:test: collects what a file registers, then runs it and keeps the outcomes where the project cannot reach them.

import { append, isPromise, NativeError, PromiseThen } from "../primordials.js";
import * as clock from "../clock.js";
import { assertModule, assertNames, isAssertion } from "./assert.js";
import { makeMock } from "./mock.js";
import { guard } from "./tamper.js";
import { howItLeft, ExitSignal } from "../builtins/process.js";

/** @typedef {{name: string, kind: "test" | "suite", parent: any, line: number, file: string, call?: Function, options: any, children: any[], hooks: any, pending?: Promise<any>, outcome?: any}} Node */

let root;
let scope;
let running;
let made;

const makeNode = (name, kind, parent, options, call, place) => ({
  name, kind, parent, options: options ?? {}, call, line: place?.line ?? 0, file: place?.file ?? "", children: [],
  hooks: { before: [], after: [], beforeEach: [], afterEach: [] },
});

export function resetTests() {
  root = makeNode("", "suite", undefined);
  scope = root;
  running = undefined;
  made = undefined;
}

/** The tests that were registered, in the order of registration. */
export function registered() {
  const all = [];
  const collect = (node) => { for (const child of node.children) { if (child.kind === "test") append(all, child); else collect(child); } };
  collect(root);
  return all;
}

/** The frames of a stack: where in which file. Reads the engine's own form, which the sandbox keeps under a private name. */
export const rawStack = (error) => (rawStackOf ? rawStackOf(error) : String(error.stack));
let rawStackOf;
export const setRawStack = (getter) => { rawStackOf = getter; };

/** The first frame in a project file. */
function callPlace(skipped) {
  for (const line of rawStack(new NativeError("where")).split("\n")) {
    const found = /(?:@|\(|at )(\/project\/[^:()]*):(\d+)(?::\d+)?\)?$/.exec(line);
    if (found && !skipped?.includes(found[1])) return { file: found[1], line: Number(found[2]) };
  }
  return undefined;
}

function readArguments(args) {
  let [name, options, call] = args;
  if (typeof name === "function") [name, options, call] = [name.name, {}, name];
  else if (typeof name === "object" && name !== null) [name, options, call] = [options?.name ?? "", name, options];
  else if (typeof options === "function") [options, call] = [{}, options];
  return { name: name === undefined || name === null || name === "" ? "<anonymous>" : String(name), options: { ...options }, call };
}

function register(kind, args, extra) {
  const { name, options, call } = readArguments(args);
  Object.assign(options, extra);
  // A test that is registered while another runs is a subtest of it.
  const parent = running && scope === root ? running.node : scope;
  const node = makeNode(name, kind, parent, options, call, callPlace());
  append(parent.children, node);
  if (parent.kind === "test") return running.runChild(node);
  if (kind === "suite" && typeof call === "function" && !options.skip) {
    const before = scope;
    scope = node;
    try {
      const result = call(contextOf(node));
      if (isPromise(result)) node.pending = result;
    } catch (error) {
      if (error instanceof ExitSignal) throw error;
      node.failure = { error };
    } finally {
      scope = before;
    }
  }
  return Promise.resolve();
}

const inherited = (node, option) => { for (let at = node; at; at = at.parent) if (at.options[option]) return at.options[option]; return undefined; };

function contextOf(node, state) {
  const context = {
    name: node.name, get fullName() { return pathOf(node); }, signal: new AbortController().signal, filePath: node.file,
    diagnostic() {}, runOnly() {},
    skip(message) { if (state) state.skipped = typeof message === "string" ? message : "skipped"; },
    todo(message) { if (state) state.todo = typeof message === "string" ? message : "todo"; },
    plan(count) { if (state) state.planned = typeof count === "object" ? count.count : count; },
    test: (...args) => {
      const { name, options, call } = readArguments(args);
      const child = makeNode(name, "test", node, options, call, undefined);
      append(node.children, child);
      if (state) state.counted += 1;
      return state ? state.runChild(child) : Promise.resolve();
    },
  };
  for (const hook of ["before", "after", "beforeEach", "afterEach"]) context[hook] = (call) => { append(node.hooks[hook], call); };
  context.assert = {};
  const assert = assertModule();
  for (const name of assertNames()) context.assert[name] = (...args) => { if (state) state.counted += 1; return assert[name](...args); };
  context.assert.ok = (...args) => { if (state) state.counted += 1; return assert.ok(...args); };
  context.mock = (state ?? {}).mock ?? makeMock();
  context.waitFor = async (condition, { interval = 50, timeout = 1000 } = {}) => {
    for (let waited = 0; ; waited += interval) {
      try { return await condition(); } catch (error) { if (waited >= timeout) throw error; }
      await new Promise((done) => { clock.setTimeout(done, interval); });
    }
  };
  return context;
}

const pathOf = (node) => (node.parent && node.parent !== root ? `${pathOf(node.parent)} > ${node.name}` : node.name);

/** Runs one call to its end, or to the point where it cannot end; the error it ended with is in `failure`. */
async function runCall(call, args, timeout) {
  const state = { done: false, failure: undefined };
  const finish = (failure) => { if (!state.done) { state.done = true; state.failure = failure; } };
  current = { finish };
  try {
    let result;
    if (args.length > 0 && call.length === args.length + 1) result = new Promise((pass, fail) => { call(...args, (error) => { if (error) fail(error); else pass(); }); });
    else result = call(...args);
    if (result !== null && typeof result === "object" && typeof result.then === "function") {
      PromiseThen((async () => { await result; })(), () => finish(), (error) => finish({ error }));
    } else finish();
  } catch (error) {
    finish({ error });
  }
  afterSync?.();
  let timer;
  if (!state.done && Number.isFinite(timeout)) timer = clock.setTimeout(() => finish({ error: undefined, text: `test timed out after ${timeout}ms` }), timeout);
  const ended = await clock.runLoop(() => state.done);
  if (timer) clock.clearTimeout(timer);
  current = undefined;
  const left = howItLeft();
  if (left) return { left: left.how };
  if (!ended) return { text: "never finished: a promise was still pending when nothing was left to do" };
  return state.failure;
}

let current;
let afterSync;
/** An error that escaped from a callback belongs to the call that is running. Says whether somebody took it. */
export function blame(error) {
  if (!current) return false;
  current.finish({ error });
  return true;
}

/** Runs a call of a subtest inside its parent, whose loop is already turning. */
async function runInner(call, args) {
  try {
    await call(...args);
    return undefined;
  } catch (error) {
    return { error };
  }
}

function outcome(status, failure) {
  return { status, failure };
}

async function runNode(node, inner) {
  const skip = inherited(node, "skip");
  const todo = inherited(node, "todo");
  if (skip) return outcome("skipped", { text: typeof skip === "string" ? skip : "" });
  if (typeof node.call !== "function") return outcome("skipped", { text: "the test has no body" });
  for (let at = node.parent; at; at = at.parent) if (at.failure) return outcome("errored", at.failure);
  const state = { node, counted: 0, planned: undefined, skipped: undefined, todo: undefined, childFailure: undefined, waiting: [], mock: makeMock() };
  state.runChild = (child) => {
    const before = running;
    const promise = (async () => {
      const result = await runNode(child, true);
      running = before;
      if ((result.status === "failed" || result.status === "errored") && !state.childFailure) state.childFailure = { ...result.failure, status: result.status, within: child.name };
    })();
    append(state.waiting, promise);
    return promise;
  };
  const outer = running;
  running = state;
  const context = contextOf(node, state);
  const perform = inner ? runInner : (call, args) => runCall(call, args, node.options.timeout ?? inherited(node, "timeout"));
  const line = [];
  for (let at = node.parent; at; at = at.parent) line.unshift(at);
  let failure;
  for (const holder of line) for (const hook of holder.hooks.beforeEach) failure ??= await perform(hook, [context]);
  const hookFailed = failure !== undefined;
  const body = async () => {
    const result = node.call(context);
    await result;
    for (let index = 0; index < state.waiting.length; index += 1) await state.waiting[index];
  };
  if (!hookFailed) {
    const withCallback = node.call.length >= 2;
    failure = await perform(withCallback && !inner ? node.call : body, withCallback && !inner ? [context] : []);
  }
  if (!failure && state.childFailure) failure = state.childFailure;
  if (!failure && state.planned !== undefined && state.planned !== state.counted) failure = { text: `plan expected ${state.planned} assertions but received ${state.counted}`, status: "failed" };
  for (const holder of line.reverse()) for (const hook of holder.hooks.afterEach) { const problem = await perform(hook, [context]); failure ??= problem; }
  for (const hook of node.hooks.after) { const problem = await perform(hook, [context]); failure ??= problem; }
  state.mock.restoreAll();
  running = outer;
  if (state.skipped !== undefined && !failure) return outcome("skipped", { text: state.skipped });
  if (failure && (todo || state.todo !== undefined)) return outcome("skipped", { text: `todo: ${describeFailure(failure)}` });
  if (!failure) return outcome("passed");
  return outcome(failure.status ?? (!hookFailed && isAssertion(failure.error) ? "failed" : "errored"), failure);
}

const describeFailure = (failure) => failure.text ?? failure.left ?? String(failure.error?.message ?? failure.error);

/**
 * Runs everything that was registered. `watch` is called after each test and after each synchronous part of one; it may stop the run.
 * @param {(node?: Node) => boolean} watch says whether to go on
 */
export async function runRegistered(watch) {
  afterSync = () => { watch(); };
  const runSuite = async (suite) => {
    if (suite.pending) { const failure = await runCall(async () => suite.pending, []); if (failure) suite.failure ??= failure; }
    if (!suite.options.skip) for (const hook of suite.hooks.before) suite.failure ??= await runCall(hook, [contextOf(suite)]);
    for (let index = 0; index < suite.children.length; index += 1) {
      const child = suite.children[index];
      if (howItLeft()) return;
      if (child.kind === "suite") await runSuite(child);
      else { child.outcome = await runNode(child, false); }
      if (!watch(child)) return;
    }
    if (!suite.options.skip) for (const hook of suite.hooks.after) { const failure = await runCall(hook, [contextOf(suite)]); if (failure) suite.afterFailure ??= failure; }
  };
  await runSuite(root);
  return collectAfter(root);
}

/** The first failure of an `after` hook, which belongs to no test. */
function collectAfter(suite) {
  if (suite.afterFailure) return suite.afterFailure;
  for (const child of suite.children) { const found = child.kind === "suite" && collectAfter(child); if (found) return found; }
  return undefined;
}

/** node:test of this call. */
export function testModule() {
  if (made) return made;
  const make = (kind) => {
    const register_ = (...args) => register(kind, args);
    register_.skip = (...args) => register(kind, args, { skip: true });
    register_.todo = (...args) => register(kind, args, { todo: true });
    register_.only = (...args) => register(kind, args, { only: true });
    return register_;
  };
  const test = make("test");
  const it = make("test");
  const suite = make("suite");
  const describe = make("suite");
  const hook = (name) => (call, options) => { void options; append((running && scope === root ? running.node : scope).hooks[name], call); };
  const members = { test, it, suite, describe, before: hook("before"), after: hook("after"), beforeEach: hook("beforeEach"), afterEach: hook("afterEach"), mock: makeMock() };
  for (const entry of [it, suite, describe]) guard(entry, "node:test");
  Object.assign(test, members);
  test.run = () => { throw new Error("run() of node:test is not available in the sandbox"); };
  test.snapshot = { setDefaultSnapshotSerializers() {}, setResolveSnapshotPath() {} };
  test.assert = { register() {} };
  Object.defineProperty(test, "default", { value: test });
  made = guard(test, "node:test");
  return made;
}
