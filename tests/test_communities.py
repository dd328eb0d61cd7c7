"""Holds communities to planted ones, to what must never happen, and label propagation to its rule."""

from __future__ import annotations

import random
import subprocess
import sys
from datetime import UTC, datetime
from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simonides.clock import Span
from simonides.errors import InputError
from simonides.parts import communities
from simonides.parts.communities import Weights
from simonides.types import Link

SPRING = Span(datetime(2026, 3, 1, tzinfo=UTC))
GRAPHS = st.dictionaries(
    st.tuples(st.sampled_from("abcdefgh"), st.sampled_from("abcdefgh")).filter(
        lambda pair: pair[0] < pair[1]
    ),
    st.integers(1, 4),
    max_size=16,
)


def link(source: str, target: str, copy: int = 0) -> Link:
    return Link(f"{source}{target}{copy}", source, target, "knows", SPRING, SPRING)


def graph(edges: dict[tuple[str, str], int], alone: str = "") -> Weights:
    """Return the weights of so many links between pairs, through the links themselves."""
    links = [link(*pair, copy) for pair, count in edges.items() for copy in range(count)]
    nodes = {node for pair in edges for node in pair}
    return communities.weights(links, among={*nodes, *alone})


def groups(found: dict[str, str]) -> set[frozenset[str]]:
    return {frozenset(node for node in found if found[node] == name) for name in found.values()}


def cliques(sizes: list[int], chance: random.Random) -> tuple[Weights, list[list[str]]]:
    """Plant cliques under mixed names, joined in a chain by one link each."""
    names = [f"n{place:02}" for place in range(sum(sizes))]
    chance.shuffle(names)
    planted = [[names.pop() for _ in range(size)] for size in sizes]
    links = [link(*pair) for clique in planted for pair in combinations(clique, 2)]
    links += [link(chance.choice(one), chance.choice(other)) for one, other in pairwise(planted)]
    chance.shuffle(links)
    return communities.weights(links), planted


# --- label propagation ---------------------------------------------------------------------------------------------


def test_weights_count_links_both_ways() -> None:
    links = [link("a", "b"), link("b", "a", 1), link("b", "c"), link("c", "c")]
    assert communities.weights(links) == {"a": {"b": 2.0}, "b": {"a": 2.0, "c": 1.0}, "c": {"b": 1.0}}
    assert communities.weights(links, among=["a", "b", "z"]) == {"a": {"b": 2.0}, "b": {"a": 2.0}, "z": {}}


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(4, 9), min_size=2, max_size=2), st.randoms(use_true_random=False))
def test_two_planted_cliques_become_two_communities(sizes: list[int], chance: random.Random) -> None:
    found, planted = cliques(sizes, chance)
    assert groups(communities.propagate(found)) == {frozenset(clique) for clique in planted}


def test_labels_by_hand() -> None:
    # a-b three times, b-c once: all begin alone. a takes b's (3 against its own 1), b takes a's (3), c takes b's
    # (1 against 1, b's is smaller than c's: c keeps its own). a and b swap for ever all at once; one after the other,
    # a takes b's, and b keeps it.
    assert communities.propagate(graph({("a", "b"): 3, ("b", "c"): 1})) == {"a": "a", "b": "a", "c": "c"}
    assert communities.propagate(graph({("a", "b"): 1})) == {"a": "a", "b": "a"}
    assert communities.propagate(graph({}, alone="xy")) == {"x": "x", "y": "y"}
    assert communities.propagate({}) == {}


@pytest.mark.parametrize("count", [1, 2, 5])
def test_it_ends_where_released_code_swaps_labels_for_ever(count: int) -> None:
    """Two nodes with two links between them, all at once: each takes the other's label, and back again."""
    assert groups(communities.propagate(graph({("a", "b"): count}))) == {frozenset("ab")}
    star = {("a", node): count for node in "bcdef"}
    assert groups(communities.propagate(graph(star))) == {frozenset("abcdef")}
    sides = {(one, other): count for one in "abc" for other in "xyz"}
    assert groups(communities.propagate(graph(sides))) == {frozenset("abcxyz")}


@settings(deadline=None)
@given(GRAPHS, st.randoms(use_true_random=False))
def test_nobody_would_rather_be_elsewhere(edges: dict[tuple[str, str], int], chance: random.Random) -> None:
    near = graph(edges, alone="z")
    found = communities.propagate(near)
    for node, others in near.items():
        votes = {
            name: sum(w for other, w in others.items() if found[other] == name) for name in found.values()
        }
        assert votes[found[node]] + 1 >= max(votes.values()), "its own community weighs as much as any other"
    mixed = {
        node: dict(chance.sample(list(near[node].items()), len(near[node])))
        for node in sorted(near, reverse=True)
    }
    assert communities.propagate(mixed) == found, "whatever the order of what is given"
    for name in set(found.values()):
        assert name == min(node for node in found if found[node] == name)
    joined = {node: {node} for node in near}
    for one, other in list(edges) * len(near):
        both = joined[one] | joined[other]
        joined.update(dict.fromkeys(both, both))
    for group in groups(found):
        assert group <= joined[min(group)], "no community of what is not joined"


