// The judge's own equality and assert, natively, against what node's say.

import test from "node:test";
import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import { deepEqual } from "../src/judge/equal.js";
import { assertModule, isAssertion } from "../src/judge/assert.js";
import { takeSnapshot, changedSince } from "../src/primordials.js";
import { tamperedWith, resetTamper } from "../src/judge/tamper.js";

const ring = () => { const made = { a: 1 }; made.self = made; return made; };
const PAIRS = [
  [1, 1], [0, -0], [NaN, NaN], [[1, 2], [1, 2]], [[1], { 0: 1 }], [new Set([1, { a: 1 }]), new Set([1, { a: 1 }])], [new Map([["a", [1]]]), new Map([["a", [1]]])],
  [new Map([["a", 1]]), new Map([["a", 2]])], [new Date(1), new Date(1)], [/a/g, /a/i], [new Error("a"), new Error("b")], [ring(), ring()], [{ a: undefined }, {}],
  [[, 1], [undefined, 1]], [new Uint8Array([1]), new Uint8Array([1])], ["1", 1], [null, undefined], [Object(1), Object(1)],
];

test("deep equality agrees with node", () => {
  for (const [left, right] of PAIRS) assert.equal(deepEqual(left, right, true), isDeepStrictEqual(left, right));
});

test("an assert that does not hold is known by identity", () => {
  const judged = assertModule();
  try { judged.strictEqual(1, 2); assert.fail("nothing was raised"); } catch (error) { assert.ok(isAssertion(error)); assert.match(error.message, /1 !== 2/); }
  assert.equal(isAssertion(Object.assign(new Error("x"), { code: "ERR_ASSERTION" })), false);
});

test("replacing a function of assert is seen and has no effect", () => {
  resetTamper();
  const judged = assertModule();
  judged.strictEqual = () => {};
  assert.equal(tamperedWith(), "assert.strictEqual");
  assert.throws(() => judged.strictEqual(1, 2));
});

test("a replaced built-in is seen", () => {
  const snapshot = takeSnapshot();
  assert.equal(changedSince(snapshot), undefined);
  const before = Object.is;
  Object.is = () => true;
  const found = changedSince(snapshot);
  Object.is = before;
  assert.equal(found, "Object.is");
});
