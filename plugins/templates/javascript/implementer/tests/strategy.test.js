// The strategy against a scripted model and a project whose checks fail until a file holds `right`.

import assert from "node:assert/strict";
import { test } from "node:test";
import { scripted } from "../sdk/conversation.js";
import { implementTask } from "../src/strategy.js";

const task = { id: "T1", title: "Say what is right", description: "", dependsOn: [], files: ["a.py"], acceptance: [] };

function desk(model) {
  const files = [];
  const status = () => (files.some((file) => file.text.includes("right")) ? "passed" : "failed");
  return { model, files, write: (file) => files.push(file), check: () => [{ status: status(), detail: "it is not right" }] };
}

test("what the checks show is mended once", () => {
  const model = scripted("a.py\n````\nwrong\n````", "a.py\n````\nright\n````");
  const host = desk(model);
  assert.deepEqual(implementTask(host, task), { summary: "Say what is right", assumptions: [] });
  assert.match(model.requests[1].messages.at(-1).text, /it is not right/);
  assert.equal(host.files.length, 2);
});

test("a reply without a file is sent back", () => {
  const model = scripted("Sure!", "a.py\n````\nright\n````");
  implementTask(desk(model), task);
  assert.equal(model.requests.length, 2);
});

test("what the host refuses ends the work", () => {
  assert.throws(() => implementTask(desk(scripted()), task), (thrown) => thrown.tag === "refused" && thrown.val.tag === "unavailable");
});
