"""The pool that works on Ray: a cluster by its address, or a Ray of its own on this machine; knows no work.

Ray is imported when a pool is made, and never before. A Ray that this module starts reports nothing to anybody, keeps
its files in a folder of its own, and ends with this process. It holds the items that are on their way in shared
memory, and on disk when that is full; both are gone when it is closed.
"""

from __future__ import annotations

import logging
import shutil
import socket
import tempfile
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from simonides.errors import ModelMissing, StoreError
from simonides.pool import TRIES, Job, Window, lost, processors, work

if TYPE_CHECKING:
    import ray

R = TypeVar("R")

_ANSWER_SECONDS = 5.0
LOCAL = "local"
"""The address of a Ray of one's own, on this machine."""


class RayPool(Window["ray.ObjectRef"]):
    """The processors of a Ray cluster. One Ray a process: a pool takes the Ray that runs, and leaves it running.

    The machines of a cluster need the same simonides installed, and what a model of your own choice needs.

    Args:
        address: ``host:port`` or ``ray://host:port`` of a cluster, ``auto`` for the one on this machine, ``local`` for
            a Ray of one's own.
        workers: how many chunks at once; None is one for each processor of the cluster.

    Raises:
        ModelMissing: Ray is not installed.
        StoreError: no cluster answers at that address, or it doesn't take this program.
    """

    def __init__(self, address: str = LOCAL, workers: int | None = None) -> None:
        self._ray = _library()
        self._folder: str | None = None
        self._owner = not self._ray.is_initialized()
        if self._owner:
            self._connect(address, workers)
        self._remote = self._ray.remote(num_cpus=1, max_retries=TRIES - 1)(work)
        self._workers = workers or max(1, int(self._ray.cluster_resources().get("CPU", 1)))

    @property
    def workers(self) -> int:
        """How many chunks are worked on at once."""
        return self._workers

    def start(self, function: Callable[[Any], R], first: int, items: Sequence[Any]) -> ray.ObjectRef:
        """Give a chunk to the cluster."""
        return self._remote.remote(function, first, items)

    def finish(self, function: Callable[[Any], R], waiting: deque[Job[ray.ObjectRef]]) -> Sequence[R]:
        """Wait for the first job; Ray has given its chunk out again when a worker died."""
        job, errors = waiting[0], self._ray.exceptions
        try:
            return self._ray.get(job.handle)
        except errors.RayTaskError as err:
            if isinstance(err.cause, Exception):
                raise err.cause from err
            raise
        except (errors.WorkerCrashedError, errors.OutOfMemoryError, errors.NodeDiedError) as err:
            raise lost(job.first, job.items) from err

    def drop(self, handle: ray.ObjectRef) -> None:
        """Forget a chunk; one that is being worked on is stopped."""
        self._ray.cancel(handle, force=True)

    def close(self) -> None:
        """Leave the cluster; a Ray that this pool started ends."""
        owner, self._owner = self._owner, False
        folder, self._folder = self._folder, None
        if owner:
            self._ray.shutdown()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    def __enter__(self) -> RayPool:
        """Return the pool."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def _connect(self, address: str, workers: int | None) -> None:
        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
        if address != LOCAL:
            _require_open(address)
            try:
                self._ray.init(address=address, **quiet)
            except (ConnectionError, ValueError, RuntimeError, TimeoutError) as err:
                way_out = f"Look whether it runs: ray status --address {address}."
                raise StoreError(f"Ray at {address}", "can't be joined", str(err), way_out) from err
            return
        try:
            self._start(workers, quiet)
        except (RuntimeError, TimeoutError):  # a busy machine: its server was not there in time
            try:
                self._start(workers, quiet)
            except (RuntimeError, TimeoutError) as err:
                way_out = "Try again when the machine is less busy, or use --processes."
                raise StoreError("Ray", "did not start", str(err), way_out) from err

    def _start(self, workers: int | None, quiet: dict[str, Any]) -> None:
        self._owner = True
        self._folder = tempfile.mkdtemp(prefix="ray-")
        try:
            self._ray.init(
                address=LOCAL,
                num_cpus=workers or processors(),
                include_dashboard=False,
                _node_ip_address="127.0.0.1",
                _temp_dir=self._folder,
                **quiet,
            )
        except BaseException:  # Ctrl-C too: what was started must not stay behind
            self.close()
            raise


def _require_open(address: str) -> None:
    """Refuse an address where nobody listens: Ray itself would try for many minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_ANSWER_SECONDS).close()
    except OSError as err:
        way_out = "Check the address, and that the cluster runs."
        raise StoreError(f"Ray at {address}", "can't be reached", str(err), way_out) from err


def _library() -> Any:
    """Return Ray, told to report nothing to its makers; that is Ray's own switch, which a cluster may have set too."""
    try:
        import ray
        from ray._common.usage import usage_lib
    except ImportError as err:
        raise ModelMissing("Ray", "is not installed", "", "pip install 'simonides[ray]'.") from err
    usage_lib.set_usage_stats_enabled_via_env_var(False)
    return ray
