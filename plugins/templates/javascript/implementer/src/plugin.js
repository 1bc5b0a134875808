// The plugin, as the host calls it. Everything else is in strategy.js, which needs no host.

import { run } from "atelier:agent/checks@0.1.0";
import { currentTask } from "atelier:agent/job@0.1.0";
import { complete } from "atelier:agent/llm@0.1.0";
import { write } from "atelier:agent/workspace@0.1.0";
import { failure, orGiveUp } from "../sdk/conversation.js";
import { implementTask } from "./strategy.js";

const host = {
  model: complete,
  write: (file) => orGiveUp(() => write(file)),
  check: (task) => orGiveUp(() => run(task.acceptance)),
};

export function implement() {
  const task = currentTask();
  if (!task) throw failure.impossible("the host gave no task");
  return implementTask(host, task);
}
