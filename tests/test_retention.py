"""What has expired is shown by nothing but its history, at once; upkeep retires or erases it, as was said."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from backends import for_memory, here
from simonides import FrozenClock, Memory, Settings
from simonides.errors import InputError, NotFound, SimonidesError, TimeError, UnknownName
from simonides.types import Rule, Scope

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
QUICK = Settings(meaning="instant", busy_seconds=20)
pytestmark = pytest.mark.usefixtures("place")


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(NOW)


@pytest.fixture
def memory(clock: FrozenClock) -> Iterator[Memory]:
    with Memory(here("memory.db"), clock=clock, settings=QUICK, **for_memory()) as opened:
        yield opened


def shown(memory: Memory) -> set[str]:
    """Return the texts that list, search, context, explain and get agree on."""
    listed = {one.text for one in memory.list()}
    found = {hit.memory.text for hit in memory.search("tea", gate=False)}
    explained = memory.explain("tea", gate=False)
    named = {one.memory.text for one in (*explained.hits, *explained.dropped)}
    packed = {text for text in listed | found | named if text in memory.context("tea", gate=False).text}
    assert listed == found == named == packed
    return listed


def test_an_end_hides_at_once_and_history_shows_it_still(memory: Memory, clock: FrozenClock) -> None:
    one = memory.add("tea with milk", ttl=DAY).id
    memory.add("tea with lemon", expires=NOW + 2 * DAY)
    memory.add("tea without anything")
    assert len(shown(memory)) == 3
    clock.advance(days=1)
    assert shown(memory) == {"tea with lemon", "tea without anything"}
    with pytest.raises(NotFound, match=f"memory {one}: has expired"):
        memory.get(one)
    with pytest.raises(NotFound, match="has expired"):
        memory.get(one, as_of=NOW)
    assert [version.text for version in memory.history(one)] == ["tea with milk"]
    clock.advance(days=1)
    assert shown(memory) == {"tea without anything"}


def test_upkeep_retires_at_the_end_and_again_does_nothing(memory: Memory, clock: FrozenClock) -> None:
    one = memory.add("tea with milk", ttl=DAY).id
    memory.add("tea")
    clock.advance(days=3)
    planned = memory.upkeep(plan=True)
    assert (planned.state, planned.retired, planned.erasure) == ("planned", (one,), None)
    done = memory.upkeep()
    assert (done.state, done.retired, done.erasure) == ("done", (one,), None)
    again = memory.upkeep()
    assert (again.retired, again.erasure, again.finished) == ((), None, ())
    assert memory.history(one)[-1].valid.end == NOW + DAY
    assert memory.history(one)[-1].reason == "expired"
    assert memory.get(one, as_of=NOW).text == "tea with milk"
    with pytest.raises(NotFound, match="has ended"):
        memory.get(one)
    memory.restore(one)
    assert shown(memory) == {"tea with milk", "tea"}
    assert memory.verify().ok


def test_upkeep_can_be_undone(memory: Memory, clock: FrozenClock) -> None:
    one = memory.add("tea with milk", ttl=DAY).id
    clock.advance(days=1)
    memory.upkeep()
    memory.undo(memory.log(subject=one)[-1].seq)
    assert shown(memory) == {"tea with milk"}


def test_upkeep_erases_where_that_was_said(memory: Memory, clock: FrozenClock) -> None:
    one = memory.add("tea with milk", ttl=DAY, on_expiry="erase").id
    memory.add("tea")
    clock.advance(days=1)
    planned = memory.upkeep(plan=True)
    assert planned.erasure is not None
    assert (planned.erasure.state, planned.erasure.ids) == ("planned", (one,))
    assert memory.history(one)
    done = memory.upkeep()
    assert done.erasure is not None
    assert (done.erasure.ids, done.erasure.reason, done.retired) == ((one,), "expired", ())
    assert memory.verify(done.erasure).ok
    with pytest.raises(NotFound):
        memory.history(one)
    assert memory.upkeep().erasure is None


def test_an_end_can_be_moved_and_taken_away(memory: Memory, clock: FrozenClock) -> None:
    one, two = memory.add("tea with milk", ttl=DAY).id, memory.add("tea").id
    memory.search("tea")
    memory.expire(one, NOW + 3 * DAY)
    memory.expire(two, ttl=2 * DAY, action="erase")
    clock.advance(days=2)
    assert shown(memory) == {"tea with milk"}
    memory.expire(two)
    memory.expire(one)
    clock.advance(days=9)
    assert shown(memory) == {"tea with milk", "tea"}
    assert memory.upkeep().retired == ()
    assert [event.verb for event in memory.log(subject=two)] == ["add", "expire", "expire"]


def test_a_changed_memory_keeps_its_end(memory: Memory, clock: FrozenClock) -> None:
    one = memory.add("tea with milk", ttl=DAY).id
    memory.search("tea")
    memory.update(one, "tea with oat milk")
    assert shown(memory) == {"tea with oat milk"}
    clock.advance(days=1)
    assert shown(memory) == set()


def test_another_process_hears_of_it(memory: Memory, clock: FrozenClock) -> None:
    one = memory.add("tea with milk").id
    with Memory(memory.path, clock=clock, settings=QUICK, **for_memory()) as other:
        assert shown(other) == {"tea with milk"}
        memory.expire(one, ttl=DAY)
        number = memory.retention(add=Rule(60, scope=Scope(user="ana")))[0].rule
        memory.add("tea of ana", user="ana")
        assert shown(other) == {"tea with milk", "tea of ana"}
        clock.advance(minutes=1)
        assert shown(other) == {"tea with milk"}
        clock.advance(days=1)
        assert shown(other) == set()
        memory.retention(drop=number)
        memory.expire(one)
        assert shown(other) == {"tea with milk", "tea of ana"}


@pytest.mark.parametrize(
    ("rule", "hidden"),
    [
        (Rule(3600), {"turn", "fact", "ana", "ana's fact"}),
        (Rule(3600, kind="fact"), {"fact", "ana's fact"}),
        (Rule(3600, scope=Scope(user="ana")), {"ana", "ana's fact"}),
        (Rule(3600, kind="fact", scope=Scope(user="ana")), {"ana's fact"}),
        (Rule(3600, scope=Scope(user="ana", project="none")), set()),
        (Rule(7200), set()),
    ],
)
@pytest.mark.parametrize("action", ["retire", "erase"])
def test_a_rule_is_about_a_kind_and_a_scope(
    memory: Memory, clock: FrozenClock, rule: Rule, hidden: set[str], action: str
) -> None:
    ids = {
        "turn": memory.add("tea, said").id,
        "fact": memory.add("tea, a fact", kind="fact").id,
        "ana": memory.add("tea, ana", user="ana").id,
        "ana's fact": memory.add("tea, a fact of ana", user="ana", kind="fact").id,
    }
    (made,) = memory.retention(add=Rule(rule.seconds, action, rule.kind, rule.scope, "tidy"))
    assert (made.rule, made.created, made.reason) == (1, NOW, "tidy")
    clock.advance(hours=1)
    gone = {memory.history(ids[name])[0].text for name in hidden}
    everything = {memory.history(id)[0].text for id in ids.values()}
    assert shown(memory) == everything - gone
    done = memory.upkeep()
    ended = set(done.retired) if action == "retire" else set(done.erasure.ids if done.erasure else ())
    assert ended == {ids[name] for name in hidden}
    if action == "retire" and hidden:
        assert memory.history(next(iter(ended)))[-1].reason == "rule 1: tidy"
    assert shown(memory) == everything - gone
    assert memory.verify().ok


def test_age_counts_from_the_first_version(memory: Memory, clock: FrozenClock) -> None:
    one = memory.add("tea with milk", at=NOW - 9 * DAY).id
    memory.retention(add=Rule(86_400))
    assert shown(memory) == {"tea with milk"}  # said long ago, but written just now
    clock.advance(hours=23)
    memory.update(one, "tea with oat milk")
    clock.advance(hours=1)
    assert shown(memory) == set()
    with Memory(memory.path, clock=clock, settings=QUICK, **for_memory()) as fresh:
        assert shown(fresh) == set()


def test_the_earliest_end_counts_and_erasing_before_retiring(memory: Memory, clock: FrozenClock) -> None:
    one = memory.add("tea with milk", ttl=timedelta(hours=5)).id
    memory.retention(add=Rule(3600))
    memory.retention(add=Rule(7200, action="erase"))
    clock.advance(hours=1)
    assert shown(memory) == set()
    clock.advance(hours=1)
    done = memory.upkeep()
    assert done.retired == ()
    assert done.erasure is not None
    assert done.erasure.ids == (one,)
    assert done.erasure.reason == "rule 2"


def test_rules_are_in_the_log_without_names(memory: Memory) -> None:
    memory.retention(add=Rule(60, "erase", "turn", Scope(user="ana", session="s"), "policy 7"))
    memory.retention(add=Rule(90))
    assert [(rule.rule, rule.seconds, rule.scope.user) for rule in memory.retention()] == [
        (1, 60, "ana"),
        (2, 90, ""),
    ]
    assert [rule.rule for rule in memory.retention(drop=1)] == [2]
    assert [rule.rule for rule in memory.retention(add=Rule(70))] == [2, 4]
    made = memory.log()[0]
    assert made.payload is not None
    assert made.verb == "rule"
    assert {
        "rule": 1,
        "kind": "turn",
        "scoped": ["user", "session"],
        "seconds": 60,
        "action": "erase",
    }.items() <= (made.payload.items())
    assert "ana" not in str(made.payload)
    assert [event.verb for event in memory.log()] == ["rule", "rule", "unrule", "rule"]
    assert memory.verify().ok


def test_an_export_carries_ends_and_rules(memory: Memory, clock: FrozenClock) -> None:
    one = memory.add("tea with milk", ttl=DAY, on_expiry="erase").id
    two = memory.add("tea with lemon", ttl=DAY).id
    memory.expire(two)
    memory.retention(add=Rule(86_400 * 7, kind="fact", scope=Scope(user="ana")))
    memory.add("tea of ana", kind="fact", user="ana")
    records = [*memory.dump()]
    with Memory(here("copy.db"), clock=clock, settings=QUICK, **for_memory()) as copy:
        copy.undump(records)
        assert [*copy.dump()] == records
        clock.advance(days=1)
        assert shown(copy) == {"tea with lemon", "tea of ana"}
        clock.advance(days=6)
        assert shown(copy) == {"tea with lemon"}
        assert copy.retention() == memory.retention()
        assert copy.retention(add=Rule(60))[-1].rule == 2
    with Memory(here("other.db"), clock=clock, settings=QUICK, **for_memory()) as other:
        other.add("something")
        other.undump(records)
        assert other.retention() == []  # the rules of another store are not ours
        done = other.upkeep()
        assert done.erasure is not None
        assert done.erasure.ids == (one,)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"ttl": -DAY}, TimeError, "expires: must be later than now"),
        ({"expires": NOW}, TimeError, "expires: must be later than now"),
        ({"expires": datetime(2027, 1, 1)}, TimeError, "must carry a time zone"),  # noqa: DTZ001 - that is the point
        ({"ttl": DAY, "expires": NOW + DAY}, InputError, "must not be given together"),
        ({"ttl": 30}, InputError, "must be a timedelta"),
        ({"ttl": timedelta.max}, TimeError, "longer than time"),
        ({"ttl": DAY, "on_expiry": "burn"}, UnknownName, "on_expiry: unknown name"),
    ],
)
def test_an_end_that_cannot_be_is_refused(
    memory: Memory, given: dict[str, object], error: type[SimonidesError], message: str
) -> None:
    with pytest.raises(error, match=message):
        memory.add("tea", **given)  # pyright: ignore[reportArgumentType] - some are wrong on purpose
    assert memory.list() == []


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (Rule(0), "seconds: must be a whole number, at least 1"),
        (Rule(10**12), "seconds: must be at most"),
        (Rule(60, action="burn"), "action: unknown name"),
        (Rule(60, kind="tweet"), "kind: unknown name"),
        (Rule(60, scope=Scope(user="\0")), "user: must not hold a NUL"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(memory: Memory, rule: Rule, message: str) -> None:
    with pytest.raises(InputError, match=message):
        memory.retention(add=rule)
    assert memory.retention() == []


def test_what_is_not_there_is_not_found(memory: Memory) -> None:
    with pytest.raises(NotFound, match="no such memory"):
        memory.expire("0" * 32, ttl=DAY)
    with pytest.raises(NotFound, match="rule 9: no such rule"):
        memory.retention(drop=9)
