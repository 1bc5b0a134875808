"use strict";

const test = require("node:test");
const assert = require("node:assert");
const { tokenize } = require("../lexer.js");

test("names, signs and numbers are split", () => {
  assert.deepStrictEqual(tokenize("SELECT a, b_2 FROM t WHERE a>=2.5 AND b!=-3"), [
    "SELECT", "a", ",", "b_2", "FROM", "t", "WHERE", "a", ">=", "2.5", "AND", "b", "!=", "-3",
  ]);
  assert.deepStrictEqual(tokenize("select COUNT(*)\n from t "), ["select", "COUNT", "(", "*", ")", "from", "t"]);
  assert.deepStrictEqual(tokenize("a<b=c"), ["a", "<", "b", "=", "c"]);
});

test("texts keep their quotes", () => {
  assert.deepStrictEqual(tokenize("x = 'two words, (here)'"), ["x", "=", "'two words, (here)'"]);
  assert.deepStrictEqual(tokenize("x='it''s' "), ["x", "=", "'it''s'"]);
  assert.deepStrictEqual(tokenize("''"), ["''"]);
});

test("nothing has no tokens", () => {
  assert.deepStrictEqual(tokenize(""), []);
  assert.deepStrictEqual(tokenize("  \n"), []);
});

test("other characters are syntax errors", () => {
  for (const text of ["a # b", "x = 'open", "a ; b"]) {
    assert.throws(() => tokenize(text), /^Error: syntax error/, text);
  }
});
