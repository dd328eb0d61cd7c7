"""Holds the matching of names, merges and spreading to slow twins, to the released constants, and to examples."""

from __future__ import annotations

import math
import random
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simonides.clock import Span
from simonides.errors import InputError
from simonides.parts import entities, spreading
from simonides.parts.entities import Directory, Entity, match
from simonides.types import Connect, Link

SPRING = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
PEOPLE = [
    Entity("1", "Robert Smith", ("Bobby Smith",), "person"),
    Entity("2", "Rob", (), "person"),
    Entity("3", "Paris", (), "person"),
    Entity("4", "Paris", (), "place"),
    Entity("5", "Observatory of Greenwich", (), "place"),
]
NAMES = st.text("abcdefg hij", min_size=1, max_size=24).filter(lambda name: bool(name.strip()))


def link(source: str, target: str, relation: str = "knows", *, start: int = 0, end: int | None = None,
         told: int = 0, doubted: int | None = None, weight: float = 1.0, id: str = "") -> Link:  # fmt: skip
    spans = [
        Span(SPRING + first * DAY, None if last is None else SPRING + last * DAY)
        for first, last in ((start, end), (told, doubted))
    ]
    return Link(id or f"{source}-{target}-{relation}", source, target, relation, spans[0], spans[1], weight)


# --- names ---------------------------------------------------------------------------------------------------------


def test_robert_smith_is_robert_smith() -> None:
    for name in ("robert smith", "ROBERT   Smith", " Robert\tSmith\n", "Ｒobert Smith"):
        found = match(name, PEOPLE)
        assert (found.how, found.entity, found.score) == ("same", PEOPLE[0], 1.0)


def test_bob_is_not_rob() -> None:
    assert match("Bob", PEOPLE).how == "new"
    assert match("Bob", PEOPLE).candidates == ()
    assert match("Rob", PEOPLE).entity == PEOPLE[1]
    assert match("Robb", PEOPLE).how == "new"


def test_an_alias_is_the_entity() -> None:
    found = match("bobby smith", PEOPLE)
    assert (found.how, found.entity) == ("alias", PEOPLE[0])


def test_two_of_one_name_are_undecided_until_the_kind_is_known() -> None:
    found = match("paris", PEOPLE)
    assert (found.how, found.entity, found.candidates) == ("undecided", None, (PEOPLE[2], PEOPLE[3]))
    assert match("paris", PEOPLE, kind="place").entity == PEOPLE[3]
    assert match("paris", PEOPLE, kind="ship").how == "new"
    assert match("paris", [Entity("9", "Paris")], kind="ship").entity == Entity("9", "Paris"), (
        "no kind fits all"
    )


def test_a_long_name_with_a_letter_more_is_the_same() -> None:
    known = [
        Entity("1", "International Business Machines Corporation"),
        Entity("2", "International Rescue Committee"),
    ]
    found = match("Internationall Business Machines Corporation", known)
    assert (found.how, found.entity) == ("alike", known[0])
    assert found.score == pytest.approx(32 / 35), "of 33 shingles 'alb' goes; 'all' and 'llb' come"
    assert found.candidates == (known[0],)


def test_a_slip_in_a_short_name_is_a_models_turn() -> None:
    found = match("Robert Smyth", PEOPLE)
    assert (found.how, found.entity) == ("undecided", None)
    assert found.candidates == (PEOPLE[0],)
    assert found.score == pytest.approx(6 / 12), "of 9 and 9 shingles 6 are shared"
    assert match("Smith", PEOPLE).candidates == (PEOPLE[0],), "a part of a name is near, and no more"


def test_two_that_are_equally_alike_are_undecided() -> None:
    long = "the very long and winding road to the northern lighthouse"
    known = [Entity("1", f"{long} aa"), Entity("2", f"{long} bb")]
    found = match(f"{long}", known)
    assert found.score >= entities.JACCARD
    assert (found.how, [one.id for one in found.candidates]) == ("undecided", ["1", "2"])


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("bob", False),
        ("robert", True),
        ("bo li", True),
        ("aaaaaaaa", False),
        ("abababab", False),
        ("", False),
    ],
)
def test_only_telling_names_are_compared_by_letters(name: str, wanted: bool) -> None:
    assert entities.telling(name) is wanted


def test_entropy_by_hand() -> None:
    assert entities.entropy("abab") == 1.0
    assert entities.entropy("a b c d") == 2.0, "spaces do not count"
    assert entities.entropy("aab") == pytest.approx(-2 / 3 * math.log2(2 / 3) - 1 / 3 * math.log2(1 / 3))
    assert entities.entropy("") == 0.0


