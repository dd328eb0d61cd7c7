"""Ask made-up cases of ConvoMem's six categories of recipes: right answers, evidence found, time.

`python scripts/convomem.py [RECIPE ...] [--sizes 2,30,150] [--cases 5]`; `default` is no recipe.
"""

from __future__ import annotations

import argparse
import time
from datetime import timedelta

from simonides import Memory, Settings
from simonides.bench.answers import wilson
from simonides.parts.planted import CATEGORIES, case, score
from simonides.parts.reader import answer


def main() -> None:
    """Print one row for each recipe and size; a case of one piece counts as answered, recall counts all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipes", nargs="*", default=["default", "convomem"])
    parser.add_argument("--sizes", default="2,30,150")
    parser.add_argument("--cases", type=int, default=5)
    options = parser.parse_args()
    for size in map(int, options.sizes.split(",")):
        for name in options.recipes:
            right, asked, refused, unknown, found, took = 0, 0, 0, 0, list[float](), list[float]()
            for category in CATEGORIES:
                for seed in range(options.cases):
                    made = case(category, 1 + seed % 6, size, seed)
                    recipe = None if name == "default" else name
                    settings = Settings(meaning="instant", background=False)
                    with Memory(":memory:", recipe=recipe, settings=settings) as memory:
                        rows = [
                            {
                                "text": one.text,
                                "speaker": one.speaker,
                                "at": one.at,
                                "session": str(one.conversation),
                            }
                            for one in made.messages
                        ]
                        places = {id: place for place, id in enumerate(memory.add_many(rows).ids)}
                        now = made.messages[-1].at + timedelta(days=1)
                        started = time.perf_counter()
                        hits = memory.search(made.question, now=now)
                        took.append((time.perf_counter() - started) * 1000)
                    read = [
                        hit.memory.source.memory
                        if "." in hit.memory.kind and hit.memory.source
                        else hit.memory.id
                        for hit in hits
                    ]
                    got = score(
                        made,
                        answer(made.question, hits, now).text,
                        [places[id] for id in read if id in places],
                    )
                    if category == "abstention":
                        unknown, refused = unknown + 1, refused + got.right
                        continue
                    found.append(got.recall)
                    if len(made.evidence) == 1:
                        asked, right = asked + 1, right + got.right
            low, high = wilson(right, asked)
            print(
                f"{size} conversations, {name}: {right} of {asked} answered [{low:.2f}, {high:.2f}],"
                f" evidence found {sum(found) / len(found):.2f}, refused {refused} of {unknown},"
                f" {sorted(took)[len(took) // 2]:.0f} ms"
            )


if __name__ == "__main__":
    main()
