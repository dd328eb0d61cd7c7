"""Each model call that leaves the machine is in a book, and none leaves beyond the day's budget."""

from __future__ import annotations

import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from backends import for_memory, here
from simonides.clock import FrozenClock
from simonides.errors import BudgetSpent, ModelMissing
from simonides.ledger.calls import midnight
from simonides.memory import Memory
from simonides.parts.endpoint import Endpoint, Sent
from simonides.parts.scripted import HashReader
from simonides.settings import Settings

pytestmark = pytest.mark.usefixtures("place")
NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
BATCH = 64


@dataclass
class Service:
    """An embeddings endpoint that says how many tokens it read, and can be told to fail."""

    failures: int = 0
    says: bool = True
    asked: list[list[str]] = field(default_factory=list)


@contextmanager
def serving(state: Service) -> Generator[str]:
    reader = HashReader(64)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["input"]
            state.asked.append(given)
            if state.failures:
                state.failures -= 1
                self.answer(503, {})
                return
            rows = [
                {"index": i, "embedding": made.pooled.tolist()}
                for i, made in enumerate(reader.read([("", text) for text in given]))
            ]
            usage = {"usage": {"prompt_tokens": 10 * len(given)}} if state.says else {}
            self.answer(200, {"data": rows, **usage})

        def answer(self, status: int, body: dict[str, Any]) -> None:
            raw = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def settings(url: str, **more: Any) -> Settings:
    chosen = Settings(
        model="openai:small", endpoint=url, synchronous="normal", background=False, gate=0.0, fusion="hand"
    )
    return replace(chosen, **more)


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(NOON)


def test_every_call_is_in_the_book_with_what_it_cost(tmp_path: Path, clock: FrozenClock) -> None:
    state = Service()
    with serving(state) as url:
        chosen = settings(url, endpoint_price=2.0)
        with Memory(here(tmp_path / "m.db"), **for_memory(), settings=chosen, clock=clock) as memory:
            memory.add_many([{"text": f"river number {n}"} for n in range(BATCH + 6)], wait=True)
            memory.search("which river?")
            calls = memory.ledger.calls.find()
            assert [call.purpose for call in reversed(calls)] == ["dimension", "memory", "memory", "question"]
            assert [call.prompt_tokens for call in reversed(calls)] == [10, 10 * BATCH, 60, 10]
            assert {call.model for call in calls} == {"openai:small"}
            first, one, two, last = (call.job for call in reversed(calls))
            assert (first, last, (two or 0) - (one or 0)) == (None, None, BATCH)
            spent = memory.ledger.calls.today()
            assert (spent.calls, spent.failed, spent.prompt_tokens) == (4, 0, 720)
            assert spent.cost == pytest.approx(1.44)
            assert all(call.ok and call.seconds > 0 for call in calls)
            clock.advance(days=1)
            assert memory.ledger.calls.today().calls == 0
        with Memory(here(tmp_path / "m.db"), **for_memory(), settings=chosen, clock=clock) as memory:
            memory.search("which river?")
            assert memory.ledger.calls.today().calls == 1, "the dimension is known by now"


def test_a_request_that_is_repeated_counts_as_often_as_it_leaves(tmp_path: Path, clock: FrozenClock) -> None:
    state = Service()
    with serving(state) as url:
        with Memory(here(tmp_path / "m.db"), **for_memory(), settings=settings(url), clock=clock) as memory:
            memory.add("the river", wait=True)
            state.failures = 1
            memory.add("the secret bridge", wait=True)
            newest = memory.ledger.calls.find(limit=2)
            assert [(call.ok, call.detail) for call in newest] == [(True, ""), (False, "answered 503")]
            assert memory.ledger.calls.today().failed == 1
        assert "secret" not in str(newest)


def test_tokens_are_estimated_where_nobody_says(tmp_path: Path, clock: FrozenClock) -> None:
    with (
        serving(Service(says=False)) as url,
        Memory(here(tmp_path / "m.db"), **for_memory(), settings=settings(url), clock=clock) as memory,
    ):
        memory.add("x" * 400, wait=True)
        assert memory.ledger.calls.find(limit=1)[0].prompt_tokens == 101


