"use strict";

const test = require("node:test");
const assert = require("node:assert");
const { parseBoard } = require("../board.js");
const { toAddress, fromAddress } = require("../share.js");

const EASY = "530070000600195000098000060800060003400803001700020006060000280000419005000080079";
const SOLVED = "534678912672195348198342567859761423426853791713924856961537284287419635345286179";

test("boards become addresses", () => {
  assert.strictEqual(toAddress(parseBoard(SOLVED)), `#${SOLVED}`);
  assert.ok(toAddress(parseBoard(EASY)).startsWith("#53b7d6b195"));
});

test("long runs are several letters", () => {
  assert.strictEqual(toAddress(parseBoard(".".repeat(81))), "#zzzc");
  assert.strictEqual(toAddress(parseBoard(`1${".".repeat(78)}23`)), "#1zzz23");
  assert.strictEqual(toAddress(parseBoard(`${".".repeat(27)}${SOLVED.slice(27)}`)), `#za${SOLVED.slice(27)}`);
});

test("addresses come back", () => {
  for (const text of [EASY, SOLVED, ".".repeat(81), `${".".repeat(80)}9`]) {
    assert.deepStrictEqual(fromAddress(toAddress(parseBoard(text))), parseBoard(text));
  }
});

test("other texts are no address", () => {
  for (const text of ["", "#", "zzzc", "#zzzb", "#zzzd", "#53", `#${"0".repeat(81)}`, `#${".".repeat(81)}`, "#ZZZC", `# ${SOLVED}`]) {
    assert.strictEqual(fromAddress(text), null, text);
  }
});
