// An implementer: it asks the model once for all files of the task, writes them, and asks once more with what the checks showed.

import { Conversation, Unreadable } from "../sdk/conversation.js";
import { parts } from "../sdk/fences.js";
import { inWords } from "../sdk/words.js";

/** The same for every task, so that a provider may cache it. */
const RULES =
  "You are a programmer. Answer with the files of the task and nothing else: for each file its path alone on a line, " +
  "then the whole file between fences of four backticks.";
/** The longest useful answer. */
const OUTPUT_TOKENS_MAX = 12_000;

/** The strategy. `host` is `{ model, write(file), check(task) }`; returns one line for the history, and what it assumed. */
export function implementTask(host, task) {
  const conversation = new Conversation(host.model, "coder", OUTPUT_TOKENS_MAX, RULES);
  conversation.ask(prompt(task), readFiles).forEach(host.write);
  const problems = host.check(task).filter((result) => result.status === "failed").map((result) => result.detail);
  if (problems.length > 0) {
    const again = `These checks fail:\n\n${problems.join("\n\n")}\n\nSend the files that have to change, whole.`;
    conversation.ask(again, readFiles).forEach(host.write);
  }
  return { summary: task.title, assumptions: [] };
}

function prompt(task) {
  const checks = task.acceptance.map((entry) => `- ${inWords(entry.check)}`).join("\n");
  return `# Your task: ${task.title}\n\n${task.description}\n\nFiles: ${task.files.join(", ")}\n\nChecks:\n${checks}`;
}

/** The files of a reply; says what is wrong with it where there are none. */
export function readFiles(reply) {
  const files = [];
  let path;
  for (const part of parts(reply)) {
    if ("line" in part) {
      if (part.line.trim() !== "") path = part.line.trim();
      continue;
    }
    if (part.open) throw new Unreadable("the last file was cut off");
    if (path === undefined) throw new Unreadable("a block has no path on the line before its fence");
    files.push({ path, text: part.text });
    path = undefined;
  }
  if (files.length === 0) throw new Unreadable("the reply holds no file");
  return files;
}