def test_beyond_the_budget_work_waits_for_midnight_and_search_goes_on(
    tmp_path: Path, clock: FrozenClock
) -> None:
    state = Service()
    with serving(state) as url:
        chosen = settings(url, daily_calls=4)
        with Memory(here(tmp_path / "m.db"), **for_memory(), settings=chosen, clock=clock) as memory:
            memory.add("the spare key is in the piano", wait=True)  # asks for the dimension, and reads
            assert memory.search("spare key")
            memory.add("the boat is in the shed", wait=True)
            receipt = memory.add("the ladder is in the garage")
            with pytest.raises(BudgetSpent, match="4 calls of the setting daily_calls"):
                memory.wait()
            assert len(state.asked) == 4
            assert memory.status(receipt)[0].state == "stored", "waiting is not failing"
            assert memory.search("where is the ladder?")[0].memory.text == "the ladder is in the garage"
            assert len(state.asked) == 4
            assert "daily_calls" in str(memory.explain("where is the ladder?").reading["meaning"])
            [red] = [finding for finding in memory.doctor() if finding.name == "calls"]
            assert (red.ok, "instant tier" in red.detail) == (False, True)
            clock.set(datetime(2026, 3, 15, tzinfo=UTC))
            assert memory.wait() == 0
            assert memory.status(receipt)[0].state == "enriched"
            assert "meaning" not in memory.explain("where is the boat?").reading
            assert all(finding.ok for finding in memory.doctor())


def test_a_budget_that_ends_in_the_middle_of_a_batch_counts_no_attempt(
    tmp_path: Path, clock: FrozenClock
) -> None:
    state = Service()
    with (
        serving(state) as url,
        Memory(
            here(tmp_path / "m.db"), **for_memory(), settings=settings(url, daily_calls=2), clock=clock
        ) as memory,
    ):
        texts = ["a" * 60_000, "b" * 60_000, "c" * 60_000]  # more than one request holds
        memory.add_many([{"text": text} for text in texts * 3])
        with pytest.raises(BudgetSpent):
            memory.wait()
        jobs = memory.ledger.jobs.find()
        assert {(job.attempts, job.worker) for job in jobs} == {(0, "")}
        assert {job.due for job in jobs} == {memory.ledger.calls.tomorrow()}
        assert "daily_calls" in jobs[0].reason


def test_money_is_a_budget_too(tmp_path: Path, clock: FrozenClock) -> None:
    state = Service()
    with serving(state) as url:
        chosen = settings(url, daily_cost=0.05, endpoint_price=1.0)  # 50 tokens
        with Memory(here(tmp_path / "m.db"), **for_memory(), settings=chosen, clock=clock) as memory:
            memory.add("one", wait=True)
            memory.add("two", wait=True)
            memory.add("x" * 400)  # about 101 tokens
            with pytest.raises(BudgetSpent, match="daily_cost"):
                memory.wait()
            assert memory.ledger.calls.today().cost == pytest.approx(0.03)


def test_a_spent_budget_is_told_before_anything_is_known_of_the_endpoint(
    tmp_path: Path, clock: FrozenClock
) -> None:
    state = Service()
    with serving(state) as url:
        path, chosen = here(tmp_path / "m.db"), settings(url, daily_calls=1)
        with Memory(path, **for_memory(), settings=chosen, clock=clock) as memory:
            memory.add("the spare key is in the piano")
            state.failures = 9
            with pytest.raises(BudgetSpent):
                memory.wait()  # the first try fails, the second may not leave
            assert memory.search("spare key")[0].memory.text == "the spare key is in the piano"
            assert len(state.asked) == 1
            state.failures = 0
            clock.advance(days=1)
            assert memory.search("spare key")
            assert len(state.asked) == 2, "the next day the endpoint is asked again"


