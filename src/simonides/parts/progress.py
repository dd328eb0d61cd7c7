"""Show how far long work is, only when asked; knows no work. Writes to standard error and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager


@contextmanager
def shown(
    progress: bool | Callable[[int], object],  # noqa: FBT001 - as `Memory.add_many` takes it
    verb: str,
    total: int | None = None,
) -> Generator[Callable[[int], object]]:
    """Yield what is to be told of each step: True draws a bar on standard error, a callable is called."""
    if callable(progress):
        yield progress
    elif not progress:
        yield lambda done: None
    else:
        from tqdm import tqdm

        with tqdm(total=total, desc=verb, unit="", leave=False) as bar:
            yield bar.update
