import test from "node:test";
import assert from "node:assert";
import { runAll } from "../run.mjs";

/** Jobs that write down when they start and end; each lasts for some turns of the event queue. */
function recorder() {
  const events = [];
  let active = 0;
  const state = { events, mostActive: 0 };
  state.job = (name, needs = [], turns = 20) => ({
    needs,
    run: async () => {
      events.push(`+${name}`);
      active += 1;
      state.mostActive = Math.max(state.mostActive, active);
      for (let turn = 0; turn < turns; turn += 1) {
        await null;
      }
      active -= 1;
      events.push(`-${name}`);
      return name;
    },
  });
  return state;
}

test("results are passed on and collected", async () => {
  const outcome = await runAll({
    sum: { needs: ["one", "two"], run: async (results) => results.one + results.two },
    one: { run: async () => 1 },
    two: { needs: ["one"], run: async ({ one }) => one + 1 },
  });
  assert.deepStrictEqual(outcome, { sum: { status: "done", value: 3 }, one: { status: "done", value: 1 }, two: { status: "done", value: 2 } });
});

test("a job starts as soon as its own needs are done", async () => {
  const { job, events } = recorder();
  await runAll({ slow: job("slow", [], 300), quick: job("quick", [], 3), next: job("next", ["quick"], 3) });
  assert.ok(events.indexOf("-quick") < events.indexOf("+next"));
  assert.ok(events.indexOf("-next") < events.indexOf("-slow"));
});

test("no jobs give an empty result", async () => {
  assert.deepStrictEqual(await runAll({}), {});
  assert.deepStrictEqual(await runAll({}, { limit: 1 }), {});
});

test("a failure skips what needs it and nothing else", async () => {
  const outcome = await runAll({
    bad: { run: async () => { throw new Error("broken"); } },
    child: { needs: ["bad"], run: async () => 1 },
    grandchild: { needs: ["child", "good"], run: async () => 2 },
    good: { run: async () => 3 },
    last: { needs: ["good"], run: async () => 4 },
  });
  assert.deepStrictEqual(outcome, {
    bad: { status: "failed", error: "broken" },
    child: { status: "skipped" },
    grandchild: { status: "skipped" },
    good: { status: "done", value: 3 },
    last: { status: "done", value: 4 },
  });
});

test("a job that throws at once has failed too", async () => {
  const outcome = await runAll({ bad: { run: () => { throw new Error("at once"); } }, good: { run: () => 5 } });
  assert.deepStrictEqual(outcome, { bad: { status: "failed", error: "at once" }, good: { status: "done", value: 5 } });
});

test("the limit is kept and used", async () => {
  for (const limit of [1, 2, 3]) {
    const state = recorder();
    const jobs = Object.fromEntries(["a", "b", "c", "d", "e"].map((name) => [name, state.job(name)]));
    const outcome = await runAll(jobs, { limit });
    assert.strictEqual(state.mostActive, limit);
    assert.strictEqual(Object.values(outcome).filter(({ status }) => status === "done").length, 5);
  }
});

test("with a limit the alphabet decides who is first", async () => {
  const { job, events } = recorder();
  await runAll({ c: job("c"), a: job("a", ["d"]), d: job("d"), b: job("b") }, { limit: 1 });
  assert.deepStrictEqual(events.filter((event) => event.startsWith("+")), ["+b", "+c", "+d", "+a"]);
});

test("without a limit all that are ready run together", async () => {
  const state = recorder();
  await runAll({ a: state.job("a"), b: state.job("b"), c: state.job("c"), d: state.job("d", ["a"]) });
  assert.strictEqual(state.mostActive, 3);
  assert.deepStrictEqual(state.events.slice(0, 3), ["+a", "+b", "+c"]);
});

test("a bad graph is rejected before anything runs", async () => {
  let started = 0;
  const run = async () => { started += 1; };
  await assert.rejects(async () => runAll({ a: { run }, b: { needs: ["nope"], run } }), { message: "unknown job: nope" });
  await assert.rejects(async () => runAll({ a: { run }, b: { needs: ["c"], run }, c: { needs: ["b"], run } }), /^Error: cycle: /);
  assert.strictEqual(started, 0);
});