def test_a_dull_name_is_undecided_however_alike() -> None:
    found = match("aaaaaaaaaaaaaaaaaaaaa", [Entity("1", "aaaaaaaaaaaaaaaaaaaaaaa")])
    assert (found.how, found.score) == ("undecided", 1.0)


def test_an_empty_name_is_refused() -> None:
    with pytest.raises(InputError, match="must not be empty"):
        match("  ", PEOPLE)


def test_a_directory_knows_what_was_added_and_forgets_old_names() -> None:
    directory = Directory()
    assert directory.match("Ada Lovelace").how == "new"
    directory.add(Entity("1", "Ada Lovelace"))
    assert directory.match("ada lovelace").how == "same"
    directory.add(Entity("1", "Ada King"))
    assert directory.match("ada king").how == "same"
    assert directory.match("ada lovelace").how == "undecided"


def slow_match(name: str, known: list[Entity]) -> tuple[str, str | None]:
    """The rule without an index: every entity is looked at, and every pair of names compared."""
    plain = entities.normalised(name)
    for how, of in (
        ("same", lambda one: (one.name,)),
        ("alias", lambda one: one.aliases),
    ):
        same = [one for one in known if plain in {entities.normalised(other) for other in of(one)}]
        if same:
            return (how, same[0].id) if len(same) == 1 else ("undecided", None)

    def grams(text: str) -> set[str]:
        bare = text.replace(" ", "")
        return {bare[at : at + 3] for at in range(max(1, len(bare) - 2))}

    def like(one: Entity) -> float:
        asked = grams(plain)
        others = [grams(entities.normalised(other)) for other in (one.name, *one.aliases)]
        return max(len(asked & other) / len(asked | other) for other in others)

    near = sorted(((like(one), one.id) for one in known), reverse=True)
    if near and near[0][0] >= 0.9 and entities.telling(plain) and (len(near) == 1 or near[1][0] < near[0][0]):
        return "alike", near[0][1]
    return "not clear", None


@settings(max_examples=300, deadline=None)
@given(st.lists(NAMES, max_size=8), NAMES, st.data())
def test_matching_equals_a_look_at_all(names: list[str], name: str, data: st.DataObject) -> None:
    known = [Entity(str(place), one) for place, one in enumerate(names)]
    if names and data.draw(st.booleans()):  # a slip of the pen in a known name
        base = data.draw(st.sampled_from(names))
        at = data.draw(st.integers(0, len(base)))
        name = (base[:at] + data.draw(st.sampled_from("abz")) + base[at:]) * data.draw(st.integers(1, 3))
    found, (how, id) = match(name, known), slow_match(name, known)
    if how == "not clear":
        assert found.how in ("undecided", "new")
        assert found.entity is None
    else:
        assert (found.how, found.entity.id if found.entity else None) == (how, id)
    assert all(one in known for one in found.candidates)


def test_minhash_misses_hardly_any_pair_that_is_alike() -> None:
    chance, found, pairs = random.Random(1), 0, 0
    while pairs < 1500:
        name = "".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(30, 60)))
        at = chance.randrange(len(name))
        other = name[:at] + chance.choice("abcdefgh") + name[at:] if chance.random() < 0.8 else name[1:]
        if entities.jaccard(entities.shingles(name), entities.shingles(other)) < entities.JACCARD:
            continue
        pairs += 1
        bands = zip(entities.signature(name), entities.signature(other), strict=True)
        found += any(one == another for one, another in bands)
    assert found >= 1499, "1 - (1 - 0.9^4)^8 = 0.9998"


def test_a_signature_is_eight_bands_and_never_changes() -> None:
    bands = entities.signature("robert smith")
    assert [len(band) for band in bands] == [4 * 8] * 8
    assert bands[0][:8].hex() == "524ab510e97f1d23", "stored signatures would not fit those of a new version"
    assert entities.signature("") == ()


# --- merges --------------------------------------------------------------------------------------------------------


def as_link(change: Connect, *, end: int | None = None) -> Link:
    valid = Span(change.at, None if end is None else SPRING + end * DAY)
    return Link(change.id, change.source, change.target, change.relation, valid, Span(change.at))


