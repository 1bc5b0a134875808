"""The plugin, as the host calls it. Everything else is in strategy.py, which needs no host."""

import wit_world
from wit_world.imports import job, types

from atelier_sdk.conversation import GiveUp
from atelier_sdk.host import export, model
from strategy import TEST_FILE, plan_for, understand


class WitWorld(wit_world.WitWorld):
    @export
    def elicit(self) -> types.Brief:
        found = understand(model, job.idea())
        wanted = [types.Requirement(f"R{at}", text, []) for at, text in enumerate(found.requirements, 1)]
        return types.Brief(found.title, found.summary, "python", wanted)

    @export
    def make_plan(self) -> types.Plan:
        brief = job.current_brief()
        if brief is None:
            raise GiveUp("impossible", "the host gave no brief")
        wanted = "\n".join(f"{one.id}: {one.text}" for one in brief.requirements)
        planned = plan_for(model, brief.title, brief.summary, wanted)
        check = types.Check_UnitTest(types.SourceFile(TEST_FILE, planned.tests))
        acceptance = [types.Acceptance(f"C{at}", one.id, check) for at, one in enumerate(brief.requirements, 1)]
        task = types.Task("T1", brief.title, f"{brief.summary}\n\n{wanted}", [], [f"{planned.module}.py"], acceptance)
        return types.Plan([task], f"python3 {planned.module}.py", f"One module, `{planned.module}`.")

    @export
    def verify(self) -> types.Verdict:
        failed = [result for result in job.results() if result.status == types.Status.FAILED]
        if not failed:
            return types.Verdict_Accepted("its checks hold")
        return types.Verdict_Rejected([types.Finding("", 0, result.detail, result.requirement) for result in failed])
