// What the SDK promises; `node --test` runs it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Conversation, Unreadable, failure, orGiveUp, scripted } from "../sdk/conversation.js";
import { field, parts } from "../sdk/fences.js";
import { inWords } from "../sdk/words.js";

test("a longer fence holds a shorter one", () => {
  const reply = "a.md\n````markdown\n```sh\nls\n```\n````\nend";
  const block = { text: "```sh\nls\n```\n", info: "markdown", open: false };
  assert.deepEqual(parts(reply), [{ line: "a.md" }, block, { line: "end" }]);
});

test("a block that was cut off is marked open, and one in a list loses its indent", () => {
  assert.deepEqual(parts("```py\nx"), [{ text: "x\n", info: "py", open: true }]);
  assert.deepEqual(parts("  ```\n  a\n    b\n  ```"), [{ text: "a\n  b\n", info: "", open: false }]);
});

test("fields are found in any dress", () => {
  assert.equal(field("**Title:** A b", "title"), "A b");
  assert.equal(field("title : x: y", "title"), "x: y");
  assert.equal(field("Title: **A b**", "title"), "A b");
  assert.equal(field("titles: x", "title"), undefined);
});

test("a reply that does not parse is sent back once, and no more", () => {
  const read = (text) => {
    if (Number.isNaN(Number(text))) throw new Unreadable("no number");
    return Number(text);
  };
  const model = scripted("seven", "7");
  assert.equal(new Conversation(model, "fast", 10, "rules").ask("a number?", read), 7);
  assert.equal(model.requests[1].messages.length, 4);
  const stubborn = new Conversation(scripted("seven", "eight", "9"), "fast", 10, "rules");
  assert.throws(() => stubborn.ask("a number?", read), (thrown) => thrown.tag === "unusable-reply" && thrown.val === "no number");
});

test("a refusal of the host is what the plugin gives up with; a mistake of its own stays one", () => {
  const refusal = { tag: "insufficient-credits" };
  const caught = (call) => {
    try {
      return orGiveUp(call);
    } catch (error) {
      return error;
    }
  };
  assert.deepEqual(caught(() => { throw { payload: refusal }; }), failure.refused(refusal));
  assert.ok(caught(() => { throw new TypeError("x"); }) instanceof TypeError);
});

test("a command is said without the words of a programming language", () => {
  const step = { arguments: ["python3", "a.py"], stdin: "x\n", stdout: { tag: "exact", val: "y\n" }, exitCode: 1 };
  const said = 'these commands, in order:\n  ["python3","a.py"] reading "x\\n", printing exactly "y\\n", exit code 1';
  assert.equal(inWords({ tag: "command", val: [step] }), said);
});
