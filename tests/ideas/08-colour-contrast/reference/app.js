"use strict";

(function () {
  const foreground = document.getElementById("foreground");
  const background = document.getElementById("background");
  const result = document.getElementById("result");

  function show() {
    const ratio = contrast(foreground.value, background.value);
    if (ratio === null) {
      result.textContent = "Please give two colours such as #1a2b3c.";
      return;
    }
    result.style.color = foreground.value;
    result.style.backgroundColor = background.value;
    result.textContent = `${ratio} : 1, ${rating(ratio)}`;
  }

  foreground.addEventListener("input", show);
  background.addEventListener("input", show);
  show();
})();
