"""An implementer: it asks the model once for all files of the task, writes them, and asks once more with what the checks showed."""

from atelier_sdk.conversation import Conversation, Unreadable
from atelier_sdk.fences import Line, parts
from atelier_sdk.words import in_words

RULES = ("You are a programmer. Answer with the files of the task and nothing else: for each file its path alone on a line, "
         "then the whole file between fences of four backticks.")
"""The same for every task, so that a provider may cache it."""
OUTPUT_TOKENS_MAX = 12_000
"""The longest useful answer."""


def implement(model, project, task) -> tuple[str, list[str]]:
    """The strategy. It returns one line for the history, and what it assumed for the report."""
    conversation = Conversation(model, "coder", OUTPUT_TOKENS_MAX, RULES)
    for path, text in conversation.ask(prompt(task), read_files):
        project.write(path, text)
    problems = project.problems(task)
    if problems:
        again = "These checks fail:\n\n" + "\n\n".join(problems) + "\n\nSend the files that have to change, whole."
        for path, text in conversation.ask(again, read_files):
            project.write(path, text)
    return task.title, []


def prompt(task) -> str:
    checks = "\n".join(f"- {in_words(entry.check)}" for entry in task.acceptance)
    return f"# Your task: {task.title}\n\n{task.description}\n\nFiles: {', '.join(task.files)}\n\nChecks:\n{checks}"


def read_files(reply: str) -> list[tuple[str, str]]:
    """The files of a reply, or what is wrong with it."""
    files, path = [], None
    for part in parts(reply):
        if isinstance(part, Line):
            path = part.text.strip() or path
        elif part.open:
            raise Unreadable("the last file was cut off")
        elif path is None:
            raise Unreadable("a block has no path on the line before its fence")
        else:
            files.append((path, part.text))
            path = None
    if not files:
        raise Unreadable("the reply holds no file")
    return files
