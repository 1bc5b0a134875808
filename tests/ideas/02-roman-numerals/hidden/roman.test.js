"use strict";

const test = require("node:test");
const assert = require("node:assert");
const { toRoman, fromRoman } = require("../roman.js");

test("single letters and their neighbours are written", () => {
  const expected = {
    3: "III", 4: "IV", 5: "V", 8: "VIII", 9: "IX", 10: "X", 14: "XIV", 40: "XL", 49: "XLIX", 50: "L", 90: "XC", 99: "XCIX", 100: "C",
    400: "CD", 444: "CDXLIV", 500: "D", 900: "CM", 1000: "M", 1994: "MCMXCIV", 2026: "MMXXVI",
  };
  for (const [number, text] of Object.entries(expected)) {
    assert.strictEqual(toRoman(Number(number)), text);
  }
});

test("the ends of the range are written", () => {
  assert.strictEqual(toRoman(1), "I");
  assert.strictEqual(toRoman(3999), "MMMCMXCIX");
});

test("numbers out of range are a RangeError", () => {
  for (const number of [0, -1, 4000, 1.5, NaN, Infinity, "12", null, undefined]) {
    assert.throws(() => toRoman(number), RangeError, String(number));
  }
});

test("every number comes back", () => {
  for (let number = 1; number <= 3999; number += 7) {
    assert.strictEqual(fromRoman(toRoman(number)), number);
  }
});

test("small letters are read", () => {
  assert.strictEqual(fromRoman("mcmxciv"), 1994);
  assert.strictEqual(fromRoman("XxI"), 21);
});

test("other spellings are refused", () => {
  for (const text of ["", " ", "IIII", "IC", "VX", "VV", "IIX", "MMMM", "XIVI", "ABC", "12", "X X"]) {
    assert.throws(() => fromRoman(text), Error, text);
  }
});
