import test from "node:test";
import assert from "node:assert";
import { order } from "../graph.mjs";

test("needs come first", () => {
  assert.deepStrictEqual(order({ a: { needs: ["b"] }, b: { needs: ["c"] }, c: {} }), ["c", "b", "a"]);
});

test("the alphabet decides among those that are ready", () => {
  assert.deepStrictEqual(order({ d: {}, c: { needs: ["d"] }, b: { needs: [] }, a: { needs: ["d"] } }), ["b", "d", "a", "c"]);
  assert.deepStrictEqual(order({ z: {}, b: { needs: ["z"] }, y: {}, a: { needs: ["y"] } }), ["y", "a", "z", "b"]);
});

test("no jobs have no order", () => {
  assert.deepStrictEqual(order({}), []);
});

test("an unknown need is an error", () => {
  assert.throws(() => order({ a: { needs: ["b"] }, b: { needs: ["nope"] } }), { message: "unknown job: nope" });
});

test("a circle is an error", () => {
  assert.throws(() => order({ a: { needs: ["b"] }, b: { needs: ["c"] }, c: { needs: ["a"] }, d: {} }), /^Error: cycle: /);
  assert.throws(() => order({ a: { needs: ["a"] } }), /^Error: cycle: /);
});
