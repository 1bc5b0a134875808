"use strict";

const ORIGINAL_SERVINGS = 4;

function scaleAmount(amount, fromServings, toServings) {
  if (!(fromServings > 0) || !(toServings > 0)) {
    throw new RangeError("servings must be greater than zero");
  }
  return Math.round((amount * toServings * 100) / fromServings) / 100;
}

function formatAmount(amount) {
  return String(Math.round(amount * 100) / 100);
}

function showAmounts(page, servings) {
  for (const element of page.querySelectorAll(".amount")) {
    element.textContent = formatAmount(scaleAmount(Number(element.dataset.amount), ORIGINAL_SERVINGS, servings));
  }
}

if (typeof module !== "undefined") {
  module.exports = { scaleAmount, formatAmount };
}

if (typeof document !== "undefined") {
  document.getElementById("servings").addEventListener("input", (event) => {
    const servings = Number(event.target.value);
    if (servings > 0) {
      showAmounts(document, servings);
    }
  });
}
