"use strict";

const test = require("node:test");
const assert = require("node:assert");
const fs = require("node:fs");
const path = require("node:path");
const { scaleAmount, formatAmount } = require("../scale.js");

test("the page has the field, the script and the link", () => {
  const page = fs.readFileSync(path.join(__dirname, "..", "index.html"), "utf8");
  assert.match(page, /<input[^>]*\bid\s*=\s*["']?servings\b/i);
  assert.match(page, /<script[^>]*\bsrc\s*=\s*["']?(\.\/)?scale\.js\b/i);
  assert.match(page, /<a[^>]*\bhref\s*=\s*["']?(\.\/)?tips\.html\b/i);
});

test("amounts are scaled", () => {
  assert.strictEqual(scaleAmount(250, 4, 8), 500);
  assert.strictEqual(scaleAmount(250, 4, 2), 125);
  assert.strictEqual(scaleAmount(3, 4, 4), 3);
  assert.strictEqual(scaleAmount(0, 4, 9), 0);
});

test("results have two decimals", () => {
  assert.strictEqual(scaleAmount(1, 3, 1), 0.33);
  assert.strictEqual(scaleAmount(2, 3, 1), 0.67);
  assert.strictEqual(scaleAmount(0.5, 6, 5), 0.42);
});

test("servings must be greater than zero", () => {
  for (const [from, to] of [[0, 4], [4, 0], [-1, 4], [4, -2], [NaN, 4], [4, NaN]]) {
    assert.throws(() => scaleAmount(1, from, to), RangeError);
  }
});

test("amounts are written short", () => {
  const expected = [[1.5, "1.5"], [2, "2"], [2.0, "2"], [0.333, "0.33"], [100, "100"], [0, "0"], [0.1 + 0.2, "0.3"]];
  for (const [amount, text] of expected) {
    assert.strictEqual(formatAmount(amount), text);
  }
});
