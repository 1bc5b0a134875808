"use strict";

(function () {
  const STORAGE_KEY = "flash-cards";
  const MILLISECONDS_OF_A_DAY = 24 * 60 * 60 * 1000;

  const element = (id) => document.getElementById(id);
  const today = () => Math.floor(Date.now() / MILLISECONDS_OF_A_DAY);

  let deck = load();

  function load() {
    try {
      return importDeck(localStorage.getItem(STORAGE_KEY) ?? "[]");
    } catch {
      return [];
    }
  }

  function change(newDeck) {
    deck = newDeck;
    localStorage.setItem(STORAGE_KEY, exportDeck(deck));
    showNext();
  }

  function showNext() {
    const [index] = dueCards(deck, today());
    element("question").textContent = index === undefined ? "Nothing to learn today." : deck[index].question;
    element("answer").textContent = "";
    element("boxes").textContent = countBoxes(deck).join(" · ");
  }

  function gradeFirst(isRight) {
    const [index] = dueCards(deck, today());
    if (index !== undefined) {
      change(grade(deck, index, isRight, today()));
    }
  }

  element("show").addEventListener("click", () => {
    const [index] = dueCards(deck, today());
    element("answer").textContent = index === undefined ? "" : deck[index].answer;
  });
  element("right").addEventListener("click", () => gradeFirst(true));
  element("wrong").addEventListener("click", () => gradeFirst(false));
  element("new-card").addEventListener("submit", (event) => {
    event.preventDefault();
    try {
      change(addCard(deck, element("new-question").value, element("new-answer").value, today()));
      event.target.reset();
    } catch (error) {
      element("answer").textContent = error.message;
    }
  });
  showNext();
})();
