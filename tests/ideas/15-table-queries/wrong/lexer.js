"use strict";

const TOKEN = /\s*([A-Za-z_][A-Za-z0-9_]*|-?[0-9]+(?:\.[0-9]+)?|'(?:[^']|'')*'|!=|<=|>=|[=<>(),*])/y;

/** The tokens of a query, as texts. */
function tokenize(text) {
  const query = text.trimEnd();
  const tokens = [];
  TOKEN.lastIndex = 0;
  let end = 0;
  while (end < query.length) {
    const match = TOKEN.exec(query);
    if (!match) {
      throw new Error(`syntax error at ${query.slice(end).trim()}`);
    }
    tokens.push(match[1]);
    end = TOKEN.lastIndex;
  }
  return tokens;
}

module.exports = { tokenize };
