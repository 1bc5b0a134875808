"use strict";

const test = require("node:test");
const assert = require("node:assert");
const fs = require("node:fs");
const path = require("node:path");

const page = fs.readFileSync(path.join(__dirname, "..", "index.html"), "utf8");

test("the fields are there", () => {
  assert.match(page, /<input[^>]*\bid\s*=\s*["']?foreground\b/i);
  assert.match(page, /<input[^>]*\bid\s*=\s*["']?background\b/i);
  assert.match(page, /<\w+[^>]*\bid\s*=\s*["']?result\b/i);
});

test("the style sheet is used", () => {
  assert.match(page, /<link[^>]*\bhref\s*=\s*["']?(\.\/)?style\.css\b/i);
});

test("the scripts are loaded in order", () => {
  const places = ["contrast", "app"].map((name) => page.search(new RegExp(`<script[^>]*\\bsrc\\s*=\\s*["']?(\\./)?${name}\\.js\\b`, "i")));
  assert.ok(places[0] >= 0 && places[0] < places[1]);
});