def test_many_failed_calls_turn_doctor_red(tmp_path: Path, clock: FrozenClock) -> None:
    state = Service()
    with (
        serving(state) as url,
        Memory(here(tmp_path / "m.db"), **for_memory(), settings=settings(url), clock=clock) as memory,
    ):
        memory.add("the river", wait=True)
        call = memory.ledger.calls.find(limit=1)[0]
        memory.ledger.calls.record([replace(call, ok=False, detail="does not answer")] * 6)
        assert all(finding.ok for finding in memory.doctor()), "eight calls say little"
        memory.ledger.calls.record([replace(call, ok=False, detail="does not answer")] * 6)
        [red] = [finding for finding in memory.doctor() if not finding.ok]
        assert (red.name, red.fix) == ("calls", "simonides jobs calls")


def test_local_models_are_no_calls(tmp_path: Path, clock: FrozenClock) -> None:
    with Memory(here(tmp_path / "m.db"), **for_memory(), clock=clock) as memory:
        memory.add("the spare key is in the piano", wait=True)
        memory.search("key")
        assert memory.ledger.calls.find() == []


def test_what_was_asked_in_the_background_is_entered_when_the_store_is_closed(
    tmp_path: Path, clock: FrozenClock
) -> None:
    with serving(Service()) as url:
        path, chosen = here(tmp_path / "m.db"), settings(url, background=True)
        with Memory(path, **for_memory(), settings=chosen, clock=clock) as memory:
            memory.add("the river", wait=True)
            memory.search("river")
        with Memory(path, **for_memory(), settings=chosen, clock=clock) as memory:
            assert "question" in {call.purpose for call in memory.ledger.calls.find()}


class Counting:
    """A meter that lets a few requests out."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.noted: list[Sent] = []

    def allow(self, sent: Sent) -> None:
        if len(self.noted) >= self.most:
            raise BudgetSpent("model calls", "are used up")

    def note(self, sent: Sent) -> None:
        self.noted.append(sent)


@pytest.mark.only("sqlite")
def test_an_endpoint_asks_its_meter_before_each_request() -> None:
    state, meter = Service(failures=2), Counting(most=2)
    with serving(state) as url:
        reader = Endpoint("small", url, sleep=lambda seconds: None, meter=meter)
        with pytest.raises(BudgetSpent):
            reader.read([("", "hello")])
        assert [(sent.purpose, sent.ok) for sent in meter.noted] == [("memory", False)] * 2
        assert len(state.asked) == 2
    gone, meter = "http://127.0.0.1:9/v1", Counting(most=99)
    with pytest.raises(ModelMissing):
        Endpoint("small", gone, sleep=lambda seconds: None, meter=meter).ask("hello")
    assert {sent.detail for sent in meter.noted} == {"does not answer"}


@pytest.mark.only("sqlite")
def test_days_begin_at_midnight_utc() -> None:
    assert midnight(86_400_000_000 * 3 + 5) == 86_400_000_000 * 3


def test_a_change_of_model_keeps_to_the_budget_and_goes_on_the_next_day(
    tmp_path: Path, clock: FrozenClock
) -> None:
    state = Service()
    with serving(state) as url:
        chosen = settings(url, model="auto", daily_calls=4, endpoint_price=2.0)
        with Memory(
            here(tmp_path / "m.db"), **for_memory(), embedder=HashReader(32), settings=chosen, clock=clock
        ) as memory:
            memory.add_many([{"text": f"river number{n}"} for n in range(200)], wait=True)
            with pytest.raises(BudgetSpent, match="daily_calls"):
                memory.reindex("openai:small")  # the dimension, and three batches of four
            [job] = memory.ledger.jobs.find()
            assert (job.kind, job.worker) == ("reindex", "")
            assert "daily_calls" in job.reason
            assert '"hash"' in str(memory.ledger.model_identity())
            clock.advance(days=1)
            estimate = memory.estimate_reindex("openai:small")
            assert (estimate.memories, estimate.done, estimate.calls) == (8, 192, 1)
            assert 0 < estimate.cost < 1
            clock.advance(days=1)
            assert memory.reindex("openai:small") == 8
            assert memory.status().model == "openai:small"
            assert {call.job for call in memory.ledger.calls.find() if call.purpose == "memory"} >= {job.job}
