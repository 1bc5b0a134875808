"""The plugin, as the host calls it. Everything else is in strategy.py, which needs no host."""

import wit_world
from wit_world.imports import checks, job, types, workspace

from atelier_sdk.conversation import GiveUp
from atelier_sdk.host import export, model, or_give_up
from strategy import implement


class Project:
    """The files and checks of the task, as the host has them."""

    def write(self, path: str, text: str) -> None:
        or_give_up(workspace.write, types.SourceFile(path, text))

    def problems(self, task: types.Task) -> list[str]:
        results = or_give_up(checks.run, task.acceptance)
        return [result.detail for result in results if result.status == types.Status.FAILED]


class WitWorld(wit_world.WitWorld):
    @export
    def implement(self) -> wit_world.Work:
        task = job.current_task()
        if task is None:
            raise GiveUp("impossible", "the host gave no task")
        summary, assumptions = implement(model, Project(), task)
        return wit_world.Work(summary, assumptions)
