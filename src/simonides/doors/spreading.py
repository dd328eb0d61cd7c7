"""The options by which a command spreads its work: `--processes`, `--ray`; knows no command and no work."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from simonides.pool import Pool

R = TypeVar("R")

ADDRESS = "RAY_ADDRESS"
"""The variable by which Ray's own tools are told where the cluster is; without it, it is a Ray on this machine."""


@dataclass(frozen=True, slots=True)
class Workers:
    """Who works: so many processes of this machine, or a Ray.

    Attributes:
        processes: 0 where it was not said.
        ray: its address, empty for none.
    """

    processes: int = 0
    ray: str = ""

    @property
    def many(self) -> bool:
        """Whether work is spread at all."""
        return bool(self.ray) or self.processes > 1

    @property
    def said(self) -> list[str]:
        """The options that mean the same; a cluster's address is nobody else's business."""
        given = [f"--processes {self.processes}"] if self.processes else []
        return given + ["--ray"] * bool(self.ray)

    @contextmanager
    def pool(self) -> Generator[Pool | None]:
        """Give the pool, None where this process works alone; end the workers afterwards, whatever happens.

        Raises:
            ModelMissing: Ray is asked for and not installed.
            StoreError: no cluster answers at the address.
        """
        if not self.many:
            yield None
            return
        pool = self._open()
        try:
            yield pool
        finally:
            pool.close()

    def _open(self) -> Pool:
        if self.ray:
            from simonides.cluster import RayPool

            return RayPool(self.ray, self.processes or None)
        from simonides.pool import LocalProcesses

        return LocalProcesses(self.processes)


def usual_address() -> str:
    """Return where Ray is when nobody says it."""
    return os.environ.get(ADDRESS) or "local"


def spreading(function: Callable[..., R]) -> Callable[..., R]:
    """Give a command the options that say who works, as one argument `workers`."""

    @functools.wraps(function)
    def call(*args: Any, processes: int | None, ray: bool, ray_address: str | None, **rest: Any) -> R:
        wanted = ray or ray_address is not None
        address = (ray_address or usual_address()) if wanted else ""
        return function(*args, workers=Workers(processes or 0, address), **rest)

    for option in reversed(_OPTIONS):
        call = option(call)
    return call


_OPTIONS = (
    click.option(
        "--processes", type=click.IntRange(min=1), metavar="N",
        help="Work in so many processes; with --ray, in so many workers of the cluster.",
    ),
    click.option("--ray", is_flag=True, help="Work on Ray: the cluster of RAY_ADDRESS, else a Ray on this machine."),
    click.option("--ray-address", metavar="ADDRESS", help="Work on the Ray at host:port; `auto`, `local`."),
)  # fmt: skip
