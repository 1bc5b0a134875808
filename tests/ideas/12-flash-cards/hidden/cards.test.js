"use strict";

const test = require("node:test");
const assert = require("node:assert");
const { addCard, grade, dueCards, countBoxes, exportDeck, importDeck } = require("../cards.js");

const card = (question, box, due) => ({ question, answer: question.toUpperCase(), box, due });
const copy = (value) => JSON.parse(JSON.stringify(value));

test("cards are added", () => {
  const one = addCard([], "Hund", "dog", 10);
  assert.deepStrictEqual(one, [{ question: "Hund", answer: "dog", box: 1, due: 10 }]);
  const two = addCard(one, "Katze", "cat", 11);
  assert.deepStrictEqual(two[1], { question: "Katze", answer: "cat", box: 1, due: 11 });
  assert.strictEqual(two.length, 2);
});

test("blanks around the texts are removed", () => {
  assert.deepStrictEqual(addCard([], "  le chat ", "\tthe cat ", 0), [{ question: "le chat", answer: "the cat", box: 1, due: 0 }]);
});

test("empty texts are refused", () => {
  assert.throws(() => addCard([], "", "dog", 1), { message: "empty" });
  assert.throws(() => addCard([], "Hund", "  ", 1), { message: "empty" });
});

test("a question can't be added twice", () => {
  const deck = addCard([], "Hund", "dog", 1);
  assert.throws(() => addCard(deck, " Hund ", "hound", 2), { message: "duplicate question" });
  assert.strictEqual(addCard(deck, "hund", "dog", 2).length, 2);
});

test("right answers go up to box 5", () => {
  let deck = [card("a", 1, 10)];
  for (const [box, due] of [[2, 102], [3, 104], [4, 108], [5, 116], [5, 116]]) {
    deck = grade(deck, 0, true, 100);
    assert.deepStrictEqual([deck[0].box, deck[0].due], [box, due]);
  }
});

test("a wrong answer goes back to box 1", () => {
  assert.deepStrictEqual(grade([card("a", 4, 10)], 0, false, 20), [card("a", 1, 21)]);
  assert.deepStrictEqual(grade([card("a", 1, 10)], 0, false, 20), [card("a", 1, 21)]);
});

test("other cards stay as they are", () => {
  const deck = [card("a", 1, 10), card("b", 2, 10), card("c", 3, 10)];
  assert.deepStrictEqual(grade(deck, 1, true, 10), [card("a", 1, 10), card("b", 3, 14), card("c", 3, 10)]);
});

test("due cards come by box", () => {
  const deck = [card("a", 3, 5), card("b", 1, 6), card("c", 1, 5), card("d", 2, 1), card("e", 1, 4)];
  assert.deepStrictEqual(dueCards(deck, 5), [2, 4, 3, 0]);
  assert.deepStrictEqual(dueCards(deck, 0), []);
});

test("nothing is due in an empty deck", () => {
  assert.deepStrictEqual(dueCards([], 5), []);
});

test("boxes are counted", () => {
  assert.deepStrictEqual(countBoxes([card("a", 1, 0), card("b", 5, 0), card("c", 1, 0), card("d", 3, 9)]), [2, 0, 1, 0, 1]);
  assert.deepStrictEqual(countBoxes([]), [0, 0, 0, 0, 0]);
});

test("an exported deck comes back", () => {
  const deck = [card("ä \"quoted\"\n", 2, 7), card("b", 1, 0)];
  assert.strictEqual(typeof exportDeck(deck), "string");
  assert.deepStrictEqual(importDeck(exportDeck(deck)), deck);
  assert.deepStrictEqual(importDeck(exportDeck([])), []);
});

test("other texts are no deck", () => {
  for (const text of ["", "hello", "{}", "null", "5", '[{"question":"a","answer":"b","box":1}]', "[null]", "[1]"]) {
    assert.throws(() => importDeck(text), { message: "not a deck" }, text);
  }
});

test("adding leaves the old deck alone", () => {
  const deck = [card("a", 1, 0)];
  const before = copy(deck);
  addCard(deck, "b", "c", 1);
  assert.deepStrictEqual(deck, before);
});

test("grading leaves the old deck and its cards alone", () => {
  const deck = [card("a", 2, 0), card("b", 3, 0)];
  const before = copy(deck);
  grade(deck, 0, true, 5);
  grade(deck, 1, false, 5);
  assert.deepStrictEqual(deck, before);
});

test("sorting leaves the deck alone", () => {
  const deck = [card("a", 2, 0), card("b", 1, 0)];
  const before = copy(deck);
  dueCards(deck, 5);
  countBoxes(deck);
  assert.deepStrictEqual(deck, before);
});
