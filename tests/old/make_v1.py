"""Makes v1.db beside this file: a store of schema 1 with a past, for tests that open it with newer code.

Run once, on purpose: `PYTHONPATH=src python tests/old/make_v1.py`. The file is committed and never made again; when
schema 1 can't be written by newer code any more, this script stays as the record of what is in it.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from simonides.clock import FrozenClock
from simonides.ledger import Code, Ledger, Lexical
from simonides.settings import Settings
from simonides.types import Add, Connect, Retire, Scope, Source, Supersede

PATH = Path(__file__).with_name("v1.db")
OSLO, CAT, TEA, LINK = (f"0195000000007000800000000000000{digit}" for digit in "1234")


def main() -> None:
    """Write the store, then take back what schema 2 added."""
    PATH.unlink(missing_ok=True)
    clock = FrozenClock(datetime(2025, 3, 1, 12, tzinfo=UTC))
    ledger = Ledger(PATH, clock=clock, settings=Settings(), analyse=lambda text: Lexical(text.encode(), b""))
    scope = Scope(user="ann", session="s1")
    ledger.apply(
        [
            Add(
                OSLO, "Ann lives in Oslo", clock.now(), scope=scope, speaker="Ann", metadata={"topic": "home"}
            ),
            Add(CAT, "The cat is called Miro", clock.now(), kind="fact", source=Source("notes.md")),
            Add(TEA, "Ann drinks tea", clock.now(), scope=scope, zone="Europe/Oslo"),
            Connect(LINK, OSLO, CAT, "same household", clock.now()),
        ],
        actor="make_v1",
    )
    ledger.put_codes(ledger.model_id({"name": "old"}, create=True), [Code(1, b"p", b"s", b"t")])
    clock.advance(days=30)
    ledger.apply([Supersede(OSLO, "Ann lives in Rome", at=clock.now(), reason="moved")])
    ledger.apply([Retire(TEA, clock.now(), reason="coffee now")])
    ledger.close()
    with closing(sqlite3.connect(PATH, isolation_level=None)) as connection:
        connection.execute("DROP INDEX event_subject")
        connection.execute("PRAGMA user_version = 1")
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("VACUUM")


if __name__ == "__main__":
    main()
