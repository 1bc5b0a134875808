// The strategy against a scripted model.

import assert from "node:assert/strict";
import { test } from "node:test";
import { scripted } from "../sdk/conversation.js";
import { judge, planFor, understand } from "../src/strategy.js";

test("every requirement of the brief is checked by the plan", () => {
  const model = scripted(
    "title: Greeter\nsummary: It greets.\nrequirement: It says hello.\nrequirement: It says good-bye.",
    "module: greeter\n````python\nimport greeter\n````",
  );
  const brief = understand(model, "something that greets");
  const [task] = planFor(model, brief).tasks;
  assert.deepEqual(task.acceptance.map(({ requirement }) => requirement), ["R1", "R2"]);
  assert.deepEqual(task.files, ["greeter.py"]);
});

test("a module that would be a path is sent back", () => {
  const model = scripted("module: ../x\n````\n````", "module: x\n````\nimport x\n````");
  planFor(model, { title: "X", summary: "X", requirements: [{ id: "R1", text: "x" }] });
  assert.match(model.requests[1].messages.at(-1).text, /small letters/);
});

test("a check that failed is a finding of its requirement", () => {
  const passed = { check: "C1", requirement: "R1", status: "passed", detail: "" };
  const failed = { check: "C2", requirement: "R2", status: "failed", detail: "no" };
  assert.equal(judge([passed]).tag, "accepted");
  assert.deepEqual(judge([passed, failed]).val.map(({ requirement }) => requirement), ["R2"]);
});
