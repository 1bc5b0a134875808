"use strict";

const Solver = (function () {
  const { conflicts, candidates } = typeof module === "undefined" ? Board : require("./board.js");

  /** Fills in cells that have one candidate, again and again. */
  function solve(cells) {
    if (conflicts(cells).length > 0) {
      return null;
    }
    const solved = [...cells];
    for (let found = hint(solved); found !== null; found = hint(solved)) {
      solved[found.index] = found.value;
    }
    return solved.includes(0) ? null : solved;
  }

  function countSolutions(cells, limit) {
    return Math.min(limit, solve(cells) === null ? 0 : 1);
  }

  function hint(cells) {
    for (let index = 0; index < cells.length; index += 1) {
      const values = candidates(cells, index);
      if (values.length === 1) {
        return { index, value: values[0] };
      }
    }
    return null;
  }

  return { solve, countSolutions, hint };
})();

if (typeof module !== "undefined") {
  module.exports = Solver;
}
