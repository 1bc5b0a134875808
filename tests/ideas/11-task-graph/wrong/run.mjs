import { needsOf, order } from "./graph.mjs";

/** Runs all jobs and resolves to how each of them ended. */
export async function runAll(jobs, options = {}) {
  const started = new Map();
  for (const name of order(jobs)) {
    started.set(name, runOne(jobs[name], started));
  }
  const outcomes = {};
  for (const [name, promise] of started) {
    outcomes[name] = await promise;
  }
  return outcomes;
}

async function runOne(job, started) {
  const results = {};
  for (const need of needsOf(job)) {
    const outcome = await started.get(need);
    if (outcome.status !== "done") {
      return { status: "skipped" };
    }
    results[need] = outcome.value;
  }
  try {
    return { status: "done", value: await job.run(results) };
  } catch (error) {
    return { status: "failed", error: error.message };
  }
}
