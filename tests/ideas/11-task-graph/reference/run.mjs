import { needsOf, order } from "./graph.mjs";

/** Runs all jobs and resolves to how each of them ended; see order for what is refused. */
export async function runAll(jobs, { limit = Infinity } = {}) {
  order(jobs);
  const waiting = Object.keys(jobs).sort();
  const outcomes = new Map();
  const running = new Map();
  while (waiting.length > 0 || running.size > 0) {
    skipHopeless(jobs, waiting, outcomes);
    for (const name of waiting.filter((one) => isReady(jobs[one], outcomes)).slice(0, limit - running.size)) {
      waiting.splice(waiting.indexOf(name), 1);
      running.set(name, runOne(jobs[name], outcomes).then((outcome) => ({ name, outcome })));
    }
    if (running.size > 0) {
      const { name, outcome } = await Promise.race(running.values());
      running.delete(name);
      outcomes.set(name, outcome);
    }
  }
  return Object.fromEntries(outcomes);
}

function isReady(job, outcomes) {
  return needsOf(job).every((need) => outcomes.get(need)?.status === "done");
}

/** Skips what needs something that failed or was skipped, until there is no more of it. */
function skipHopeless(jobs, waiting, outcomes) {
  const isHopeless = (name) => needsOf(jobs[name]).some((need) => outcomes.has(need) && outcomes.get(need).status !== "done");
  for (let index = waiting.findIndex(isHopeless); index >= 0; index = waiting.findIndex(isHopeless)) {
    const [name] = waiting.splice(index, 1);
    outcomes.set(name, { status: "skipped" });
  }
}

async function runOne(job, outcomes) {
  const results = Object.fromEntries(needsOf(job).map((need) => [need, outcomes.get(need).value]));
  try {
    return { status: "done", value: await job.run(results) };
  } catch (error) {
    return { status: "failed", error: error.message };
  }
}
