"use strict";

const test = require("node:test");
const assert = require("node:assert");
const fs = require("node:fs");
const path = require("node:path");

const read = (name) => fs.readFileSync(path.join(__dirname, "..", name), "utf8");
const page = read("index.html");

test("the elements are there", () => {
  for (const id of ["board", "solve", "hint", "message"]) {
    assert.match(page, new RegExp(`<\\w+[^>]*\\bid\\s*=\\s*["']?${id}["'\\s>]`, "i"));
  }
});

test("the scripts are loaded in order", () => {
  const places = ["board", "solver", "share", "app"].map((name) => page.search(new RegExp(`<script[^>]*\\bsrc\\s*=\\s*["']?(\\./)?${name}\\.js\\b`, "i")));
  assert.ok(places.every((place, index) => place > (places[index - 1] ?? -1)), String(places));
});

test("the pages link to each other", () => {
  assert.match(page, /<a[^>]*\bhref\s*=\s*["']?(\.\/)?help\.html\b/i);
  assert.match(read("help.html"), /<a[^>]*\bhref\s*=\s*["']?(\.\/)?index\.html\b/i);
});
