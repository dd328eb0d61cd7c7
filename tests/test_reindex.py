"""The model of a store can be changed while it is used; what is derived can be lost, and made again from the texts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from backends import Place, for_memory, here
from simonides.clock import FrozenClock
from simonides.errors import Conflict, InputError, ModelMismatch, StoreError
from simonides.memory import Memory
from simonides.parts.embed import States
from simonides.parts.scripted import HashReader
from simonides.pool import Serial
from simonides.settings import Settings

pytestmark = pytest.mark.usefixtures("place")
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
QUIET = Settings(synchronous="normal", gate=0.0, background=False, fusion="hand")
MANY = 150


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(NOW)


def old() -> HashReader:
    return HashReader(dimension=32)


class New(HashReader):
    """The other model; can be told what to do before it reads."""

    def __init__(self, before: Callable[[int], object] = lambda read: None, *, name: str = "new") -> None:
        super().__init__(dimension=64, name=name)
        self.before = before

    def read(self, texts: Sequence[tuple[str, str]]) -> list[States]:
        self.before(self.texts_read)
        return super().read(texts)

    def ask(self, question: str) -> States:
        """Read a question, without ado."""
        return HashReader.read(self, [("", question)])[0]


def opened(tmp_path: Path, clock: FrozenClock, reader: HashReader, count: int = 0) -> Memory:
    memory = Memory(here(tmp_path / "m.db"), **for_memory(), embedder=reader, settings=QUIET, clock=clock)
    if count:
        memory.add_many([{"text": f"the river number{n} is wide"} for n in range(count)], wait=True)
    return memory


def full(memory: Memory, query: str = "river number7") -> bool:
    """Tell whether the full tier took part in the best answer; a scripted reader gives pooled vectors only."""
    recall = memory._enricher.recall()
    memory.search(query)
    return recall._index.vectors is not None


def models(memory: Memory) -> set[str]:
    """Return the names of the models that there are codes of."""
    with memory.ledger.database.reading() as connection:
        query = "SELECT DISTINCT m.identity FROM pooled p JOIN model m ON m.model = p.model"
        return {row[0].split('"name":"')[1].split('"')[0] for row in connection.execute(query).fetchall()}


# Another model


def test_the_old_codes_answer_until_the_new_ones_are_complete(tmp_path: Path, clock: FrozenClock) -> None:
    seen: list[tuple[set[str], str | None]] = []
    with opened(tmp_path, clock, old(), MANY) as other, opened(tmp_path, clock, old()) as memory:

        def look(read: int) -> None:
            assert other.search("number7")[0].memory.text == "the river number7 is wide"
            assert full(other)
            seen.append((models(other), other.ledger.model_identity()))

        told: list[int] = []
        assert memory.reindex(New(look), progress=told.append) == MANY
        assert sum(told) == MANY
        assert {"hash"} in [names for names, _ in seen]
        assert {"hash", "new"} in [names for names, _ in seen]
        assert all(identity is not None and '"hash"' in identity for _, identity in seen)
        assert models(memory) == {"new"}, "the old codes are gone"
        assert '"new"' in str(memory.ledger.model_identity())
        assert memory.search("number7")[0].memory.text == "the river number7 is wide"
        assert full(memory)
        assert memory.ledger.jobs.find() == []
        assert not [finding for finding in memory.doctor() if not finding.ok]


def test_what_is_added_meanwhile_gets_both_kinds_of_codes(tmp_path: Path, clock: FrozenClock) -> None:
    with opened(tmp_path, clock, old(), MANY) as other, opened(tmp_path, clock, old()) as memory:

        def write(read: int) -> None:
            if read < MANY:
                added = other.add(f"the bridge{read} is new", wait=True)
                assert added.state == "enriched", "with the codes that are served"
                other.add(f"the boat{read} is old")
            elif other.status().memories < 2000:  # nobody waits for the last ones
                other.add("the last ladder")

        memory.reindex(New(write))
        late = memory.status().backlog
        assert late <= 2, "hardly any are left to the backlog"
        assert memory.wait() == 0
        versions = memory.status().versions
        with memory.ledger.database.reading() as connection:
            assert connection.execute("SELECT count(*) FROM pooled").fetchone()[0] == versions
        assert memory.search("bridge64")[0].memory.text == "the bridge64 is new"
        assert not [finding for finding in memory.doctor() if not finding.ok]


def test_stopped_in_the_middle_it_goes_on(tmp_path: Path, clock: FrozenClock) -> None:
    def stop(read: int) -> None:
        if read >= 64:
            raise KeyboardInterrupt

    with opened(tmp_path, clock, old(), MANY) as memory:
        with pytest.raises(KeyboardInterrupt):
            memory.reindex(New(stop))
        assert full(memory)
        assert '"hash"' in str(memory.ledger.model_identity())
        [job] = memory.ledger.jobs.find()
        assert (job.kind, job.worker, (job.payload or {})["name"]) == ("reindex", "", "new")
        assert not [finding for finding in memory.doctor() if not finding.ok]
        reader = New()
        estimate = memory.estimate_reindex(reader)
        assert (estimate.model, estimate.memories, estimate.done) == ("new", MANY - 64, 64)
        assert memory.reindex(New()) == MANY - 64
        assert models(memory) == {"new"}
        assert memory.reindex(New()) == 0


KILLED = """
import sys, time
from simonides.memory import Memory
from simonides.parts.scripted import HashReader
from simonides.settings import Settings

