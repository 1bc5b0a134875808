// node's assert, written on captured built-ins. A failure that this module raised is remembered by identity, so that the judge can tell
// an assert that did not hold from an error that only looks like one.

import inspected from "node-inspect-extracted";
import { ObjectIs, regexpTest, weakHas, weakAdd, isPromise, apply, getPrototypeOf, NativeError, hasOwn } from "../primordials.js";
import { deepEqual } from "./equal.js";
import { guard } from "./tamper.js";

const { inspect } = inspected;
let genuine = new WeakSet();
/** Whether an assert of ours raised it. */
export const isAssertion = (error) => typeof error === "object" && error !== null && weakHas(genuine, error);

const show = (value) => inspect(value, { depth: 6, maxArrayLength: 100, sorted: true, breakLength: 80, compact: 3 });
const lines = (value) => inspect(value, { depth: 1000, maxArrayLength: 1000, sorted: true, breakLength: 80, compact: false, getters: true }).split("\n");
const shorten = (text) => (text.length > 600 ? `${text.slice(0, 600)}...` : text);

/** A difference by lines, from the longest common subsequence. */
function difference(actual, expected) {
  const left = lines(actual).slice(0, 150);
  const right = lines(expected).slice(0, 150);
  const table = Array.from({ length: left.length + 1 }, () => new Array(right.length + 1).fill(0));
  for (let i = left.length - 1; i >= 0; i -= 1) for (let j = right.length - 1; j >= 0; j -= 1) table[i][j] = left[i] === right[j] ? table[i + 1][j + 1] + 1 : Math.max(table[i + 1][j], table[i][j + 1]);
  const out = [];
  for (let i = 0, j = 0; i < left.length || j < right.length;) {
    if (i < left.length && j < right.length && left[i] === right[j]) { out.push(`  ${left[i]}`); i += 1; j += 1; }
    else if (i < left.length && (j >= right.length || table[i + 1][j] >= table[i][j + 1])) { out.push(`+ ${left[i]}`); i += 1; }
    else { out.push(`- ${right[j]}`); j += 1; }
  }
  return out.join("\n");
}

const simple = (value) => value === null || (typeof value !== "object" && typeof value !== "function");

function describe(operator, actual, expected) {
  switch (operator) {
    case "strictEqual":
      if (simple(actual) && simple(expected) && show(actual).length + show(expected).length < 70 && !show(actual).includes("\n")) return `Expected values to be strictly equal:\n\n${show(actual)} !== ${show(expected)}\n`;
      if (!simple(actual) && show(actual) === show(expected)) return `Values have same structure but are not reference-equal:\n\n${show(actual)}\n`;
      return `Expected values to be strictly equal:\n+ actual - expected\n\n${difference(actual, expected)}\n`;
    case "deepStrictEqual": return `Expected values to be strictly deep-equal:\n+ actual - expected\n\n${difference(actual, expected)}\n`;
    case "deepEqual": return `Expected values to be loosely deep-equal:\n\n${shorten(show(actual))}\n\nshould loosely deep-equal\n\n${shorten(show(expected))}`;
    case "==": return `${show(actual)} == ${show(expected)}`;
    case "!=": return `${show(actual)} != ${show(expected)}`;
    case "notStrictEqual": return `Expected "actual" to be strictly unequal to: ${show(expected)}`;
    case "notDeepStrictEqual": return `Expected "actual" not to be strictly deep-equal to: ${shorten(show(expected))}`;
    case "notDeepEqual": return `Expected "actual" not to be loosely deep-equal to: ${shorten(show(expected))}`;
    default: return "Failed";
  }
}

class AssertionError extends NativeError {
  constructor(options) {
    const { message, actual, expected, operator } = options;
    super(message === undefined ? describe(operator, actual, expected) : String(message));
    this.generatedMessage = message === undefined;
    this.code = "ERR_ASSERTION";
    this.actual = actual;
    this.expected = expected;
    this.operator = operator;
    Object.defineProperty(this, "name", { value: "AssertionError", enumerable: false, writable: true, configurable: true });
  }
  toString() { return `${this.name} [${this.code}]: ${this.message}`; }
}

function raise(options, message) {
  if (typeof message === "object" && message !== null && isError(message)) { weakAdd(genuine, message); throw message; }
  const error = new AssertionError({ ...options, message: message ?? options.message });
  if (message === undefined) error.generatedMessage = true;
  weakAdd(genuine, error);
  throw error;
}

function isError(value) {
  for (let proto = value; proto !== null; proto = getPrototypeOf(proto)) if (proto === NativeError.prototype) return true;
  return false;
}

function argument(name, kinds, value) {
  const error = new TypeError(`The "${name}" argument must be ${kinds}. Received ${show(value)}`);
  error.code = "ERR_INVALID_ARG_TYPE";
  return error;
}

