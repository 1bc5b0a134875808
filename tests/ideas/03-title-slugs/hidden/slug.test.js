"use strict";

const test = require("node:test");
const assert = require("node:assert");
const { slugify, uniqueSlugs } = require("../slug.js");

test("words are joined by single hyphens", () => {
  assert.strictEqual(slugify("Hello World"), "hello-world");
  assert.strictEqual(slugify("Ten tips,  for -- 2026"), "ten-tips-for-2026");
  assert.strictEqual(slugify("C++ & Rust/Go_x"), "c-rust-go-x");
});

test("no hyphen is left at the ends", () => {
  assert.strictEqual(slugify("  ...What now?! "), "what-now");
});

test("umlauts and accents become plain letters", () => {
  assert.strictEqual(slugify("schöne grüße, bär"), "schoene-gruesse-baer");
  assert.strictEqual(slugify("crème brûlée à la façon"), "creme-br-lee-a-la-facon");
  assert.strictEqual(slugify("señor á â è ê ë"), "senor-a-a-e-e-e");
});

test("their capitals do too", () => {
  assert.strictEqual(slugify("ÄRGER ÖL ÜBER"), "aerger-oel-ueber");
  assert.strictEqual(slugify("ÉCOLE Ñ Ç"), "ecole-n-c");
});

test("a slug is cut to maxLength", () => {
  assert.strictEqual(slugify("abcdefghij", { maxLength: 4 }), "abcd");
  assert.strictEqual(slugify("abc", { maxLength: 3 }), "abc");
  assert.strictEqual(slugify("abc", { maxLength: 20 }), "abc");
});

test("a cut leaves no hyphen at the end", () => {
  assert.strictEqual(slugify("one two three", { maxLength: 8 }), "one-two");
  assert.strictEqual(slugify("one two three", { maxLength: 9 }), "one-two-t");
});

test("nothing becomes untitled", () => {
  assert.strictEqual(slugify(""), "untitled");
  assert.strictEqual(slugify(" -?- "), "untitled");
  assert.strictEqual(slugify("日本"), "untitled");
});

test("repeated titles are numbered", () => {
  assert.deepStrictEqual(uniqueSlugs(["News", "Other", "news!", "NEWS"]), ["news", "other", "news-2", "news-3"]);
  assert.deepStrictEqual(uniqueSlugs(["constructor", "?", "!"]), ["constructor", "untitled", "untitled-2"]);
});

test("an empty list stays empty", () => {
  assert.deepStrictEqual(uniqueSlugs([]), []);
});
