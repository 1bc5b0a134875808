"use strict";

const test = require("node:test");
const assert = require("node:assert");
const { parseColour, contrast, rating } = require("../contrast.js");

test("six digits are read", () => {
  assert.deepStrictEqual(parseColour("#1a2b3c"), [26, 43, 60]);
  assert.deepStrictEqual(parseColour("#FFfF00"), [255, 255, 0]);
  assert.deepStrictEqual(parseColour("#000000"), [0, 0, 0]);
});

test("three digits are read", () => {
  assert.deepStrictEqual(parseColour("#abc"), [170, 187, 204]);
  assert.deepStrictEqual(parseColour("#F0a"), [255, 0, 170]);
});

test("the contrast of short forms is computed", () => {
  assert.strictEqual(contrast("#000", "#fff"), 21);
  assert.strictEqual(contrast("#777", "#ffffff"), 4.48);
});

test("other texts are null", () => {
  for (const text of ["", "#", "red", "123456", "#12345", "#1234567", "#12345g", "##12345", "#ab", "#123456\n"]) {
    assert.strictEqual(parseColour(text), null, JSON.stringify(text));
  }
});

test("the contrast with no colour is null", () => {
  assert.strictEqual(contrast("", "#ffffff"), null);
  assert.strictEqual(contrast("#ffffff", "white"), null);
});

test("the contrast is computed", () => {
  assert.strictEqual(contrast("#000000", "#ffffff"), 21);
  assert.strictEqual(contrast("#ffffff", "#ffffff"), 1);
  assert.strictEqual(contrast("#767676", "#ffffff"), 4.54);
  assert.strictEqual(contrast("#ff0000", "#ffffff"), 4);
  assert.strictEqual(contrast("#000000", "#0a0a0a"), 1.06);
});

test("the order does not matter", () => {
  assert.strictEqual(contrast("#ffffff", "#767676"), 4.54);
  assert.strictEqual(contrast("#0000ff", "#ffff00"), contrast("#ffff00", "#0000ff"));
});

test("ratios are rated", () => {
  const expected = [[21, "AAA"], [7, "AAA"], [6.99, "AA"], [4.5, "AA"], [4.49, "AA large"], [3, "AA large"], [2.99, "fail"], [1, "fail"]];
  for (const [ratio, text] of expected) {
    assert.strictEqual(rating(ratio), text);
  }
});