/** Whether what was thrown is what was expected; raises or says false. */
function fits(error, expected, message, operator) {
  if (expected === undefined) return;
  if (typeof expected === "function") {
    if (expected.prototype !== undefined && typeof error === "object" && error !== null && inherits(error, expected.prototype)) return;
    if (expected === NativeError || inherits(expected, NativeError, true)) {
      raise({ actual: error, expected, operator, message: `The error is expected to be an instance of "${expected.name}". Received ${isErrorLike(error) ? `"${error.name}"\n\nError message:\n\n${error.message}` : show(error)}` }, message);
    }
    if (apply(expected, {}, [error]) !== true) raise({ actual: error, expected, operator, message: `The ${expected.name ? `"${expected.name}" ` : ""}validation function is expected to return "true". Received something else\n\nCaught error:\n\n${isErrorLike(error) ? error.message : show(error)}` }, message);
    return;
  }
  if (isRegExp(expected)) {
    const text = String(error);
    if (matches(expected, text)) return;
    raise({ actual: error, expected, operator, message: `The input did not match the regular expression ${show(expected)}. Input:\n\n${show(text)}\n` }, message);
  }
  if (typeof expected === "object" && expected !== null) {
    const keys = Object.keys(expected);
    if (isError(expected)) keys.push("name", "message");
    for (const key of keys) {
      const value = typeof error === "object" && error !== null ? error[key] : undefined;
      if (typeof value === "string" && isRegExp(expected[key]) && matches(expected[key], value)) continue;
      if (hasKey(error, key) && deepEqual(value, expected[key], true)) continue;
      const pick = (source) => Object.fromEntries(keys.map((name) => [name, source?.[name]]));
      raise({ actual: error, expected, operator, message: `Expected values to be strictly deep-equal:\n+ actual - expected\n\n${difference(pick(error), pick(expected))}\n` }, message);
    }
  }
}

const isErrorLike = (value) => typeof value === "object" && value !== null && isError(value);
const hasKey = (object, key) => typeof object === "object" && object !== null && key in object;
const inherits = (value, target, self = false) => { for (let proto = self ? value : getPrototypeOf(value); proto !== null && proto !== undefined; proto = getPrototypeOf(proto)) if (proto === target) return true; return false; };
const RegExpPrototype = RegExp.prototype;
const isRegExp = (value) => typeof value === "object" && value !== null && inherits(value, RegExpPrototype);
const matches = (pattern, text) => { const { lastIndex } = pattern; pattern.lastIndex = 0; const found = regexpTest(pattern, text) !== null; pattern.lastIndex = lastIndex; return found; };

function splitArguments(expected, message) {
  return typeof expected === "string" ? [undefined, expected] : [expected, message];
}

function missing(operator, expected, message) {
  const what = typeof expected === "function" && expected.name ? ` (${expected.name})` : "";
  raise({ operator, expected, message: `Missing expected ${operator === "rejects" ? "rejection" : "exception"}${what}${message ? `: ${message}` : "."}` }, isErrorLike(message) ? message : undefined);
}

const NOTHING = Symbol("nothing");
async function caught(source) {
  let promise = source;
  if (typeof source === "function") promise = source();
  if (!isPromise(promise) && !(typeof promise === "object" && promise !== null && typeof promise.then === "function")) throw argument("promiseFn", "of type function or an instance of Promise", source);
  try { await promise; } catch (error) { return error; }
  return NOTHING;
}

