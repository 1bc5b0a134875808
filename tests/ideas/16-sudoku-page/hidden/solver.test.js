"use strict";

const test = require("node:test");
const assert = require("node:assert");
const { parseBoard, formatBoard } = require("../board.js");
const { solve, countSolutions, hint } = require("../solver.js");

const EASY = "530070000600195000098000060800060003400803001700020006060000280000419005000080079";
const EASY_SOLVED = "534678912672195348198342567859761423426853791713924856961537284287419635345286179";
const OTHER = "003020600900305001001806400008102900700000008006708200002609500800203009005010300";
const OTHER_SOLVED = "483921657967345821251876493548132976729564138136798245372689514814253769695417382";
const HARD = "200080300060070084030500209000105408000000000402706000301007040720040060004010003";
const HARD_SOLVED = "245981376169273584837564219976125438513498627482736951391657842728349165654812793";
const HARDER = "000000907000420180000705026100904000050000040000507009920108000034059000507000000";
const HARDER_SOLVED = "462831957795426183381795426173984265659312748248567319926178534834259671517643892";
const EMPTY = ".".repeat(81);
// The last cell of the first row could take nothing.
const IMPOSSIBLE = `12345678.........9${".".repeat(63)}`;

const without = (text, indexes) => Array.from(text, (character, index) => (indexes.includes(index) ? "." : character)).join("");
const solveText = (text) => formatBoard(solve(parseBoard(text)));
const count = (text, limit) => countSolutions(parseBoard(text), limit);

test("easy boards are solved", () => {
  assert.strictEqual(solveText(EASY), EASY_SOLVED);
  assert.strictEqual(solveText(OTHER), OTHER_SOLVED);
  assert.strictEqual(solveText(EASY_SOLVED), EASY_SOLVED);
});

test("boards without a solution give null", () => {
  assert.strictEqual(solve(parseBoard(IMPOSSIBLE)), null);
  assert.strictEqual(solve(parseBoard(`11${".".repeat(79)}`)), null);
  assert.strictEqual(solve(parseBoard(`33${EASY_SOLVED.slice(2)}`)), null);
});

test("solving leaves the board alone", () => {
  const cells = parseBoard(EASY);
  solve(cells);
  hint(cells);
  assert.strictEqual(formatBoard(cells), EASY.replaceAll("0", "."));
});

test("hard boards are solved", () => {
  assert.strictEqual(solveText(HARD), HARD_SOLVED);
  assert.strictEqual(solveText(HARDER), HARDER_SOLVED);
});

test("solutions are counted", () => {
  assert.strictEqual(count(HARD, 2), 1);
  assert.strictEqual(count(EASY_SOLVED, 5), 1);
  // Two numbers in the corners of a rectangle that can be swapped.
  assert.strictEqual(count(without(EASY_SOLVED, [32, 35, 41, 44]), 5), 2);
  assert.strictEqual(count(IMPOSSIBLE, 2), 0);
  assert.strictEqual(count(`11${".".repeat(79)}`, 2), 0);
});

test("counting stops at the limit", () => {
  assert.strictEqual(count(EMPTY, 2), 2);
  assert.strictEqual(count(EMPTY, 7), 7);
  assert.strictEqual(count(without(EASY_SOLVED, [32, 35, 41, 44]), 1), 1);
});

test("a hint is the first cell with one candidate", () => {
  assert.deepStrictEqual(hint(parseBoard(without(EASY_SOLVED, [50, 20]))), { index: 20, value: 8 });
  assert.deepStrictEqual(hint(parseBoard(EASY)), { index: 40, value: 5 });
});

test("there may be no hint", () => {
  assert.strictEqual(hint(parseBoard(EMPTY)), null);
  assert.strictEqual(hint(parseBoard(EASY_SOLVED)), null);
});
