/** The names of all jobs, each after what it needs. */
export function order(jobs) {
  const names = Object.keys(jobs).sort();
  const known = new Set(names);
  for (const name of names) {
    const unknown = needsOf(jobs[name]).find((need) => !known.has(need));
    if (unknown !== undefined) {
      throw new Error(`unknown job: ${unknown}`);
    }
  }
  const done = new Set();
  while (done.size < names.length) {
    const ready = names.find((name) => !done.has(name) && needsOf(jobs[name]).every((need) => done.has(need)));
    if (ready === undefined) {
      throw new Error(`cycle: ${names.filter((name) => !done.has(name)).join(", ")}`);
    }
    done.add(ready);
  }
  return [...done];
}

export function needsOf(job) {
  return job.needs ?? [];
}
