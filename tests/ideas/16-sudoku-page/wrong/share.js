"use strict";

const Share = (function () {
  const { parseBoard, formatBoard } = typeof module === "undefined" ? Board : require("./board.js");
  const LONGEST_RUN = 26;
  const BEFORE_A = "a".charCodeAt(0) - 1;

  function toAddress(cells) {
    return "#" + formatBoard(cells).replace(/\.+/g, ({ length }) => {
      const rest = length % LONGEST_RUN;
      return "z".repeat(Math.floor(length / LONGEST_RUN)) + (rest > 0 ? String.fromCharCode(BEFORE_A + rest) : "");
    });
  }

  function fromAddress(text) {
    if (!/^#[a-z1-9]*$/.test(text)) {
      return null;
    }
    try {
      return parseBoard(text.slice(1).replace(/[a-z]/g, (letter) => ".".repeat(letter.charCodeAt(0) - BEFORE_A)));
    } catch {
      return null;
    }
  }

  return { toAddress, fromAddress };
})();

if (typeof module !== "undefined") {
  module.exports = Share;
}
