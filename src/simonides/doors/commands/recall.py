"""`search`, `context`, `explain`: ask; knows nothing of writing."""

from __future__ import annotations

import click

from simonides import shapes
from simonides.doors.desk import NOTHING_FOUND, Desk, words_or_stdin
from simonides.doors.paper import Paper, day, short, worth_marking
from simonides.doors.verb import Asked, asking, verb
from simonides.types import Context, Dropped, Explanation, Hit


@verb(
    "search",
    examples=(
        'simonides search "where does Ana live?"',
        'simonides search "which database" --project shop --as-of 2026-03-01 -k 3',
        'simonides --json search vegan --user ana --where \'{"city": {"eq": "Lisbon"}}\'',
    ),
    then=('simonides explain "where does Ana live?"', 'simonides context "where does Ana live?"'),
)
@click.argument("words", metavar="QUERY...", nargs=-1)
@click.option("-k", "k", type=click.IntRange(min=1), default=10, show_default=True, help="At most so many.")
@asking
def search(desk: Desk, words: tuple[str, ...], *, k: int, asked: Asked) -> None:
    """Find memories by meaning and words; nothing when nothing fits.

    The score is the chance that a memory answers the question. Exit code 1 when nothing fits.
    """
    query = words_or_stdin(words, "query")
    hits = desk.look().search(query, k=k, **asked)

    def people(paper: Paper) -> None:
        for rank, hit in enumerate(hits, 1):
            paper.hit(hit, rank, worth_marking(query))
        if not hits:
            _nothing(desk, paper, asked)
        elif not paper.plain:
            paper.line()
            paper.then(f"simonides get {short(hits[0].memory.id)}", f"simonides explain {_quoted(query)}")

    desk.answer({"query": query, "hits": [shapes.hit(hit) for hit in hits]}, people)
    if not hits:
        click.get_current_context().exit(NOTHING_FOUND)


def _nothing(desk: Desk, paper: Paper, asked: Asked) -> None:
    paper.line("Nothing fits.")
    if desk.look().status().memories == 0:
        paper.then('simonides add "..."', "simonides import --detect PATH")
    elif asked.get("gate"):
        paper.then("the same with --no-gate shows the nearest anyway")


def _quoted(text: str) -> str:
    return f'"{text}"' if '"' not in text else f"'{text}'"


@verb(
    "context",
    examples=(
        'simonides context "what should I cook for Ana?" --budget 400',
        'simonides context "why GraphQL?" --project shop | pbcopy',
    ),
    then=('simonides explain "what should I cook for Ana?"',),
)
@click.argument("words", metavar="QUERY...", nargs=-1)
@click.option(
    "--budget", type=click.IntRange(min=1), default=800, show_default=True, help="At most so many tokens."
)
@asking
def context(desk: Desk, words: tuple[str, ...], *, budget: int, asked: Asked) -> None:
    """Pack what fits a question into a block for a prompt.

    Each line carries its date and its id. Exit code 1, and no block, when nothing fits.
    """
    query = words_or_stdin(words, "query")
    packed = desk.look().context(query, budget=budget, **asked)

    def people(paper: Paper) -> None:
        if not packed.hits:
            _nothing(desk, paper, asked)
            return
        paper.line(packed.text)
        _left_out(desk, packed)

    desk.answer({"query": query, **shapes.context(packed)}, people)
    if not packed.hits:
        click.get_current_context().exit(NOTHING_FOUND)


def _left_out(desk: Desk, packed: Context) -> None:
    left = f"; {len(packed.left_out)} more did not fit" if packed.left_out else ""
    desk.aside(f"{packed.tokens} of {packed.budget} tokens{left}.")


@verb(
    "explain",
    examples=(
        'simonides explain "where does Ana live?"',
        'simonides --json explain "which database?" --project shop',
    ),
    then=('simonides search "where does Ana live?" --no-gate',),
)
@click.argument("words", metavar="QUERY...", nargs=-1)
@click.option("-k", "k", type=click.IntRange(min=1), default=10, show_default=True, help="As for `search`.")
@click.option(
    "--dropped", "most", type=click.IntRange(min=0), default=10, show_default=True, help="At most so many."
)
@asking
def explain(desk: Desk, words: tuple[str, ...], *, k: int, most: int, asked: Asked) -> None:
    """Show what a search considered, kept and dropped, and why.

    Shares are log-odds: +1 makes a memory about 2.7 times as likely to answer the question.
    """
    query = words_or_stdin(words, "query")
    found = desk.look().explain(query, k=k, **asked)
    desk.answer(shapes.explanation(found), lambda paper: write_explanation(paper, found, most))


def write_explanation(paper: Paper, found: Explanation, most: int = 10) -> None:
    """Write an explanation for people."""
    for name, value in found.reading.items():
        if value not in (None, "", [], {}):
            shown = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            paper.line(f"{paper.dim(f'{name:<9}')} {shown}")
    chance, threshold = found.gate
    verdict = "passes" if chance >= threshold else "refused: nothing fits"
    paper.line(
        f"{paper.dim('gate     ')} {chance:.2f} that an answer is here, needed {threshold:.2f}: {verdict}"
    )
    took = ", ".join(f"{step} {value:.1f}" for step, value in found.milliseconds.items())
    paper.line(f"{paper.dim('looked at')} {found.considered:,} memories" + (f" (ms: {took})" if took else ""))
    paper.line()
    kept = [(f"{rank}", one) for rank, one in enumerate(found.hits, 1)]
    left = [(one.reason, one) for one in found.dropped[:most]]
    if paper.plain:
        paper.table((), [(*_row(label, one), _shares(one)) for label, one in [*kept, *left]])
        return
    for rank, hit in kept:
        paper.line("  ".join((f"{rank:>2}", *_row("", hit)[1:4], paper.cut(hit.memory.text, 38))))
        paper.line(f"      {paper.dim(_shares(hit))}")
    for reason, one in left:
        paper.line("  ".join((" -", *_row("", one)[1:4], paper.cut(one.memory.text, 38))))
        paper.line(f"      {paper.dim('dropped: ')}{reason}{paper.dim(f'  ({_shares(one)})')}")
    if len(found.dropped) > most:
        paper.line(paper.dim(f"... and {len(found.dropped) - most} more dropped (--dropped N shows them)"))


def _row(label: str, one: Hit | Dropped) -> tuple[str, ...]:
    memory = one.memory
    return label, f"{one.score:.2f}", day(memory.at, memory.zone), short(memory.id), memory.text


def _shares(one: Hit | Dropped) -> str:
    ranked = sorted(one.shares.items(), key=lambda pair: -abs(pair[1]))
    return ", ".join(f"{name} {value:+.1f}" for name, value in ranked if abs(value) >= 0.05)
