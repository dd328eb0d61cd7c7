"""Show how far long work is, only when asked; knows no work. Writes to standard error and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def shown(
    progress: bool | Callable[[int], object], verb: str, total: int | None = None
) -> Iterator[Callable[[int], object]]:
    """Yield what is to be told of each step; True draws a bar on standard error, a callable is called, False is silent."""
    if callable(progress):
        yield progress
    elif not progress:
        yield lambda done: None
    else:
        from rich.console import Console
        from rich.progress import Progress

        with Progress(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(verb, total=total)
            yield lambda done: bar.advance(task, done)
