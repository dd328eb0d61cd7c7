"""From what `serve` was told to a server that is ready to run; knows the flags, and no route."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simonides.doors.places import settings_from
from simonides.doors.rest.app import make_app
from simonides.doors.rest.config import MEBIBYTE, Config, Limits
from simonides.doors.rest.logs import Handler, Log
from simonides.doors.rest.server import owner_token, quieten, run, token_file
from simonides.doors.rest.stores import Stores

if TYPE_CHECKING:
    from simonides.doors.desk import Desk

Ready = Callable[[str], object]


def config_of(told: Mapping[str, Any]) -> Config:
    """Return how the server behaves."""
    limits = Limits(
        body_bytes=told["body_limit"] * MEBIBYTE, verb_seconds=told["timeout"], grace_seconds=told["grace"],
        rate=told["rate"], burst=told["burst"], threads=told["threads"],
    )  # fmt: skip
    same = ("host", "port", "certfile", "keyfile", "insecure", "open_metrics", "mem0", "ui")
    config = Config(
        **{name: told[name] for name in same}, hosts=told["hosts"], origins=told["origins"], limits=limits
    )
    config.require_safe()
    return replace(config, verify=_verifier(told)) if told["oidc_issuer"] else config


@contextmanager
def serving(desk: Desk, told: Mapping[str, Any]) -> Generator[tuple[Callable[[Ready], int], Path | None]]:
    """Give what runs the server, and the file of the owner's token (None where there is none).

    Raises:
        InputError: it must not be started like this.
    """
    config = config_of(told)
    file = _owner_file(desk, told)
    token = "" if file is None else owner_token(file)
    stores = Stores(
        desk.server or desk.place, config.limits, settings=settings_from(desk.settings), key=desk.key(),
        startup=token, verify=config.verify,
    )  # fmt: skip
    log = Log(sys.stderr)
    quieten(Handler(log))
    try:
        stores.open()
        app = make_app(stores, config, log=log)
        yield (lambda ready: run(app, config, ready)), file
    finally:
        stores.close()


def _owner_file(desk: Desk, told: Mapping[str, Any]) -> Path | None:
    """Return where the owner's token lies: beside the file; a server's stores have none, unless it is asked for."""
    if told["no_owner"]:
        return None
    if told["token_file"] is not None:
        return told["token_file"]
    if desk.server:
        return None
    place = desk.place
    if str(place) == ":memory:":
        from simonides.doors.places import user_path

        place = user_path()
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return token_file(place)


def _verifier(told: Mapping[str, Any]) -> Callable[[str], object]:
    from simonides.doors.rest.oidc import verifier

    return verifier(told)
