"use strict";

const DAYS_BY_BOX = [1, 2, 4, 8, 16];
const PARTS = { question: "string", answer: "string", box: "number", due: "number" };

function addCard(deck, question, answer, day) {
  const card = { question: question.trim(), answer: answer.trim(), box: 1, due: day };
  if (card.question === "" || card.answer === "") {
    throw new Error("empty");
  }
  if (deck.some((other) => other.question === card.question)) {
    throw new Error("duplicate question");
  }
  return [...deck, card];
}

function grade(deck, index, isRight, day) {
  const copy = [...deck];
  const card = copy[index];
  card.box = isRight ? Math.min(card.box + 1, DAYS_BY_BOX.length) : 1;
  card.due = day + DAYS_BY_BOX[card.box - 1];
  return copy;
}

function dueCards(deck, day) {
  const indexes = deck.map((_, index) => index).filter((index) => deck[index].due <= day);
  return indexes.sort((one, other) => deck[one].box - deck[other].box || one - other);
}

function countBoxes(deck) {
  return DAYS_BY_BOX.map((_, index) => deck.filter((card) => card.box === index + 1).length);
}

function exportDeck(deck) {
  return JSON.stringify(deck);
}

function importDeck(text) {
  let deck;
  try {
    deck = JSON.parse(text);
  } catch {
    throw new Error("not a deck");
  }
  if (!Array.isArray(deck) || !deck.every(isCard)) {
    throw new Error("not a deck");
  }
  return deck;
}

function isCard(value) {
  return typeof value === "object" && value !== null && Object.entries(PARTS).every(([name, type]) => typeof value[name] === type);
}

if (typeof module !== "undefined") {
  module.exports = { addCard, grade, dueCards, countBoxes, exportDeck, importDeck };
}