function makeAssert(strict) {
  const needTwo = (args) => { if (args.length < 2) { const error = new TypeError('The "actual" and "expected" arguments must be specified'); error.code = "ERR_MISSING_ARGS"; throw error; } };
  const assert = function ok(...args) {
    const [value, message] = args;
    if (value) return;
    raise({ actual: value, expected: true, operator: "==", message: args.length === 0 ? "No value argument passed to `assert.ok()`" : `The expression evaluated to a falsy value: ${show(value)}` }, message);
  };
  assert.ok = function ok(...args) { assert(...args); };
  assert.equal = function equal(...args) { needTwo(args); const [a, b, m] = args; if (!(a == b || (a !== a && b !== b))) raise({ actual: a, expected: b, operator: "==" }, m); }; // eslint-disable-line eqeqeq
  assert.notEqual = function notEqual(...args) { needTwo(args); const [a, b, m] = args; if (a == b || (a !== a && b !== b)) raise({ actual: a, expected: b, operator: "!=" }, m); }; // eslint-disable-line eqeqeq
  assert.strictEqual = function strictEqual(...args) { needTwo(args); const [a, b, m] = args; if (!ObjectIs(a, b)) raise({ actual: a, expected: b, operator: "strictEqual" }, m); };
  assert.notStrictEqual = function notStrictEqual(...args) { needTwo(args); const [a, b, m] = args; if (ObjectIs(a, b)) raise({ actual: a, expected: b, operator: "notStrictEqual" }, m); };
  assert.deepEqual = function deepEqualLoosely(...args) { needTwo(args); const [a, b, m] = args; if (!deepEqual(a, b, false)) raise({ actual: a, expected: b, operator: "deepEqual" }, m); };
  assert.notDeepEqual = function notDeepEqual(...args) { needTwo(args); const [a, b, m] = args; if (deepEqual(a, b, false)) raise({ actual: a, expected: b, operator: "notDeepEqual" }, m); };
  assert.deepStrictEqual = function deepStrictEqual(...args) { needTwo(args); const [a, b, m] = args; if (!deepEqual(a, b, true)) raise({ actual: a, expected: b, operator: "deepStrictEqual" }, m); };
  assert.notDeepStrictEqual = function notDeepStrictEqual(...args) { needTwo(args); const [a, b, m] = args; if (deepEqual(a, b, true)) raise({ actual: a, expected: b, operator: "notDeepStrictEqual" }, m); };
  assert.fail = function fail(message = "Failed") { raise({ operator: "fail", message }, message); };
  assert.ifError = function ifError(value) { if (value !== null && value !== undefined) raise({ actual: value, expected: null, operator: "ifError", message: `ifError got unwanted exception: ${isErrorLike(value) ? value.message : show(value)}` }); };
  assert.match = function match(text, pattern, message) {
    if (!isRegExp(pattern)) throw argument("regexp", "an instance of RegExp", pattern);
    if (typeof text !== "string") raise({ actual: text, expected: pattern, operator: "match", message: `The "string" argument must be of type string. Received type ${typeof text} (${show(text)})` }, message);
    if (!matches(pattern, text)) raise({ actual: text, expected: pattern, operator: "match", message: `The input did not match the regular expression ${show(pattern)}. Input:\n\n${shorten(show(text))}\n` }, message);
  };
  assert.doesNotMatch = function doesNotMatch(text, pattern, message) {
    if (!isRegExp(pattern)) throw argument("regexp", "an instance of RegExp", pattern);
    if (typeof text !== "string") raise({ actual: text, expected: pattern, operator: "doesNotMatch", message: `The "string" argument must be of type string. Received type ${typeof text} (${show(text)})` }, message);
    if (matches(pattern, text)) raise({ actual: text, expected: pattern, operator: "doesNotMatch", message: `The input was expected to not match the regular expression ${show(pattern)}. Input:\n\n${shorten(show(text))}\n` }, message);
  };
  assert.throws = function throws(call, ...rest) {
    if (typeof call !== "function") throw argument("fn", "of type function", call);
    const [expected, message] = splitArguments(...rest);
    let error = NOTHING;
    try { call(); } catch (thrown) { error = thrown; }
    if (error === NOTHING) missing("throws", expected, message);
    fits(error, expected, message, "throws");
  };
  assert.doesNotThrow = function doesNotThrow(call, ...rest) {
    if (typeof call !== "function") throw argument("fn", "of type function", call);
    const [, message] = splitArguments(...rest);
    try { call(); } catch (error) { raise({ actual: error, operator: "doesNotThrow", message: `Got unwanted exception${message ? `: ${message}` : "."}\nActual message: "${error?.message ?? show(error)}"` }); }
  };
  assert.rejects = async function rejects(source, ...rest) {
    const [expected, message] = splitArguments(...rest);
    const error = await caught(source);
    if (error === NOTHING) missing("rejects", expected, message);
    fits(error, expected, message, "rejects");
  };
  assert.doesNotReject = async function doesNotReject(source, ...rest) {
    const [, message] = splitArguments(...rest);
    const error = await caught(source);
    if (error !== NOTHING) raise({ actual: error, operator: "doesNotReject", message: `Got unwanted rejection${message ? `: ${message}` : "."}\nActual message: "${error?.message ?? show(error)}"` });
  };
  assert.partialDeepStrictEqual = function partialDeepStrictEqual(actual, expected, message) { if (!partial(actual, expected)) raise({ actual, expected, operator: "deepStrictEqual" }, message); };
  assert.AssertionError = AssertionError;
  if (strict) {
    assert.equal = assert.strictEqual; assert.notEqual = assert.notStrictEqual; assert.deepEqual = assert.deepStrictEqual; assert.notDeepEqual = assert.notDeepStrictEqual;
  }
  return assert;
}

function partial(actual, expected) {
  if (simple(expected) || simple(actual)) return ObjectIs(actual, expected);
  if (getPrototypeOf(actual) !== getPrototypeOf(expected)) return false;
  const keys = Object.keys(expected);
  if (keys.length === 0) return deepEqual(actual, expected, true) || !Array.isArray(expected);
  for (let index = 0; index < keys.length; index += 1) if (!hasOwn(actual, keys[index]) || !partial(actual[keys[index]], expected[keys[index]])) return false;
  return true;
}

let made;
/** node:assert of this call; the same object wherever it is imported. */
export function assertModule() {
  if (made) return made;
  const assert = makeAssert(false);
  const strict = makeAssert(true);
  assert.strict = strict;
  strict.strict = strict;
  guard(assert, "assert");
  guard(strict, "assert.strict");
  guard(AssertionError.prototype, "AssertionError.prototype");
  made = assert;
  return made;
}
/** The functions that a test context offers as t.assert. */
export const assertNames = () => Object.keys(assertModule()).filter((name) => name !== "AssertionError" && name !== "strict");
