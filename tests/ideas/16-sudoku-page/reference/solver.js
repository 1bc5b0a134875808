"use strict";

const Solver = (function () {
  const { conflicts, candidates } = typeof module === "undefined" ? Board : require("./board.js");

  function solve(cells) {
    return solutions(cells, 1)[0] ?? null;
  }

  function countSolutions(cells, limit) {
    return solutions(cells, limit).length;
  }

  function solutions(cells, limit) {
    const found = [];
    if (conflicts(cells).length === 0) {
      search([...cells], limit, found);
    }
    return found;
  }

  /** Tries what fits into the cell that leaves the least choice, until enough is found. */
  function search(cells, limit, found) {
    if (found.length >= limit) {
      return;
    }
    const { index, values } = narrowest(cells);
    if (index === -1) {
      found.push([...cells]);
      return;
    }
    for (const value of values) {
      cells[index] = value;
      search(cells, limit, found);
    }
    cells[index] = 0;
  }

  function narrowest(cells) {
    let best = { index: -1, values: { length: Infinity } };
    for (let index = 0; index < cells.length && best.values.length > 1; index += 1) {
      if (cells[index] === 0) {
        const values = candidates(cells, index);
        if (values.length < best.values.length) {
          best = { index, values };
        }
      }
    }
    return best;
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