def test_a_neighbour_nobody_knows_is_refused() -> None:
    with pytest.raises(InputError, match="every neighbour"):
        communities.propagate({"a": {"b": 1.0}})


# --- one more ------------------------------------------------------------------------------------------------------


def test_one_more_joins_the_plurality() -> None:
    known = {"a": "a", "b": "a", "c": "c", "d": "c", "e": "e"}
    assert communities.assign({"a": 1, "b": 1, "c": 1, "new": 9}, known) == "a"
    assert communities.assign({"a": 1, "c": 1}, known) == "c", "ties go to the larger"
    assert communities.assign({"a": 1, "e": 3}, known) == "e", "weights count"
    assert communities.assign({}, known) is None
    assert communities.assign({"new": 1.0}, known) is None


@settings(max_examples=30, deadline=None)
@given(st.randoms(use_true_random=False))
def test_cliques_grow_by_assignment_and_stay_themselves(chance: random.Random) -> None:
    whole, planted = cliques([7, 7], chance)
    late = {chance.choice(clique) for clique in planted}
    early = {
        node: {other: w for other, w in near.items() if other not in late} for node, near in whole.items()
    }
    found = communities.propagate({node: near for node, near in early.items() if node not in late})
    for node in sorted(late):
        found[node] = communities.assign(whole[node], found) or node
    assert groups(found) == {frozenset(clique) for clique in planted}


def test_assignment_drifts_and_a_full_run_mends_it() -> None:
    """Two triangles whose first members were assigned one by one, before their own links were known."""
    triangles = {
        ("a", "b"): 1,
        ("b", "c"): 1,
        ("a", "c"): 1,
        ("x", "y"): 1,
        ("y", "z"): 1,
        ("x", "z"): 1,
        ("c", "x"): 1,
    }
    near, found = graph(triangles), dict[str, str]()
    for node in "abcxyz":
        found[node] = communities.assign(near[node], found) or node
    assert groups(found) == {frozenset("abcxyz")}, "each knew somebody who was in already"
    again = communities.propagate(near)
    assert groups(again) == {frozenset("abc"), frozenset("xyz")}
    assert communities.modularity(near, again) > communities.modularity(near, found)


# --- Leiden and the measure ----------------------------------------------------------------------------------------


def test_modularity_by_hand() -> None:
    near = graph({("a", "b"): 1, ("c", "d"): 1})
    assert communities.modularity(near, {"a": "a", "b": "a", "c": "c", "d": "c"}) == pytest.approx(0.5)
    assert communities.modularity(near, dict.fromkeys("abcd", "a")) == pytest.approx(0.0)
    assert communities.modularity(near, {node: node for node in "abcd"}) == pytest.approx(-0.25)
    assert communities.modularity(graph({}, alone="a"), {"a": "a"}) == 0.0


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(4, 8), min_size=2, max_size=5), st.randoms(use_true_random=False))
def test_leiden_finds_planted_cliques_or_better(sizes: list[int], chance: random.Random) -> None:
    """Among many, modularity may be higher with two small cliques as one: its limit of resolution."""
    near, planted = cliques(sizes, chance)
    found = communities.leiden(near)
    if len(sizes) == 2:
        assert groups(found) == {frozenset(clique) for clique in planted}
    meant = communities.named({node: str(place) for place, clique in enumerate(planted) for node in clique})
    assert communities.modularity(near, found) >= communities.modularity(near, meant) - 1e-9
    for clique in planted:
        assert len({found[node] for node in clique}) == 1, "no clique is torn"


@settings(max_examples=60, deadline=None)
@given(GRAPHS)
def test_leiden_is_repeatable_and_no_worse_than_one_community(edges: dict[tuple[str, str], int]) -> None:
    near = graph(edges, alone="z")
    found = communities.leiden(near, trials=3)
    assert found == communities.leiden({node: near[node] for node in sorted(near, reverse=True)}, trials=3)
    assert found.keys() == near.keys()
    assert found["z"] == "z", "who knows nobody is alone"
    assert communities.modularity(near, found) >= -1e-9


def test_a_higher_resolution_gives_smaller_communities() -> None:
    near = graph(dict.fromkeys(combinations("abcdef", 2), 1))
    assert len(groups(communities.leiden(near, resolution=0.5))) == 1
    assert len(groups(communities.leiden(near, resolution=3.0))) == 6


def test_without_the_library_the_message_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['graspologic_native'] = None\n"
        "from simonides.errors import ModelMissing\n"
        "from simonides.parts import communities\n"
        "assert communities.propagate({'a': {'b': 1.0}, 'b': {'a': 1.0}}) == {'a': 'a', 'b': 'a'}\n"
        "try: communities.leiden({'a': {'b': 1.0}, 'b': {'a': 1.0}})\n"
        "except ModelMissing as err: print(err)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert 'pip install "simonides[graph]"' in done.stdout