def test_a_merge_is_a_link_that_can_be_taken_back() -> None:
    change = entities.merge("b" * 32, "a" * 32, SPRING)
    assert (change.source, change.target, change.relation) == ("b" * 32, "a" * 32, "same-as")
    assert len(change.id) == 32
    assert change == entities.merge("a" * 32, "b" * 32, SPRING), "the same whichever is said first"
    assert change.id != entities.merge("a" * 32, "b" * 32, SPRING + DAY).id
    merged = as_link(change)
    assert entities.canonical([merged]) == {"a" * 32: "a" * 32, "b" * 32: "a" * 32}
    undone = entities.unmerge(merged, SPRING + DAY)
    assert (undone.id, undone.at) == (change.id, SPRING + DAY)
    ended = as_link(change, end=1)
    assert entities.canonical([ended], as_of=SPRING + DAY) == {}
    assert entities.canonical([ended], as_of=SPRING) == {"a" * 32: "a" * 32, "b" * 32: "a" * 32}


def test_only_merges_can_be_taken_back_and_nobody_is_merged_with_himself() -> None:
    with pytest.raises(InputError, match="same-as"):
        entities.unmerge(link("a", "b"), SPRING)
    with pytest.raises(InputError, match="two entities"):
        entities.merge("a", "a", SPRING)


@given(
    st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from("abcdefgh")), max_size=10), st.randoms()
)
def test_those_that_are_linked_are_one(pairs: list[tuple[str, str]], chance: random.Random) -> None:
    links = [link(*pair, "same-as", id=str(place)) for place, pair in enumerate(pairs) if pair[0] != pair[1]]
    links += [link("a", "h", "knows")]
    groups = {id: {id} for pair in pairs if pair[0] != pair[1] for id in pair}
    for one, other in pairs * 9:
        if one != other:
            both = groups[one] | groups[other]
            groups.update(dict.fromkeys(both, both))
    chance.shuffle(links)
    assert entities.canonical(links) == {id: min(group) for id, group in groups.items()}


def test_merged_entities_keep_every_name() -> None:
    known = [
        Entity("1", "Robert Smith", ("R. Smith",)),
        Entity("2", "Bob", ("Bobby", "robert smith"), "person"),
    ]
    (one,) = entities.merged(known, {"1": "1", "2": "1"})
    assert one == Entity("1", "Robert Smith", ("Bob", "Bobby", "R. Smith"), "person")
    assert match("Bob", [one]).how == "alias"
    assert entities.merged(known, {}) == known


# --- spreading -----------------------------------------------------------------------------------------------------

NODES = "abcdef"
LINKS = st.lists(
    st.builds(
        lambda ends, start, long, told, weight, relation: link(
            ends[0], ends[1], relation, start=start, end=start + long, told=told, weight=weight
        ),
        st.tuples(st.sampled_from(NODES), st.sampled_from(NODES)),
        st.integers(0, 5), st.integers(1, 6), st.integers(0, 5), st.sampled_from([0.0, 0.5, 1.0, 2.0]),
        st.sampled_from(["knows", "likes"]),
    ),
    max_size=9,
    unique_by=lambda one: one.id,
)  # fmt: skip


def test_spreading_by_hand() -> None:
    links = [link("a", "b"), link("a", "c"), link("b", "d", weight=3.0)]
    # a hands half of 1 to its two links: 0.25 each. b, whose links weigh 4 in all, hands on half of its 0.25:
    # 1/4 of it to a, 3/4 to d; c hands half of its 0.25 back to a.
    assert spreading.spread(links, ["a"]) == {"a": 1 + 0.03125 + 0.125, "b": 0.25, "c": 0.25, "d": 0.09375}
    assert spreading.spread(links, ["a"], hops=1, fan=False) == {"a": 1.0, "b": 0.5, "c": 0.5}
    assert spreading.spread(links, {"d": 2.0}, hops=1, directed=True) == {"d": 2.0}
    assert spreading.spread(links, ["a"], hops=1, least=0.3) == {"a": 1.0}
    round_about = [link("a", "a"), link("a", "b")]
    assert spreading.spread(round_about, ["a"], hops=1) == {"a": 1.25, "b": 0.25}, (
        "a link to oneself is one link"
    )
    assert spreading.spread(links, ["z"]) == {"z": 1.0}
    assert spreading.spread(links, []) == {}


def test_hops_by_hand() -> None:
    links = [link("a", "b"), link("b", "c", "likes"), link("d", "c")]
    assert spreading.within(links, "a", 2) == {"a": 0, "b": 1, "c": 2}
    assert spreading.within(links, "a", 9) == {"a": 0, "b": 1, "c": 2, "d": 3}
    assert spreading.within(links, "a", 9, directed=True) == {"a": 0, "b": 1, "c": 2}
    assert spreading.within(links, "a", 9, relations=["knows"]) == {"a": 0, "b": 1}
    assert spreading.within(links, "a", 0) == {"a": 0}


