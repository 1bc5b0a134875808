"use strict";

(function () {
  const FIRST_BOARD = "530070000600195000098000060800060003400803001700020006060000280000419005000080079";

  const table = document.getElementById("board");
  const message = document.getElementById("message");
  const inputs = [];

  for (let row = 0; row < 9; row += 1) {
    const line = table.insertRow();
    for (let column = 0; column < 9; column += 1) {
      const input = document.createElement("input");
      input.maxLength = 1;
      input.addEventListener("input", () => show(read()));
      line.insertCell().append(input);
      inputs.push(input);
    }
  }

  function read() {
    return inputs.map((input) => (/^[1-9]$/.test(input.value) ? Number(input.value) : 0));
  }

  function show(cells) {
    const wrong = new Set(Board.conflicts(cells));
    inputs.forEach((input, index) => {
      input.value = cells[index] || "";
      input.classList.toggle("conflict", wrong.has(index));
    });
    const isSolved = wrong.size === 0 && !cells.includes(0);
    message.textContent = isSolved ? "Solved!" : "";
    history.replaceState(null, "", Share.toAddress(cells));
  }

  document.getElementById("solve").addEventListener("click", () => {
    const solved = Solver.solve(read());
    if (solved === null) {
      message.textContent = "This board has no solution.";
    } else {
      show(solved);
    }
  });

  document.getElementById("hint").addEventListener("click", () => {
    const cells = read();
    const found = Solver.hint(cells);
    if (found === null) {
      message.textContent = "There is no easy step.";
    } else {
      cells[found.index] = found.value;
      show(cells);
    }
  });

  show(Share.fromAddress(location.hash) ?? Board.parseBoard(FIRST_BOARD));
})();
