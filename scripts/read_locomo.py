"""Measure the extractive reader on LoCoMo: token F1 and exact match over the default search and over the evidence.

`python scripts/read_locomo.py DATA [--hits 10] [--show]`; DATA is the set's file or folder.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path

from simonides import Memory, Settings
from simonides.bench.answers import exact, token_f1
from simonides.bench.cases import files_of
from simonides.bench.datasets import load
from simonides.bench.metrics import mean
from simonides.bench.stores import row
from simonides.parts.reader import answer
from simonides.types import Hit


def main() -> None:
    """Print F1 and exact match by category."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--hits", type=int, default=10)
    parser.add_argument("--meaning", default="full")
    parser.add_argument("--show", action="store_true")
    options = parser.parse_args()
    (source, *_) = files_of(options.data, "locomo*.json")
    raw = {str(item["sample_id"]): item["qa"] for item in json.loads(source.read_text("utf-8"))}
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for conversation in load("locomo", options.data):
        settings = Settings(meaning=options.meaning, background=False, synchronous="normal")
        with Memory(":memory:", settings=settings) as memory:
            receipt = memory.add_many((row(turn) for turn in conversation.turns), wait=True)
            ids = dict(zip((turn.id for turn in conversation.turns), receipt.ids, strict=True))
            now = conversation.turns[-1].at
            for question, gold in zip(conversation.questions, raw[conversation.id], strict=True):
                if not question.in_recall or "answer" not in gold:
                    continue
                hits = memory.search(question.text, k=options.hits, gate=False, now=now)
                held = [Hit(memory.get(ids[id]), 1.0, {}) for id in question.evidence]
                for name, evidence in (("search", hits), ("evidence", held)):
                    said = answer(question.text, evidence, now).text
                    for category in (question.category, "all"):
                        found[f"{name} F1"][category].append(token_f1(said, str(gold["answer"])))
                        found[f"{name} EM"][category].append(exact(said, str(gold["answer"])))
                    if options.show and name == "evidence":
                        print(f"{question.category[:6]} | {question.text} | {said} | {gold['answer']}")
    for name, values in found.items():
        cells = [f"{category} {mean(row_).value:.3f} ({len(row_)})" for category, row_ in values.items()]
        print(name, "; ".join(cells))


if __name__ == "__main__":
    main()
