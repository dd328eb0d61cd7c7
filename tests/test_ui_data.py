"""What the page computes before it draws: windows of time, layouts, differences, HTML; properties, no browser."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

from hypothesis import given, settings
from hypothesis import strategies as st

from simonides.bounded import Bounded
from simonides.clock import Span
from simonides.doors.ui.difference import changes
from simonides.doors.ui.graph_data import MOST_NODES, grow, layout
from simonides.doors.ui.looks import Looks
from simonides.doors.ui.markup import el, join
from simonides.doors.ui.playground import chance, shares
from simonides.doors.ui.timeline_data import TICKS, Window, known, lanes, newest, reach, ticks
from simonides.memory import Memory
from simonides.settings import Settings
from simonides.types import Link, Scope
from simonides.types import Memory as Version

NOW = datetime(2026, 6, 1, tzinfo=UTC)
times = st.integers(0, 10**10).map(
    lambda seconds: datetime(1900, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)
spans = st.builds(
    lambda start, length: Span(start, None if length is None else start + timedelta(seconds=length)),
    times,
    st.none() | st.integers(0, 10**9),
)
memories = st.builds(
    lambda text, valid, recorded: Version("0" * 32, "turn", text, Scope(), valid, recorded),
    st.text(min_size=1, max_size=20),
    spans,
    spans,
)


class Reader(HTMLParser):
    """Reads HTML as a browser would: the texts and the attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.texts = ""
        self.values: list[str | None] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.values += [value for _, value in attrs]

    def handle_data(self, data: str) -> None:
        self.texts += data


plain = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=60)


@given(plain, plain)
def test_no_text_becomes_markup(text: str, value: str) -> None:
    reader = Reader()
    reader.feed(el("p", text, title=value))
    assert (reader.tags, reader.texts, reader.values) == (["p"], text, [value])


def test_attributes_are_written_as_html_has_them() -> None:
    written = el(
        "input", aria_label="a", class_="b", disabled=True, checked=False, value=None, more={"data-x": 1.5}
    )
    assert written == '<input aria-label="a" class="b" disabled data-x="1.5"/>'
    assert join("<", [el("b", 1), None]) == "&lt;<b>1</b>"


@given(plain, plain)
def test_what_is_same_and_new_is_the_new_text_and_what_is_same_and_gone_the_old(old: str, new: str) -> None:
    told = list(changes(old, new))
    assert "".join(text for what, text in told if what != "gone") == new
    loose = [(what, text) for what, text in told if what != "new"]
    assert "".join(text for _, text in loose) == old


def test_a_blank_between_two_changes_belongs_to_both() -> None:
    told = list(changes("near the river, I walk", "in Alfama, I walk"))
    assert told == [("gone", "near the river"), ("new", "in Alfama"), ("same", ", I walk")]


@given(st.lists(memories, min_size=1, max_size=5), times)
def test_the_window_holds_everything_and_places_it_inside(versions: Sequence[Version], now: datetime) -> None:
    window = reach([versions], now)
    assert window.start < now < window.end
    (lane,) = lanes([versions], window)
    for bar in lane.bars:
        for left, right in (bar.true, bar.believed):
            assert 0 < left <= right <= 1
    found = ticks(window)
    assert len(found) <= TICKS + 2
    assert [place for place, _ in found] == sorted({place for place, _ in found})


@given(times, st.floats(0.01, 100), st.floats(-5, 5))
def test_a_window_can_be_zoomed_and_moved_for_ever(start: datetime, factor: float, share: float) -> None:
    window = Window(start, start + timedelta(days=400))
    for _ in range(12):
        window = window.zoomed(factor).moved(share)
        assert window.start < window.end


def test_ticks_of_years_stand_on_their_first_day() -> None:
    window = Window(datetime(2020, 6, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC))
    expected = [(window.place(datetime(year, 1, 1, tzinfo=UTC)), str(year)) for year in range(2021, 2027)]
    assert ticks(window) == expected


def _version(text: str, valid: tuple[int, int | None], recorded: tuple[int, int | None]) -> Version:
    def span(pair: tuple[int, int | None]) -> Span:
        return Span(NOW + timedelta(days=pair[0]), None if pair[1] is None else NOW + timedelta(days=pair[1]))

    return Version("0" * 32, "turn", text, Scope(), span(valid), span(recorded))


