"use strict";

const test = require("node:test");
const assert = require("node:assert");
const { parseBoard, formatBoard, conflicts, candidates } = require("../board.js");

const EASY = "530070000600195000098000060800060003400803001700020006060000280000419005000080079";
const SOLVED = "534678912672195348198342567859761423426853791713924856961537284287419635345286179";
const EMPTY = ".".repeat(81);

const withCells = (changes) => {
  const cells = parseBoard(EMPTY);
  for (const [index, value] of changes) {
    cells[index] = value;
  }
  return cells;
};

test("boards are read", () => {
  const cells = parseBoard(EASY);
  assert.strictEqual(cells.length, 81);
  assert.deepStrictEqual(cells.slice(0, 12), [5, 3, 0, 0, 7, 0, 0, 0, 0, 6, 0, 0]);
  assert.deepStrictEqual(parseBoard(EASY.replaceAll("0", ".")), cells);
  assert.deepStrictEqual(parseBoard(` ${EASY.slice(0, 40)}\n\t${EASY.slice(40)} \n`), cells);
});

test("boards are written", () => {
  assert.strictEqual(formatBoard(parseBoard(EASY)), EASY.replaceAll("0", "."));
  assert.strictEqual(formatBoard(parseBoard(SOLVED)), SOLVED);
});

test("other texts are bad boards", () => {
  for (const text of ["", EASY.slice(1), `${EASY}1`, `x${EASY.slice(1)}`, `-${EASY.slice(1)}`]) {
    assert.throws(() => parseBoard(text), { message: "bad board" }, text);
  }
});

test("conflicts in rows and columns are found", () => {
  assert.deepStrictEqual(conflicts(withCells([[0, 4], [8, 4]])), [0, 8]);
  assert.deepStrictEqual(conflicts(withCells([[2, 4], [74, 4], [30, 4]])), [2, 74]);
  assert.deepStrictEqual(conflicts(withCells([[8, 1], [9, 1]])), []);
});

test("conflicts in boxes are found", () => {
  assert.deepStrictEqual(conflicts(withCells([[0, 7], [20, 7]])), [0, 20]);
  assert.deepStrictEqual(conflicts(withCells([[60, 2], [80, 2], [31, 2]])), [60, 80]);
});

test("boards without conflicts have none", () => {
  for (const text of [EMPTY, EASY, SOLVED]) {
    const cells = parseBoard(text);
    assert.deepStrictEqual(conflicts(cells), []);
    assert.strictEqual(formatBoard(cells), text.replaceAll("0", "."));
  }
});

test("candidates are found", () => {
  const cells = parseBoard(EASY);
  assert.deepStrictEqual(candidates(cells, 2), [1, 2, 4]);
  assert.deepStrictEqual(candidates(cells, 40), [5]);
  assert.deepStrictEqual(candidates(cells, 0), []);
  assert.deepStrictEqual(candidates(parseBoard(EMPTY), 80), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
});