def test_both_clocks_are_asked() -> None:
    moved = [
        link("ann", "oslo", start=0, end=10, told=0, id="1"),
        link("ann", "rome", start=10, told=20, id="2"),
    ]
    at = {day: SPRING + day * DAY for day in (5, 15, 25)}
    assert spreading.within(moved, ["ann"], 1, as_of=at[5], known_at=at[25]) == {"ann": 0, "oslo": 1}
    assert spreading.within(moved, ["ann"], 1, as_of=at[15], known_at=at[25]) == {"ann": 0, "rome": 1}
    assert spreading.within(moved, ["ann"], 1, as_of=at[15], known_at=at[15]) == {"ann": 0}, (
        "nobody had said so yet"
    )
    assert spreading.within(moved, ["ann"], 1) == {"ann": 0, "oslo": 1, "rome": 1}, "without times all count"


def walks(links: list[Link], seed: str, hops: int, *, directed: bool) -> list[list[tuple[str, float, float]]]:
    """Return every walk from a seed, each step as (node, weight of the link, fan of the node before)."""
    steps = [(one.source, one.target, one.weight) for one in links]
    if not directed:
        steps += [(one.target, one.source, one.weight) for one in links if one.source != one.target]
    found: list[list[tuple[str, float, float]]] = [[]]
    for length in range(1, hops + 1):
        for chain in product(steps, repeat=length):
            ends = [seed, *(target for _, target, _ in chain)]
            if all(source == end for (source, _, _), end in zip(chain, ends, strict=False)):
                fans = [
                    sum(weight for other, _, weight in steps if other == source) for source, _, _ in chain
                ]
                found.append([(step[1], step[2], fan) for step, fan in zip(chain, fans, strict=True)])
    return found


@settings(max_examples=60, deadline=None)
@given(
    LINKS.filter(lambda links: len(links) <= 5), st.sampled_from([0.0, 0.5, 0.8]), st.booleans(), st.booleans(),
    st.integers(0, 3), st.integers(0, 10), st.integers(0, 10), st.randoms(),
)  # fmt: skip
def test_spreading_sums_over_all_walks(
    links: list[Link],
    decay: float,
    fan: bool,
    directed: bool,
    hops: int,
    valid: int,
    known: int,
    chance: random.Random,
) -> None:
    as_of, known_at = SPRING + valid * DAY, SPRING + known * DAY
    seen = [one for one in links if one.valid.holds(as_of) and one.recorded.holds(known_at)]
    slow: dict[str, float] = {}
    for seed, value in (("a", 1.0), ("b", 0.5)):
        for walk in walks(seen, seed, hops, directed=directed):
            worth = value
            for _, weight, whole in walk:
                worth *= decay * weight / (whole if fan else 1) if whole else 0.0
            end = walk[-1][0] if walk else seed
            slow[end] = slow.get(end, 0.0) + worth
    run = partial(
        spreading.spread, hops=hops, decay=decay, fan=fan, directed=directed, as_of=as_of, known_at=known_at
    )
    found = run(links, {"a": 1.0, "b": 0.5})
    assert {id: value for id, value in found.items() if value} == pytest.approx(
        {id: value for id, value in slow.items() if value}
    )
    assert list(found) == sorted(found, key=lambda one: (-found[one], one))
    shuffled = chance.sample(links, len(links))
    again = run(shuffled, {"b": 0.5, "a": 1.0})
    assert list(found.items()) == list(again.items()), "to the last bit"


@given(LINKS, st.integers(0, 4), st.booleans())
def test_hops_equal_a_table_of_all_distances(links: list[Link], hops: int, directed: bool) -> None:
    far = {(one, other): 0 if one == other else 99 for one in NODES for other in NODES}
    for one in links:
        for pair in [(one.source, one.target), (one.target, one.source)][: 1 if directed else 2]:
            far[pair] = min(far[pair], 1)
    for middle, one, other in product(NODES, NODES, NODES):
        far[one, other] = min(far[one, other], far[one, middle] + far[middle, other])
    wanted = {id: min(far["a", id], far["c", id]) for id in NODES}
    found = spreading.within(links, ["a", "c"], hops, directed=directed)
    assert found == {id: value for id, value in wanted.items() if value <= hops}


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(InputError, match="from 0 to 1"):
        spreading.spread([], ["a"], decay=1.5)
    with pytest.raises(InputError, match="must not be negative"):
        spreading.within([], ["a"], -1)
    with pytest.raises(InputError, match="weigh less"):
        spreading.spread([link("a", "b", weight=-1.0)], ["a"])
