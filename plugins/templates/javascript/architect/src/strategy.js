// An architect: it makes a brief of an idea in one call, plans one task with one test file, and believes what the checks did.

import { Conversation, Unreadable } from "../sdk/conversation.js";
import { field, parts } from "../sdk/fences.js";

const BRIEF_RULES = `You make a brief of an idea for a small Python program. Answer with these lines and nothing else:
title: a few words
summary: one sentence
requirement: one sentence that a test can show (three to six such lines)`;
const PLAN_RULES =
  "You write the unit tests of a Python program before it exists. Answer with the line `module: NAME` for the module that the tests " +
  "import, then one file of unittest tests between fences of four backticks.";
/** The longest useful answer. */
const OUTPUT_TOKENS_MAX = 6_000;
const TEST_FILE = "tests/test_requirements.py";

/** One call, and one more where the answer can't be read. */
export function understand(model, idea) {
  return new Conversation(model, "planner", OUTPUT_TOKENS_MAX, BRIEF_RULES).ask(idea, readBrief);
}

/** One task that writes one module, checked by one file of tests for all requirements. */
export function planFor(model, brief) {
  const wanted = brief.requirements.map(({ id, text }) => `${id}: ${text}`).join("\n");
  const prompt = `${brief.title}\n\n${brief.summary}\n\n${wanted}`;
  const { module, tests } = new Conversation(model, "planner", OUTPUT_TOKENS_MAX, PLAN_RULES).ask(prompt, readTests);
  const check = { tag: "unit-test", val: { path: TEST_FILE, text: tests } };
  const task = {
    id: "T1",
    title: brief.title,
    description: `${brief.summary}\n\n${wanted}`,
    dependsOn: [],
    files: [`${module}.py`],
    acceptance: brief.requirements.map(({ id }, at) => ({ id: `C${at + 1}`, requirement: id, check })),
  };
  return { tasks: [task], runCommand: `python3 ${module}.py`, design: `One module, \`${module}\`.` };
}

/** Accepted where no check failed. */
export function judge(results) {
  const failed = results.filter(({ status }) => status === "failed");
  if (failed.length === 0) return { tag: "accepted", val: "its checks hold" };
  return { tag: "rejected", val: failed.map(({ detail, requirement }) => ({ path: "", line: 0, message: detail, requirement })) };
}

function readBrief(reply) {
  const all = (key) => reply.split("\n").map((line) => field(line, key)).filter(Boolean);
  const requirements = all("requirement").map((text, at) => ({ id: `R${at + 1}`, text, prerequisites: [] }));
  if (requirements.length === 0) throw new Unreadable("there is no line `requirement: …`");
  const [title] = all("title");
  if (!title) throw new Unreadable("there is no line `title: …`");
  const [summary = title] = all("summary");
  return { title, summary, language: "python", requirements };
}

function readTests(reply) {
  const [module] = reply.split("\n").map((line) => field(line, "module")).filter((value) => value !== undefined);
  if (module === undefined) throw new Unreadable("there is no line `module: …`");
  if (!/^[a-z_]+$/.test(module)) throw new Unreadable("a module's name has small letters and `_`");
  const file = parts(reply).find((part) => part.open === false);
  if (!file) throw new Unreadable("there is no whole file of tests");
  return { module, tests: file.text };
}