def test_what_was_known_is_what_was_believed_then_about_then() -> None:
    said = _version("Berlin", (0, None), (0, 10))
    before, after = _version("Berlin", (0, 8), (10, None)), _version("Lisbon", (8, None), (10, None))
    versions = [said, before, after]
    assert newest(versions) is after
    at = [NOW + timedelta(days=day) for day in (-1, 5, 9, 11)]
    assert known(versions, at[2], at[1]) is said, "the move was not known yet"
    assert known(versions, at[2], at[3]) is after
    assert known(versions, at[1], at[3]) is before
    assert known(versions, at[0], at[3]) is None


def _link(number: int, source: str, target: str) -> Link:
    return Link(f"l{number}", source, target, "knows", Span(NOW), Span(NOW))


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 400)), max_size=500))
def test_a_piece_of_the_graph_is_bounded_and_its_links_have_both_ends(pairs: list[tuple[int, int]]) -> None:
    links = [_link(number, f"n{a}", f"n{b}") for number, (a, b) in enumerate(pairs)]

    def of(id: str) -> list[Link]:
        return [one for one in links if id in (one.source, one.target)]

    piece = grow([f"n{a}" for a, _ in pairs], of)
    assert len(piece.nodes) <= MOST_NODES
    assert all({one.source, one.target} <= piece.nodes.keys() for one in piece.links.values())
    everything = {end for one in links for end in (one.source, one.target)}
    assert piece.cut == (piece.nodes.keys() < everything)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 30), st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29)), max_size=40))
def test_the_layout_lies_in_its_square_and_is_the_same_each_time(
    many: int, pairs: list[tuple[int, int]]
) -> None:
    nodes = [f"n{number}" for number in range(many)]
    links = [(f"n{a}", f"n{b}") for a, b in pairs if a < many and b < many]
    places = layout(nodes, links)
    assert list(places) == nodes
    assert all(0 <= x <= 1 and 0 <= y <= 1 for x, y in places.values())
    assert places == layout(nodes, links)


def test_what_is_linked_lies_nearer_than_what_is_not() -> None:
    places = layout(["a", "b", "c", "d"], [("a", "b"), ("c", "d")])

    def apart(one: str, other: str) -> float:
        return sum((p - q) ** 2 for p, q in zip(places[one], places[other])) ** 0.5

    assert apart("a", "b") < min(apart("a", "c"), apart("a", "d"))


def test_small_chances_are_not_called_nothing() -> None:
    assert [chance(value) for value in (0.981, 0.042, 0.0012, 0.00001)] == ["98%", "4.2%", "0.1%", "< 0.1%"]


def test_shares_against_a_hit_point_the_other_way() -> None:
    reader = Reader()
    reader.feed(shares({"words": 2.0, "date": -1.0, "speaker": 0.0}))
    assert reader.texts == "words+2.00date-1.00"
    assert reader.values.count("for") == 1
    assert reader.values.count("opposed") == 1


def test_a_quick_look_is_fresh_and_a_slow_one_is_kept_while_a_new_one_is_taken() -> None:
    with Memory(":memory:", settings=Settings(meaning="off", background=False)) as memory:
        looks, store, times = Looks(), Bounded(memory), [0]

        def work() -> int:
            times[0] += 1
            return times[0]

        assert looks.look("it", store, work).value == 1
        slow = looks.look("it", store, work)
        slow.took, slow.ended = 100.0, time.monotonic()
        assert looks.look("it", store, work).value == slow.value, "kept for a while"
        seen = slow.value or 0
        assert looks.look("it", store, work, anew=True).value == seen + 1
        looks.forget("it", store)
        assert looks.look("it", store, work).value == seen + 2
        assert looks.look("it", Bounded(memory, Scope(user="ana")), work).value == seen + 3, (
            "another scope, another look"
        )


def test_a_look_that_fails_says_why() -> None:
    with Memory(":memory:", settings=Settings(meaning="off", background=False)) as memory:

        def fails() -> int:
            raise ZeroDivisionError

        look = Looks().look("it", Bounded(memory), fails)
        assert look.value is None
        assert "failed unexpectedly" in str(look.error)
