// The plugin, as the host calls it. Everything else is in strategy.js, which needs no host.

import { currentBrief, idea, results } from "atelier:agent/job@0.1.0";
import { complete } from "atelier:agent/llm@0.1.0";
import { failure } from "../sdk/conversation.js";
import { judge, planFor, understand } from "./strategy.js";

export function elicit() {
  return understand(complete, idea());
}

export function makePlan() {
  const brief = currentBrief();
  if (!brief) throw failure.impossible("the host gave no brief");
  return planFor(complete, brief);
}

export function verify() {
  return judge(results());
}
