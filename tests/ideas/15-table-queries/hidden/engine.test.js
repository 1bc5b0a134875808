"use strict";

const test = require("node:test");
const assert = require("node:assert");
const { query } = require("../engine.js");

const people = [
  { name: "Ann", age: 35, town: "Rome", home: "Rome" },
  { name: "Bob", age: 20, town: "Oslo", home: "Rome" },
  { name: "Cid", age: 50, town: "Rome", home: "Lima" },
  { name: "Dan", age: 20, town: "Lima", home: "Lima" },
  { name: "O'Neil", age: 8, town: "Oslo", home: "Oslo" },
];
const tables = { people, none: [] };

const ask = (text) => query(text, tables);
const names = (rest) => ask(`SELECT name FROM people ${rest}`).map((row) => row.name).join(" ");

test("columns are selected", () => {
  assert.deepStrictEqual(ask("SELECT name, age FROM people").slice(0, 2), [{ name: "Ann", age: 35 }, { name: "Bob", age: 20 }]);
  assert.deepStrictEqual(Object.keys(ask("SELECT town, name FROM people")[0]), ["town", "name"]);
});

test("a star selects all", () => {
  assert.deepStrictEqual(ask("SELECT * FROM people"), people);
  assert.deepStrictEqual(ask("SELECT * FROM none"), []);
});

test("keywords may be small", () => {
  assert.deepStrictEqual(ask("select name from people where age = 50 order by name limit 1"), [{ name: "Cid" }]);
});

test("tables are left alone", () => {
  const before = JSON.stringify(tables);
  ask("SELECT * FROM people ORDER BY age DESC")[0].name = "changed";
  assert.strictEqual(JSON.stringify(tables), before);
});

test("numbers are compared", () => {
  const expected = { "=": "Bob Dan", "!=": "Ann Cid O'Neil", "<": "O'Neil", "<=": "Bob Dan O'Neil", ">": "Ann Cid", ">=": "Ann Bob Cid Dan" };
  for (const [sign, result] of Object.entries(expected)) {
    assert.strictEqual(names(`WHERE age ${sign} 20`), result, sign);
  }
  assert.strictEqual(names("WHERE 34.5 < age"), "Ann Cid");
});

test("texts are compared and quotes are doubled", () => {
  assert.strictEqual(names("WHERE town = 'Rome'"), "Ann Cid");
  assert.strictEqual(names("WHERE name >= 'Cid'"), "Cid Dan O'Neil");
  assert.strictEqual(names("WHERE name = 'O''Neil'"), "O'Neil");
  assert.strictEqual(names("WHERE name = ''"), "");
});

test("columns are compared with each other", () => {
  assert.strictEqual(names("WHERE town = home"), "Ann Dan O'Neil");
});

test("AND binds stronger than OR", () => {
  assert.strictEqual(names("WHERE name = 'Ann' OR town = 'Oslo' AND age < 10"), "Ann O'Neil");
  assert.strictEqual(names("WHERE age < 10 AND town = 'Oslo' OR name = 'Ann'"), "Ann O'Neil");
});

test("brackets change it", () => {
  assert.strictEqual(names("WHERE (name = 'Ann' OR town = 'Oslo') AND age < 10"), "O'Neil");
  assert.strictEqual(names("WHERE ((age = 20))"), "Bob Dan");
});

test("NOT binds strongest", () => {
  assert.strictEqual(names("WHERE NOT town = 'Rome' AND age = 20"), "Bob Dan");
  assert.strictEqual(names("WHERE NOT (town = 'Rome' OR age = 20)"), "O'Neil");
  assert.strictEqual(names("WHERE NOT NOT age = 20"), "Bob Dan");
});

test("rows are sorted", () => {
  assert.strictEqual(names("ORDER BY age"), "O'Neil Bob Dan Ann Cid");
  assert.strictEqual(names("ORDER BY name DESC"), "O'Neil Dan Cid Bob Ann");
  assert.strictEqual(names("WHERE town = 'Rome' ORDER BY age DESC"), "Cid Ann");
});

test("rows are sorted by several columns and stay in order", () => {
  assert.strictEqual(names("ORDER BY town ASC, age DESC"), "Dan Bob O'Neil Cid Ann");
  assert.strictEqual(names("ORDER BY home DESC"), "Ann Bob O'Neil Cid Dan");
});

test("rows are limited", () => {
  assert.strictEqual(names("LIMIT 2"), "Ann Bob");
  assert.strictEqual(names("ORDER BY age LIMIT 1"), "O'Neil");
  assert.strictEqual(names("LIMIT 0"), "");
  assert.strictEqual(names("LIMIT 99"), "Ann Bob Cid Dan O'Neil");
});

test("all rows are summed up", () => {
  assert.deepStrictEqual(ask("SELECT COUNT(*), SUM(age), MIN(age), MAX(name) FROM people"), [
    { "COUNT(*)": 5, "SUM(age)": 133, "MIN(age)": 8, "MAX(name)": "O'Neil" },
  ]);
  assert.deepStrictEqual(ask("select count(*) from people where age > 99"), [{ "COUNT(*)": 0 }]);
});

test("groups come in their order", () => {
  assert.deepStrictEqual(ask("SELECT town, COUNT(*), MAX(age) FROM people GROUP BY town"), [
    { town: "Rome", "COUNT(*)": 2, "MAX(age)": 50 },
    { town: "Oslo", "COUNT(*)": 2, "MAX(age)": 20 },
    { town: "Lima", "COUNT(*)": 1, "MAX(age)": 20 },
  ]);
  assert.deepStrictEqual(ask("SELECT SUM(age) FROM people WHERE town != 'Rome' GROUP BY town"), [{ "SUM(age)": 28 }, { "SUM(age)": 20 }]);
});

test("groups are sorted and limited", () => {
  assert.deepStrictEqual(ask("SELECT town, SUM(age) FROM people GROUP BY town ORDER BY SUM(age) LIMIT 2"), [
    { town: "Lima", "SUM(age)": 20 },
    { town: "Oslo", "SUM(age)": 28 },
  ]);
  assert.deepStrictEqual(ask("SELECT town FROM people GROUP BY town ORDER BY COUNT(*) DESC, town"), [{ town: "Oslo" }, { town: "Rome" }, { town: "Lima" }]);
});

test("unknown tables and columns are errors", () => {
  assert.throws(() => ask("SELECT a FROM nowhere"), { message: "unknown table: nowhere" });
  assert.throws(() => ask("SELECT a FROM toString"), { message: "unknown table: toString" });
  for (const text of ["SELECT pet FROM people", "SELECT name FROM people WHERE pet = 1", "SELECT name FROM people ORDER BY pet", "SELECT SUM(pet) FROM people"]) {
    assert.throws(() => ask(text), { message: "unknown column: pet" }, text);
  }
});

test("other texts are syntax errors", () => {
  const texts = [
    "", "hello", "SELECT", "SELECT name", "SELECT FROM people", "SELECT name, FROM people", "SELECT name people", "SELECT name FROM",
    "SELECT name FROM people WHERE", "SELECT name FROM people WHERE age", "SELECT name FROM people WHERE (age = 1", "SELECT name FROM people LIMIT x",
    "SELECT name FROM people ORDER age", "SELECT name FROM people nonsense more", "SELECT name FROM people WHERE age = 'open",
  ];
  for (const text of texts) {
    assert.throws(() => ask(text), /^Error: syntax error/, text);
  }
});
