"use strict";

const Board = (function () {
  const SIZE = 9;
  const CELLS = SIZE * SIZE;

  function parseBoard(text) {
    const characters = text.replace(/\s/g, "");
    if (!/^[0-9.]{81}$/.test(characters)) {
      throw new Error("bad board");
    }
    return Array.from(characters, (character) => (character === "." ? 0 : Number(character)));
  }

  function formatBoard(cells) {
    return cells.map((value) => value || ".").join("");
  }

  const place = (index) => {
    const row = Math.floor(index / SIZE);
    const column = index % SIZE;
    return { row, column, box: Math.floor(row / 3) * 3 + Math.floor(column / 3) };
  };

  const isPeer = (one, other) => one !== other && ["row", "column", "box"].some((unit) => place(one)[unit] === place(other)[unit]);
  const indexes = Array.from({ length: CELLS }, (_, index) => index);
  const peers = indexes.map((index) => indexes.filter((other) => isPeer(index, other)));

  function conflicts(cells) {
    return indexes.filter((index) => cells[index] !== 0 && peers[index].some((other) => cells[other] === cells[index]));
  }

  function candidates(cells, index) {
    if (cells[index] !== 0) {
      return [];
    }
    const taken = new Set(peers[index].map((other) => cells[other]));
    return [1, 2, 3, 4, 5, 6, 7, 8, 9].filter((value) => !taken.has(value));
  }

  return { parseBoard, formatBoard, conflicts, candidates };
})();

if (typeof module !== "undefined") {
  module.exports = Board;
}
