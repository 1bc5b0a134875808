// The language layer, natively: what is listed, how modules are rewritten, and what the syntax check says.

import test from "node:test";
import assert from "node:assert/strict";
import { readSource } from "../src/language/source.js";
import { transform } from "../src/language/transform.js";
import { listTests } from "../src/judge/list.js";
import { findProblems } from "../src/parse.js";
import { setTables, rewriteRegExp } from "../src/language/unicode.js";

const list = (text, path = "a.test.mjs") => listTests(readSource(path, text).ast).map((entry) => entry.name);
const files = (map) => Object.entries(map).map(([path, text]) => ({ path, bytes: new TextEncoder().encode(text) }));

test("lists tests with the names of their suites", () => {
  assert.deepEqual(list("import {describe as d, it} from 'node:test';\nd('g', () => { it('a', () => {}); it.skip(`b`, () => {}); });"), ["g > a", "g > b"]);
});

test("names a test by its line when its name is computed, and leaves subtests out", () => {
  assert.deepEqual(list("const test = require('node:test');\nfor (const n of [1]) test('x' + n, (t) => { t.test('inner'); });", "a.cjs"), ["test at line 2"]);
});

test("lists tests of a typed file", () => {
  assert.deepEqual(list("import test from 'node:test';\ninterface A { x: number }\ntest('typed', (): void => {});", "a.test.ts"), ["typed"]);
});

test("rewrites imports except where a local name hides them", () => {
  const { code } = transform(readSource("a.mjs", "import {x} from './b.js';\nconst f = (x) => x;\nconsole.log(x, {x}, f(1));"));
  assert.match(code, /console\.log\(__rj_ns\[0\]\["x"\], \{x: __rj_ns\[0\]\["x"\]\}, f\(1\)\)/);
  assert.match(code, /const f = \(x\) => x;/);
});

test("keeps every line where it was", () => {
  const text = "import a from 'x';\nimport {\n  b,\n} from 'y';\nexport default function () {}\nexport const c = a + b;\n";
  const { code } = transform(readSource("a.mjs", text));
  assert.equal(code.split("\n").findIndex((line) => line.includes("const c")), 5);
});

test("finds one problem per file", () => {
  const found = findProblems(files({ "a.js": "let x = ;\nlet = ;", "b.json": "{\n\"a\": }", "c.ts": "const n: number = 1;", "d.txt": "(" }));
  assert.deepEqual(found.map((problem) => problem.path), ["a.js", "b.json"]);
  assert.equal(found[0].line, 1);
});

test("checks pages", () => {
  const message = (text) => findProblems(files({ "i.html": text, "s.css": "" }))[0]?.message;
  assert.equal(message("<!doctype html><ul><li>a<li>b</ul><p>x<p>y<br><link rel=stylesheet href=s.css><a href='#x'>z</a>"), undefined);
  assert.match(message("<div><span></div>"), /<\/div> comes before <\/span>/);
  assert.match(message("<div>"), /never closed/);
  assert.match(message("<img src='no.png'>"), /not among the files/);
  assert.match(message("<script>let a = ;</script>"), /does not parse/);
});

test("replaces Unicode properties", () => {
  setTables({ L: "a-z" });
  assert.equal(rewriteRegExp("[\\p{L}_]+\\p{L}", "u"), "[a-z_]+[a-z]");
});
