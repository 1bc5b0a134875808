"use strict";

const { tokenize } = require("./lexer.js");

const KEYWORDS = new Set(["SELECT", "FROM", "WHERE", "GROUP", "ORDER", "BY", "LIMIT", "AND", "OR", "NOT", "ASC", "DESC"]);
const FUNCTIONS = new Set(["COUNT", "SUM", "MIN", "MAX"]);
const COMPARISONS = new Set(["=", "!=", "<", "<=", ">", ">="]);

/**
 * A query as an object: items (or null for all), table, condition (or null), group (or null), order, limit.
 * An item is { name, column } or, for a function, { name, call, column }.
 */
function parse(text) {
  const tokens = tokenize(text);
  let position = 0;

  const peek = () => tokens[position] ?? "";
  const isWord = (word) => peek().toUpperCase() === word;
  const accept = (word) => isWord(word) && Boolean((position += 1));
  const fail = () => {
    throw new Error(`syntax error at ${peek() || "the end"}`);
  };
  const expect = (word) => accept(word) || fail();

  function name() {
    const token = peek();
    if (!/^[A-Za-z_]/.test(token) || KEYWORDS.has(token.toUpperCase())) {
      fail();
    }
    position += 1;
    return token;
  }

  function list(element) {
    const elements = [element()];
    while (accept(",")) {
      elements.push(element());
    }
    return elements;
  }

  function item() {
    const call = peek().toUpperCase();
    if (!FUNCTIONS.has(call) || tokens[position + 1] !== "(") {
      const column = name();
      return { name: column, column };
    }
    position += 2;
    const column = call === "COUNT" ? expect("*") && "*" : name();
    expect(")");
    return { name: `${call}(${column})`, call, column };
  }

  function either() {
    let left = both();
    while (accept("OR")) {
      left = { kind: "or", left, right: both() };
    }
    return left;
  }

  function both() {
    let left = negation();
    while (accept("AND")) {
      left = { kind: "and", left, right: negation() };
    }
    return left;
  }

  function negation() {
    if (accept("NOT")) {
      return { kind: "not", inner: negation() };
    }
    if (accept("(")) {
      const inner = either();
      expect(")");
      return inner;
    }
    const left = operand();
    const sign = peek();
    if (!COMPARISONS.has(sign)) {
      fail();
    }
    position += 1;
    return { kind: "comparison", sign, left, right: operand() };
  }

  function operand() {
    const token = peek();
    if (/^-?[0-9]/.test(token)) {
      position += 1;
      return { value: Number(token) };
    }
    if (token.startsWith("'")) {
      position += 1;
      return { value: token.slice(1, -1).replaceAll("''", "'") };
    }
    return { column: name() };
  }

  function sorting() {
    const key = item();
    const isDescending = accept("DESC");
    if (!isDescending) {
      accept("ASC");
    }
    return { name: key.name, isDescending };
  }

  function count() {
    if (!/^[0-9]+$/.test(peek())) {
      fail();
    }
    position += 1;
    return Number(tokens[position - 1]);
  }

  expect("SELECT");
  const items = accept("*") ? null : list(item);
  expect("FROM");
  const table = name();
  const condition = accept("WHERE") ? either() : null;
  const group = accept("GROUP") ? expect("BY") && name() : null;
  const order = accept("ORDER") ? expect("BY") && list(sorting) : [];
  const limit = accept("LIMIT") ? count() : Infinity;
  if (position < tokens.length) {
    fail();
  }
  return { items, table, condition, group, order, limit };
}

module.exports = { parse };
