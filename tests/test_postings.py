"""Inverted lists give back exactly what was put in, however it came and however segments were merged."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simonides.ledger.postings import MERGE_RATIO, TAIL_ENTRIES, Postings

LARGEST = 2**32 - 1
KEYS = st.sampled_from([0, 1, 2, 3, 5, 8, 13, 2**31, LARGEST])
ASKED = np.array([LARGEST, 0, 1, 2, 3, 4, 5, 8, 13, 2**31, 0], np.uint32)
"""Known keys, unknown ones, and one that is asked for twice."""


class Lists:
    """The model: a dictionary of lists."""

    def __init__(self) -> None:
        self.entries: dict[int, list[tuple[int, int]]] = defaultdict(list)

    def add(self, doc: int, keys: list[int], counts: list[int]) -> None:
        for key, count in zip(keys, counts, strict=True):
            self.entries[key].append((doc, count))

    def find(self, keys: list[int]) -> list[list[tuple[int, int]]]:
        return [self.entries.get(key, []) for key in keys]


def found(postings: Postings, keys: np.ndarray[Any, Any]) -> list[list[tuple[int, int]]]:
    which, docs, counts = postings.find(keys)
    lists: list[list[tuple[int, int]]] = [[] for _ in keys]
    for place, doc, count in zip(which.tolist(), docs.tolist(), counts.tolist(), strict=True):
        lists[place].append((doc, count))
    return lists


def document(chance: np.random.Generator, size: int, keys: int) -> tuple[list[int], list[int]]:
    return chance.integers(0, keys, size).tolist(), chance.integers(1, 256, size).tolist()


DOCUMENT = st.lists(st.tuples(KEYS, st.integers(1, 255)), max_size=6)
STEP = st.one_of(
    st.tuples(st.just("add"), DOCUMENT),
    st.tuples(st.just("plain"), st.lists(KEYS, max_size=6)),
    st.tuples(st.just("bulk"), st.lists(DOCUMENT, max_size=5)),
    st.tuples(st.just("find"), st.none()),
)


@settings(max_examples=120, deadline=None)
@given(st.lists(STEP, max_size=25))
def test_any_order_of_writing_and_asking_equals_a_dictionary_of_lists(steps: list[tuple[str, Any]]) -> None:
    postings, model, doc = Postings(), Lists(), 0
    for verb, given_ in steps:
        if verb == "add":
            keys, counts = [key for key, _ in given_], [count for _, count in given_]
            postings.add(doc, np.array(keys, np.uint32), np.array(counts, np.uint16))
            model.add(doc, keys, counts)
            doc += 1
        elif verb == "plain":
            postings.add(doc, np.array(given_, np.uint32))
            model.add(doc, given_, [1] * len(given_))
            doc += 1
        elif verb == "bulk":
            entries = [(key, doc + i, count) for i, one in enumerate(given_) for key, count in one]
            keys, docs, counts = (np.array([e[i] for e in entries], np.int64) for i in range(3))
            postings.add_bulk(keys.astype(np.uint32), docs.astype(np.int32), counts.astype(np.uint16))
            for i, one in enumerate(given_):
                model.add(doc + i, [key for key, _ in one], [count for _, count in one])
            doc += len(given_)
        else:
            assert found(postings, ASKED) == model.find(ASKED.tolist())
    assert found(postings, ASKED) == model.find(ASKED.tolist())


@pytest.mark.parametrize("asking", [1, 7, 10**9], ids=["after each", "now and then", "at the end"])
def test_many_small_adds_are_frozen_and_merged_without_loss(asking: int) -> None:
    chance, postings, model = np.random.default_rng(7), Postings(), Lists()
    every = np.arange(60, dtype=np.uint32)
    adds = 400 if asking == 1 else 3000
    for doc in range(adds):
        keys, counts = document(chance, int(chance.integers(0, 40)), 50)
        postings.add(doc, np.array(keys, np.uint32), np.array(counts, np.uint16))
        model.add(doc, keys, counts)
        if doc % asking == asking - 1:
            key = chance.integers(0, 60, 3).astype(np.uint32)
            assert found(postings, key) == model.find(key.tolist())
    assert found(postings, every) == model.find(every.tolist())
    assert asking == 1 or adds * 20 > 4 * TAIL_ENTRIES, (
        "enough entries that the tail was frozen several times"
    )


def test_a_document_at_a_time_in_bulk_leaves_few_segments() -> None:
    chance, postings, model = np.random.default_rng(9), Postings(), Lists()
    for doc in range(2000):
        keys, counts = document(chance, 10, 500)
        postings.add_bulk(np.array(keys, np.uint32), np.full(10, doc, np.int32), np.array(counts, np.uint16))
        model.add(doc, keys, counts)
    every = np.arange(500, dtype=np.uint32)
    assert found(postings, every) == model.find(every.tolist())
    sizes = [len(segment.docs) for segment in postings._segments]
    assert all(one >= MERGE_RATIO * next_ for one, next_ in pairwise(sizes))
    assert len(sizes) < 12
    assert postings.bytes() < 40 * 20_000


def test_nothing_is_found_in_nothing() -> None:
    postings = Postings()
    for keys in (np.zeros(0, np.uint32), ASKED):
        assert [len(part) for part in postings.find(keys)] == [0, 0, 0]
    postings.add(0, np.zeros(0, np.uint32))
    postings.add_bulk(np.zeros(0, np.uint32), np.zeros(0, np.int32), np.zeros(0, np.uint16))
    assert [len(part) for part in postings.find(ASKED)] == [0, 0, 0]
    assert postings.bytes() < 100
