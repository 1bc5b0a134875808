"use strict";

const test = require("node:test");
const assert = require("node:assert");
const { render } = require("../template.js");

test("names are replaced", () => {
  assert.strictEqual(render("Hello {{name}}, {{ name }}!", { name: "Ann" }), "Hello Ann, Ann!");
  assert.strictEqual(render("{{count}} of {{all}}", { count: 0, all: 12 }), "0 of 12");
  assert.strictEqual(render("", {}), "");
  assert.strictEqual(render("no names { here }\n", {}), "no names { here }\n");
});

test("dots go into objects", () => {
  assert.strictEqual(render("{{user.name}} {{user.home.town}}", { user: { name: "Ann", home: { town: "Rome" } } }), "Ann Rome");
});

test("missing values are empty", () => {
  assert.strictEqual(render("[{{name}}] [{{a.b.c}}] [{{none}}] [{{{raw}}}]", { a: {}, none: null }), "[] [] [] []");
});

test("special characters are escaped", () => {
  assert.strictEqual(render("{{a}}", { a: "<b> & </b>" }), "&lt;b&gt; &amp; &lt;/b&gt;");
  assert.strictEqual(render('<p title="{{a}}">', { a: "\"it's\"" }), '<p title="&quot;it&#39;s&quot;">');
  assert.strictEqual(render("{{a}}", { a: "&amp;" }), "&amp;amp;");
});

test("values are not templates", () => {
  assert.strictEqual(render("{{a}}{{{a}}}", { a: "{{b}} $&", b: "no" }), "{{b}} $&amp;{{b}} $&");
});

test("three braces do not escape", () => {
  assert.strictEqual(render("{{{a}}} {{{ a }}} {{a}}", { a: "<i>" }), "<i> <i> &lt;i&gt;");
});

test("if shows and hides", () => {
  for (const shown of [true, 1, "text", [0], {}]) {
    assert.strictEqual(render("a{{#if x}}b{{/if}}c", { x: shown }), "abc");
  }
  for (const hidden of [false, 0, "", [], null, undefined]) {
    assert.strictEqual(render("a{{#if x}}b{{/if}}c", { x: hidden }), "ac");
  }
  assert.strictEqual(render("{{#if a.b}}yes{{/if}}", { a: { b: true } }), "yes");
});

test("each repeats", () => {
  assert.strictEqual(render("<ul>{{#each items}}<li>{{this}}</li>{{/each}}</ul>", { items: ["a", "<"] }), "<ul><li>a</li><li>&lt;</li></ul>");
  assert.strictEqual(render("{{#each items}}{{name}}={{size}};{{/each}}", { items: [{ name: "a", size: 1 }, { name: "b", size: 2 }] }), "a=1;b=2;");
  assert.strictEqual(render("[{{#each items}}x{{/each}}{{#each none}}y{{/each}}]", { items: [] }), "[]");
});

test("names are looked up in the element and then outside", () => {
  const data = { unit: "g", name: "outer", items: [{ name: "salt" }, { other: 1 }] };
  assert.strictEqual(render("{{#each items}}{{name}} {{unit}},{{/each}}{{name}}", data), "salt g,outer g,outer");
});

test("blocks are nested", () => {
  const template = "{{#each rows}}{{#if open}}({{name}}{{#each parts}}-{{this}}{{/each}}){{/if}}{{/each}}";
  const rows = [{ name: "a", open: true, parts: [1, 2] }, { name: "b", open: false, parts: [3] }, { name: "c", open: true, parts: [] }];
  assert.strictEqual(render(template, { rows }), "(a-1-2)(c)");
});

test("blocks of one kind are nested", () => {
  assert.strictEqual(render("{{#if a}}1{{#if b}}2{{/if}}3{{/if}}4", { a: true, b: false }), "134");
  assert.strictEqual(render("{{#if a}}1{{#if b}}2{{/if}}3{{/if}}4", { a: false, b: true }), "4");
  assert.strictEqual(render("{{#each m}}{{#each this}}{{this}},{{/each}};{{/each}}", { m: [[1, 2], [3]] }), "1,2,;3,;");
});

test("unbalanced blocks are an error", () => {
  for (const template of ["{{#if a}}x", "{{#each a}}", "x{{/if}}", "{{#if a}}{{/each}}", "{{#if a}}{{#each b}}{{/if}}{{/each}}"]) {
    assert.throws(() => render(template, { a: [1], b: [1] }), Error, template);
  }
});
