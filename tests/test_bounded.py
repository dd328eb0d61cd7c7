"""A store within a scope: nothing of others is found, changed, linked or erased, whatever a caller says."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simonides.bounded import RIGHTS, Bounded
from simonides.errors import Forbidden, InputError, NotFound
from simonides.memory import Memory
from simonides.settings import Settings
from simonides.types import Scope

ANA, BEN = "I moved from Berlin to Lisbon.", "I moved from Oslo to Porto."


@pytest.fixture
def memory() -> Iterator[Memory]:
    with Memory(":memory:", settings=Settings(meaning="instant")) as memory:
        memory.add(ANA, user="ana", project="home")
        memory.add(BEN, user="ben", project="home")
        yield memory


def of(memory: Memory, user: str, *rights: str) -> Bounded:
    return Bounded(memory, Scope(user=user), rights or RIGHTS, actor=user)


def only(memory: Memory, user: str) -> str:
    return next(one.id for one in memory.list(user=user))


def test_searching_and_listing_see_the_scope_alone(memory: Memory) -> None:
    ana = of(memory, "ana")
    assert [hit.memory.text for hit in ana.search("where did I move to?")] == [ANA]
    assert [one.text for one in ana.list()] == [ANA]
    assert ana.explain("where did I move to?").considered == 1
    assert BEN not in str(ana.context("where did I move to?"))
    assert [one.text for one in ana.list(project="home")] == [ANA]


def test_what_is_written_gets_the_scope(memory: Memory) -> None:
    ana = of(memory, "ana")
    assert memory.get(ana.add("I like tea.").id).scope == Scope(user="ana")
    many = ana.add_many([{"text": "I like jam."}, {"text": "I like rye.", "user": "ana"}])
    assert {memory.get(id).scope.user for id in many.ids} == {"ana"}
    with pytest.raises(Forbidden):
        ana.add_many([{"text": "I like jam.", "user": "ben"}])


@pytest.mark.parametrize(
    "act",
    [
        lambda b, other, own: b.get(other),
        lambda b, other, own: b.history(other),
        lambda b, other, own: b.update(other, "changed"),
        lambda b, other, own: b.retire(other),
        lambda b, other, own: b.restore(other),
        lambda b, other, own: b.expire(other),
        lambda b, other, own: b.links(other),
        lambda b, other, own: b.neighbours(other),
        lambda b, other, own: b.link(own, other, "knows"),
        lambda b, other, own: b.link(other, own, "knows"),
        lambda b, other, own: b.erase(other),
        lambda b, other, own: b.erase([own, other]),
        lambda b, other, own: b.progress([other]),
        lambda b, other, own: b.log(subject=other),
    ],
)  # fmt: skip
def test_what_others_own_does_not_exist(memory: Memory, act: Callable[[Bounded, str, str], object]) -> None:
    ana, theirs, own = of(memory, "ana"), only(memory, "ben"), only(memory, "ana")
    before = [*memory.dump()]
    with pytest.raises(NotFound) as theirs_error:
        act(ana, theirs, own)
    with pytest.raises(NotFound) as nobodys_error:
        act(ana, "0" * 32, own)
    assert str(theirs_error.value).replace(theirs, "") == str(nobodys_error.value).replace("0" * 32, "")
    assert [*memory.dump()] == before, "nothing was written"


def test_undo_and_unlink_keep_to_the_scope(memory: Memory) -> None:
    ana, theirs = of(memory, "ana"), only(memory, "ben")
    event = memory.log(subject=theirs)[0].seq
    link = memory.link(theirs, only(memory, "ana"), "knows").id
    with pytest.raises(NotFound):
        ana.undo(event)
    with pytest.raises(NotFound):
        ana.unlink(link)
    assert ana.links() == []
    own = ana.update(only(memory, "ana"), "I moved to Faro.")
    ana.undo(own.seqs[0])
    assert [one.text for one in ana.list()] == [ANA]


def test_neighbours_are_reached_within_the_scope_only(memory: Memory) -> None:
    ana = of(memory, "ana")
    first, third, theirs = only(memory, "ana"), ana.add("I like tea.").id, only(memory, "ben")
    memory.link(first, theirs, "near")
    memory.link(theirs, third, "near")
    assert ana.neighbours(first, 3) == {}
    middle = ana.add("I like jam.").id
    ana.link(first, middle, "near")
    ana.link(middle, third, "near")
    assert ana.neighbours(first, 1) == {middle: 1}
    assert ana.neighbours(first, 2) == {middle: 1, third: 2}


def test_erasing_by_what_is_said_takes_the_scope_along(memory: Memory) -> None:
    gone = of(memory, "ana").erase(subject="moved")
    assert [one.text for one in memory.list()] == [BEN]
    assert len(gone.ids) == 1


@pytest.mark.parametrize(
    ("right", "act"),
    [
        ("read", lambda b: b.search("moved")),
        ("read", lambda b: b.list()),
        ("write", lambda b: b.add("more")),
        ("write", lambda b: b.retire("0" * 32)),
        ("write", lambda b: b.undo(1)),
        ("erase", lambda b: b.erase(subject="moved")),
        ("admin", lambda b: b.status()),
        ("admin", lambda b: b.doctor()),
        ("admin", lambda b: b.log()),
    ],
)  # fmt: skip
def test_each_act_needs_its_right(memory: Memory, right: str, act: Callable[[Bounded], object]) -> None:
    without = of(memory, "ana", *(each for each in RIGHTS if each != right))
    with pytest.raises(Forbidden, match=right):
        act(without)


def test_expiring_into_nothing_needs_the_right_to_erase(memory: Memory) -> None:
    own = only(memory, "ana")
    with pytest.raises(Forbidden, match="erase"):
        of(memory, "ana", "read", "write").expire(own, action="erase")


def test_the_whole_is_for_who_is_not_bound(memory: Memory) -> None:
    with pytest.raises(Forbidden, match="whole"):
        of(memory, "ana").log()
    with pytest.raises(Forbidden, match="whole"):
        of(memory, "ana").apply([])
    assert len(Bounded(memory).log()) == 2


def test_unknown_rights_are_refused(memory: Memory) -> None:
    with pytest.raises(InputError, match="fly"):
        Bounded(memory, rights=("read", "fly"))


def test_the_log_names_who_acted(memory: Memory) -> None:
    ana = of(memory, "ana")
    assert memory.log(subject=ana.add("I like tea.").id)[0].actor == "ana"
    assert memory.actor == ""


@given(
    said=st.lists(st.sampled_from(["user", "agent", "session", "project"]), unique=True),
    value=st.sampled_from(["ana", "ben", ""]),
)
def test_no_argument_widens_the_scope(said: list[str], value: str) -> None:
    with Memory(":memory:", settings=Settings(meaning="off")) as memory:
        for user in ("ana", "ben", ""):
            memory.add(
                f"the bicycle of {user or 'nobody'}", user=user, agent=user, session=user, project=user
            )
        ana = of(memory, "ana")
        fields = dict.fromkeys(said, value)
        try:
            found = ana.list(**fields)  # pyright: ignore[reportArgumentType] - names drawn from the scope's own
            hits = ana.search("bicycle", gate=False, **fields)  # pyright: ignore[reportArgumentType] - the same
        except Forbidden:
            assert "user" in said
            assert value != "ana"
        else:
            assert {one.scope.user for one in [*found, *(hit.memory for hit in hits)]} <= {"ana"}
