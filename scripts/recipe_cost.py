"""Measure what a recipe costs a turn, and how the reader answers over what it finds, on LoCoMo.

`python scripts/recipe_cost.py DATA [RECIPE ...] [--limit 1] [--meaning instant]`; DATA is the set's file or folder.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

from simonides import Memory, Settings
from simonides.bench.answers import token_f1
from simonides.bench.cases import files_of
from simonides.bench.datasets import load
from simonides.bench.stores import row
from simonides.parts.escalate import tracing
from simonides.parts.reader import answer
from simonides.recipes import RECIPES
from simonides.recipes.composition import chosen

OURS = ("mem0", "mem0-graph", "mem0-additive", "d-mem", "convomem")


def main() -> None:
    """Print the processor milliseconds of a turn and of a question, F1, and how often the ladder went up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("recipes", nargs="*", default=OURS)
    parser.add_argument("--limit", type=int, default=1)
    parser.add_argument("--policy", default="gated")
    parser.add_argument("--meaning", default="instant")
    options = parser.parse_args()
    (source, *_) = files_of(options.data, "locomo*.json")
    raw = {str(item["sample_id"]): item["qa"] for item in json.loads(source.read_text("utf-8"))}
    for name in options.recipes or RECIPES:
        plain, wrote, asked, f1, up, scanned, turns, kept = [], [], [], [], 0, 0, 0, 0
        for conversation in load("locomo", options.data)[: options.limit]:
            settings = Settings(meaning=options.meaning, background=False, synchronous="normal")
            recipe = chosen(name)
            if name == "d-mem":
                from simonides.recipes.dmem import DMem

                recipe = DMem(policy=options.policy)
            with Memory(":memory:", settings=settings) as bare:
                for turn in conversation.turns:
                    started = time.process_time()
                    bare.add_many([row(turn)])
                    plain.append((time.process_time() - started) * 1000)
            with Memory(":memory:", settings=settings, recipe=recipe) as memory:
                for turn in conversation.turns:
                    started = time.process_time()
                    memory.add_many([row(turn)])
                    wrote.append((time.process_time() - started) * 1000)
                if options.meaning == "full":
                    memory.wait()
                turns += len(conversation.turns)
                assert recipe is not None
                if recipe.derives:
                    kept += len(memory.list(kinds=recipe.kinds(), limit=1_000_000))
                now = conversation.turns[-1].at
                for question, gold in zip(conversation.questions, raw[conversation.id], strict=True):
                    if not question.in_recall or "answer" not in gold:
                        continue
                    started = time.process_time()
                    with tracing() as seen:
                        hits = memory.search(question.text, k=10, gate=False, now=now)
                    asked.append((time.process_time() - started) * 1000)
                    f1.append(token_f1(answer(question.text, hits, now).text, str(gold["answer"])))
                    up += sum(one.rung == "full" for one in seen)
                    scanned += sum(one.scanned for one in seen)
        tenths = statistics.quantiles(wrote, n=20)
        print(
            f"{name}: turn p50 {statistics.median(wrote):.1f} CPU ms, p95 {tenths[18]:.1f} ms"
            f" (bare {statistics.median(plain):.1f}); question p50 {statistics.median(asked):.1f} ms;"
            f" F1 {statistics.mean(f1):.3f} of {len(f1)}; full {up / len(f1):.0%};"
            f" {kept} derived from {turns} turns"
        )


if __name__ == "__main__":
    main()