class New(HashReader):
    def read(self, texts):
        if self.texts_read >= 64:
            sys.stdout.write("halfway\\n")
            sys.stdout.flush()
            time.sleep(600)
        return super().read(texts)

memory = Memory(sys.argv[1], embedder=HashReader(dimension=32), settings=Settings(background=False))
memory.reindex(New(dimension=64, name="new"))
"""


@pytest.mark.only("sqlite")
def test_killed_in_the_middle_it_goes_on_at_once(tmp_path: Path) -> None:
    path = here(tmp_path / "m.db")
    with Memory(path, embedder=old(), settings=QUIET) as memory:
        memory.add_many([{"text": f"the river number{n} is wide"} for n in range(MANY)], wait=True)
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "halfway\n"
        with pytest.raises(Conflict, match="another process is at it"):
            memory.reindex(New())
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        assert memory.search("number7"), "the old index serves"
        assert memory.reindex(New()) == MANY - 64
        assert models(memory) == {"new"}


def test_an_estimate_writes_nothing(tmp_path: Path, clock: FrozenClock) -> None:
    with opened(tmp_path, clock, old(), MANY) as memory:
        before = memory.ledger.changed()
        estimate = memory.estimate_reindex(New())
        assert memory.ledger.changed() == before
        assert (estimate.memories, estimate.done, estimate.calls) == (MANY, 0, 0)
        assert estimate.seconds == pytest.approx(estimate.memories / estimate.per_second)
        assert 64 * MANY < estimate.bytes < 400 * MANY


def test_a_process_with_the_old_model_goes_on_without_mixing(tmp_path: Path, clock: FrozenClock) -> None:
    with opened(tmp_path, clock, old(), 20) as other, opened(tmp_path, clock, old()) as memory:
        assert full(other)
        memory.reindex(New())
        assert other.search("river number7", k=1)[0].memory.text == "the river number7 is wide"
        assert not full(other)
        assert "another model" in str(other.explain("river").reading["meaning"])
        receipt = other.add("the ladder is in the garage")
        with pytest.raises(ModelMismatch):
            other.wait()
        assert memory.wait() == 0
        assert other.status(receipt)[0].state == "enriched"
        assert other.search("ladder garage")[0].memory.text == "the ladder is in the garage"
        assert not [finding for finding in memory.doctor() if not finding.ok]
        assert [finding.name for finding in other.doctor() if not finding.ok] == ["full tier"]
        memory.reindex(old())
        assert full(other), "it has the model that is served now"
        assert "meaning" not in other.explain("river").reading


def test_a_store_whose_model_is_not_named_is_read_with_its_own(tmp_path: Path, clock: FrozenClock) -> None:
    path = here(tmp_path / "m.db")
    with Memory(path, **for_memory(), settings=QUIET, clock=clock) as automatic:
        automatic.add("the spare key is in the piano", wait=True)
        assert automatic.status().model == "minilm"
        assert full(automatic, "key")
        with Memory(path, **for_memory(), settings=QUIET, clock=clock) as memory:
            memory.reindex(old())
            assert memory.status().model == "hash"
            assert automatic.search("key piano")
            assert not full(automatic, "key"), "nothing here can open that model"
            memory.reindex("minilm", pool=Serial())
            assert memory.status().model == "minilm"
            assert memory.settings.model == "minilm"
            assert full(automatic, "key")
            assert automatic.search("where is what opens the door?", gate=False)
            assert automatic.wait() == 0
        with pytest.raises(InputError, match="one model"):
            automatic.reindex("auto")


def test_only_one_change_of_model_at_a_time(tmp_path: Path, clock: FrozenClock) -> None:
    def stop(read: int) -> None:
        if read >= 64:
            raise KeyboardInterrupt

    with opened(tmp_path, clock, old(), MANY) as memory:
        with pytest.raises(KeyboardInterrupt):
            memory.reindex(New(stop))
        with pytest.raises(Conflict, match=r"new are being made.*jobs drop"):
            memory.reindex(New(name="third"))
        [job] = memory.ledger.jobs.find()
        memory.ledger.jobs.drop([job.job])
        memory.reindex(New(name="third"))
        assert models(memory) == {"third"}, "what was given up is deleted too"


class Whimsical(New):
    """A model that never says the same twice."""

    def read(self, texts: Sequence[tuple[str, str]]) -> list[States]:
        made = super().read(texts)
        chance = np.random.default_rng(self.texts_read)
        return [States(one.tokens, one.states, chance.standard_normal(64).astype(np.float32)) for one in made]


def test_codes_that_do_not_hold_are_never_served(tmp_path: Path, clock: FrozenClock) -> None:
    with opened(tmp_path, clock, old(), MANY) as memory:
        with pytest.raises(StoreError, match="other codes for"):
            memory.reindex(Whimsical())
        assert '"hash"' in str(memory.ledger.model_identity())
        assert full(memory)


def test_vectors_of_another_size_than_announced_are_never_served(tmp_path: Path, clock: FrozenClock) -> None:
    class Short(New):
        def read(self, texts: Sequence[tuple[str, str]]) -> list[States]:
            return [States(one.tokens, one.states, one.pooled[:32]) for one in super().read(texts)]

    with opened(tmp_path, clock, old(), 10) as memory:
        with pytest.raises(StoreError, match="another size than it says"):
            memory.reindex(Short())
        assert models(memory) == {"hash"}
        assert full(memory)


def test_a_few_texts_that_it_cannot_read_do_not_stop_it(tmp_path: Path, clock: FrozenClock) -> None:
    class Picky(New):
        def read(self, texts: Sequence[tuple[str, str]]) -> list[States]:
            if any("number77 " in text for _, text in texts):
                raise ValueError("not that one")
            return super().read(texts)

    with opened(tmp_path, clock, old(), MANY) as memory:
        assert memory.reindex(Picky()) == MANY - 1
        assert memory.status().backlog == 1
        with pytest.raises(StoreError, match="not that one"):
            memory.wait()

    class Blind(New):
        def read(self, texts: Sequence[tuple[str, str]]) -> list[States]:
            if any("number7" in text for _, text in texts):
                raise ValueError("not those")
            return super().read(texts)

    with (
        opened(tmp_path, clock, New()) as memory,
        pytest.raises(StoreError, match=r"can't read .* not those"),
    ):
        memory.reindex(Blind(name="blind"))


# Damage

DAMAGE = {
    "DELETE FROM codes": "damaged codes",
    "DELETE FROM pooled": "without codes",
    "DELETE FROM lexical": "without words",
    "DELETE FROM job": "without codes",
    "UPDATE pooled SET vector = substr(vector, 1, 7)": "damaged codes",
    "UPDATE lexical SET words = substr(words, 1, 3)": "damaged words",
    "UPDATE lexical SET tokens = substr(words, 1, 3)": "damaged words",
}


@pytest.mark.parametrize("statement", DAMAGE)
def test_damage_by_hand_is_told_and_mended(
    place: Place, tmp_path: Path, clock: FrozenClock, statement: str
) -> None:
    with opened(tmp_path, clock, old(), 30) as memory:
        memory.add("the last one is not read yet")
    place.run(here(tmp_path / "m.db"), statement)
    with opened(tmp_path, clock, old()) as memory:
        assert len(memory.list()) == 31, "text is always readable"
        assert memory.verify().ok
        red = {finding.name: finding for finding in memory.doctor() if not finding.ok}
        assert DAMAGE[statement] in red["derived"].detail
        if "lexical" not in statement:
            assert memory.search("number7")[0].memory.text == "the river number7 is wide"
        assert memory.reindex(missing=True) > 0
        assert not [finding for finding in memory.doctor() if not finding.ok]
        assert memory.search("number7")[0].memory.text == "the river number7 is wide"
        assert memory.reindex(missing=True) == 0


def test_noise_of_the_right_size_is_mended_by_making_all_anew(
    place: Place, tmp_path: Path, clock: FrozenClock
) -> None:
    with opened(tmp_path, clock, old(), 30) as memory:
        assert memory.search("number7")
    noise = "x" * 36
    place.run(here(tmp_path / "m.db"), f"UPDATE pooled SET vector = CAST('{noise}' AS {blob(place)})")
    with opened(tmp_path, clock, old()) as memory:
        assert memory.search("number7")[0].memory.text == "the river number7 is wide", "words find it"
        assert memory.reindex() == 30
        assert memory.search("number7")[0].memory.text == "the river number7 is wide"
        with memory.ledger.database.reading() as connection:
            vectors = connection.execute("SELECT vector FROM pooled").fetchall()
        assert noise.encode() not in {bytes(row[0]) for row in vectors}


def blob(place: Place) -> str:
    return "bytea" if place.backend == "postgresql" else "BLOB"
