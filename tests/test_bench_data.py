"""Holds the benchmark readers to small files of each form; copies no line of any real set."""

from __future__ import annotations

import json
import os
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simonides.bench.cases import Conversation, Question, Turn
from simonides.bench.datasets import SETS, load
from simonides.bench.locomo import repair
from simonides.bench.negatives import misplace, rename
from simonides.errors import InputError, UnknownName

DATA = Path(os.environ.get("SIMONIDES_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))


def write(path: Path, value: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = value if isinstance(value, list) and path.suffix == ".jsonl" else [value]
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


def locomo_item() -> dict[str, object]:
    def said(who: str, number: str, text: str, **more: str) -> dict[str, str]:
        return {"speaker": who, "dia_id": number, "text": text, **more}

    return {
        "sample_id": "made-1",
        "conversation": {
            "speaker_a": "Ada",
            "speaker_b": "Ben",
            "session_2_date_time": "9:05 am on 3 May, 2021",
            "session_2": [said("Ben", "D2:1", "I sold the boat.")],
            "session_1_date_time": "11:59 pm on 1 May, 2021",
            "session_1": [
                said("Ada", "D1:1", "Hello!"),
                said("Ben", "D1:2", "Look", blip_caption="a red boat"),
            ],
            "session_3_date_time": "9:05 am on 4 May, 2021",
        },
        "qa": [
            {"question": "What did Ben sell?", "evidence": ["D2:01; D1:2"], "category": 1},
            {"question": "When?", "evidence": ["D1:2", "D"], "category": 2},
            {"question": "Why?", "evidence": [], "category": 3},
            {"question": "What did Ada sell?", "evidence": ["D2:1"], "category": 5},
        ],
    }


def test_locomo_is_read_with_captions_repairs_and_audit(tmp_path: Path) -> None:
    file = write(tmp_path / "locomo_made.json", [locomo_item()])
    write(
        tmp_path / "audit_errors_made.json",
        [
            {"question_id": "locomo_0_qa0", "error_type": "WRONG_CITATION"},
            {"question_id": "locomo_0_qa1", "error_type": "HALLUCINATION"},
        ],
    )
    (one,) = load("locomo", file)
    assert load("locomo", tmp_path) == (one,)
    assert [turn.id for turn in one.turns] == ["D1:1", "D1:2", "D2:1"]
    assert one.turns[1].text == "Look [shares a red boat]"
    assert one.turns[1].at == datetime(2021, 5, 2, 0, 0, tzinfo=UTC)
    assert (one.turns[2].session, one.turns[2].role) == ("session_2", "person")
    assert one.speakers == ("Ada", "Ben")
    assert [q.category for q in one.questions] == [
        "multi-hop",
        "temporal",
        "open-domain",
        "adversarial",
    ]
    assert [q.evidence for q in one.questions] == [("D1:2", "D2:1"), ("D1:2",), (), ("D2:1",)]
    assert [q.in_recall for q in one.questions] == [True, True, False, False]
    assert [q.answerable for q in one.questions] == [True, True, True, False]
    assert [set(q.flags) for q in one.questions] == [
        {"audited-citation"},
        {"audited-wrong", "evidence-partial"},
        set(),
        {"adversarial"},
    ]


@given(st.lists(st.sampled_from(["D1:1", "D1:2", "D2:10", "D:2:10", "D01:1", "D9:9"]), max_size=5),
       st.sampled_from([";", ",", " ", "; "]))  # fmt: skip
def test_evidence_is_found_however_it_is_joined(ids: list[str], joint: str) -> None:
    known = {"D1:1", "D1:2", "D2:10"}
    apart, joined = repair(ids, known), repair([joint.join(ids)], known)
    assert apart == joined
    assert set(apart[0]) <= known


def test_realtalk_is_read_with_own_times_and_only_whole_evidence(tmp_path: Path) -> None:
    def said(who: str, number: int, text: str, at: str) -> dict[str, str]:
        return {"speaker": who, "dia_id": f"D1:{number}", "clean_text": text, "date_time": at}

    write(
        tmp_path / "Chat_1_Ada_Ben.json",
        {
            "name": {"speaker_1": "Ada", "speaker_2": "Ben"},
            "session_1_date_time": "30.12.2023, 21:00:00",
            "session_1": [
                said("Ada", 1, "hi", "30.12.2023, 21:00:00"),
                said("Ada", 2, "you there?", "30.12.2023, 21:00:00"),
                said("Ben", 3, "yes", "30.12.2023, 22:30:00"),
            ],
            "qa": [
                {"question": "Who is there?", "answer": "Ben", "evidence": "D1:3.", "category": 3},
                {"question": "Lost?", "answer": "?", "evidence": ["D1:3", "D7:1"], "category": 1},
            ],
        },
    )
    (one,) = load("realtalk", tmp_path)
    assert [turn.at.strftime("%H:%M:%S") for turn in one.turns] == [
        "21:00:00",
        "21:00:01",
        "22:30:00",
    ]
    assert [(q.category, q.evidence) for q in one.questions] == [("commonsense", ("D1:3",))]


def test_beam_takes_dates_from_anchors_and_ids_from_any_nesting(tmp_path: Path) -> None:
    def pair(number: int, **more: str) -> list[dict[str, object]]:
        user: dict[str, object] = {"role": "user", "id": number, "content": f"ask {number}", **more}
        return [user, {"role": "assistant", "id": number + 1, "content": f"answer {number}"}]

    write(
        tmp_path / "3" / "chat.json",
        [
            {"batch_number": 1, "turns": [pair(0, time_anchor="March-15-2024"), pair(2)]},
            {
                "batch_number": 2,
                "turns": [pair(4, time_anchor="April-05-2024")],
                "time_anchor": None,
            },
        ],
    )
    write(
        tmp_path / "3" / "probing_questions.json",
        {
            "abstention": [{"question": "Unknown?"}],
            "knowledge_update": [{"question": "Now?", "source_chat_ids": {"new": [4], "old": [[0]]}}],
            "summarization": [{"question": "All?", "source_chat_ids": [77]}],
        },
    )
    (one,) = load("beam", tmp_path)
    assert one.id == "beam-3"
    assert [turn.at.isoformat()[:16] for turn in one.turns][3:5] == [
        "2024-03-15T00:03",
        "2024-04-05T00:00",
    ]
    assert [(q.category, q.answerable, q.evidence, q.stale) for q in one.questions] == [
        ("abstention", False, (), ()),
        ("knowledge-update", True, ("0", "4"), ("0",)),
    ]


def test_letta_pools_lists_before_and_after_updates(tmp_path: Path) -> None:
    def item(n: int, question: int) -> dict[str, object]:
        return {"input": f"q{n}.{question}", "agent_args": {"extra": {
            "facts": [f"fact {n}.{i}" for i in range(3)],
            "contradicting_fact": f'"news {n}.{question}"',
            "supporting_fact_indices": [question],
            "names": [f"Name {n}"],
        }}}  # fmt: skip

    items = [item(n, question) for n in range(21) for question in (0, 2)]
    write(tmp_path / "core_memory_update_made.jsonl", items)
    write(tmp_path / "core_memory_read_made.jsonl", items)
    stores = load("letta", tmp_path)
    assert [one.id for one in stores] == ["read-0", "update-0", "read-1", "update-1"]
    assert [len(one.turns) for one in stores] == [60, 100, 3, 5]
    texts = {turn.id: turn.text for turn in stores[1].turns}
    question = stores[1].questions[1]
    assert [texts[name] for name in question.evidence] == ["news 0.2"]
    assert [texts[name] for name in question.stale] == ["fact 0.2"]
    assert stores[0].questions[1].evidence == question.stale
    assert stores[3].speakers == ("Name 20",)


def test_realmem_sees_only_sessions_before_the_query(tmp_path: Path) -> None:
    def said(content: str, **more: object) -> dict[str, object]:
        return {"speaker": "User", "content": content, "is_query": False, **more}

    def answered(content: str, **more: object) -> dict[str, object]:
        return {**said(content, **more), "speaker": "Assistant"}

    used = [{"session_uuid": "s1", "content": text} for text in ("likes  tea", "sums up")]
    write(tmp_path / "dataset" / "Ada_dialogues_1k.json", {"dialogues": [
        {"session_identifier": "T:1", "session_uuid": "s1", "current_time": "2025-01-02 (Thursday)",
         "dialogue_turns": [said("tea please"), answered("sure")],
         "extracted_memory": [
             {"session_uuid": "s1", "content": "likes tea", "source_turn": 1},
             {"session_uuid": "s1", "content": "sums up", "source_turn": 0}]},
        {"session_identifier": "T:2", "session_uuid": "s2",
         "current_time": "2025-01-01 (Wednesday)",
         "dialogue_turns": [
             said("hello"), answered("hello"),
             said("what do I drink?", is_query=True, category_name="Dynamic Updating", topic="T"),
             answered("tea", memory_used=used)],
         "extracted_memory": []},
    ]})  # fmt: skip
    (one,) = load("realmem", tmp_path)
    (question,) = one.questions
    assert (question.evidence, question.category) == (("s1:1",), "dynamic-updating")
    assert question.flags == {"topic:T", "evidence-partial"}
    assert one.seen_by(question) == 2
    assert one.turns[2].at == one.turns[1].at + timedelta(minutes=1)


def make_longmemeval(folder: Path) -> None:
    def line(role: str, content: str) -> dict[str, str]:
        return {"role": role, "content": content}

    pool: list[dict[str, Any]] = [
        {"session_id": f"p{n}", "date": f"2023/05/{n % 28 + 1:02} (Mon) 10:00", "truncated": False,
         "turns": [line(role, f"p{n} {role} {i}") for i in "12" for role in ("user", "assistant")]}
        for n in range(95)
    ]  # fmt: skip
    pool += [
        {**pool[0], "session_id": "answer_1"},
        {**pool[0], "session_id": "cut", "truncated": True},
    ]
    pool[5]["turns"][0]["content"] = "gold  one"

    def asked(name: str, date: str, evidence: list[list[dict[str, str]]]) -> dict[str, object]:
        return {"question_id": name, "question": f"{name}?", "question_date": date,
                "question_type": "knowledge-update", "haystack_sessions": evidence,
                "haystack_dates": ["2023-05-30T12:00", "2023-05-31T12:00"][: len(evidence)],
                }  # fmt: skip

    gold = [[line("user", "gold one"), line("assistant", "gold two")], [line("assistant", "last")]]
    write(folder / "longmemeval_distractor_sessions.json", pool)
    write(
        folder / "longmemeval_evidence_turns.json",
        [
            asked("late", "2023/05/31 (Wed) 08:00", gold),
            asked("early_abs", "2020/01/01 (Wed) 08:00", []),
        ],
    )


def test_longmemeval_is_rebuilt_with_spliced_evidence(tmp_path: Path) -> None:
    make_longmemeval(tmp_path)
    late, early = load("longmemeval", tmp_path)
    assert load("longmemeval", tmp_path) == (late, early)
    assert len({turn.session for turn in late.turns}) == 42
    assert len({turn.session for turn in early.turns}) == 40
    (question,) = late.questions
    texts = {turn.id: turn for turn in late.turns}
    assert [texts[name].text for name in question.evidence] == ["gold one", "gold two", "last"]
    assert len(question.stale) == 2
    assert late.seen_by(question) == len(late.turns)
    assert not {turn.text for turn in early.turns} & {"gold  one", "gold one", "last"}
    assert early.turns[-1].at < datetime(2020, 1, 1, 8, tzinfo=UTC)
    assert (early.questions[0].answerable, early.questions[0].in_recall) == (False, False)
    for one in (late, early):
        pairs = zip(one.turns, one.turns[1:], strict=False)
        assert all(a.role != b.role for a, b in pairs if a.session == b.session)


@pytest.mark.parametrize("name", sorted(SETS))
def test_what_is_not_a_set_is_refused_with_a_way_out(name: str, tmp_path: Path) -> None:
    for path in (tmp_path / "absent", write(tmp_path / "odd.json", [{"unknown": 1}])):
        with pytest.raises(InputError) as caught:
            load(name, path)
        assert caught.value.way_out
    with pytest.raises(UnknownName, match=r"Did you mean 'locomo'"):
        load("locmo", tmp_path)


@pytest.mark.parametrize(("text", "expected"), [
    ("Where did Ada's cat sleep?", "Where did Tom's cat sleep?"),
    ("Is Adam like Ada?", "Is Adam like Tom?"),
    ("Adas's and James' boat, James?", "Tom's and Ada's boat, Ada?"),
    ("Ada\u2019s", "Tom's"),
    ("she said 'James'", "she said 'Ada'"),
])  # fmt: skip
def test_renaming_keeps_words_apart_and_possessives_whole(text: str, expected: str) -> None:
    assert rename(text, {"Ada": "Tom", "James": "Ada"}) == expected


def made(name: str, speakers: tuple[str, ...], texts: list[str], ask: str) -> Conversation:
    start = datetime(2024, 1, 1, tzinfo=UTC)
    turns = tuple(
        Turn(str(i), text, speakers[i % 2], start + timedelta(days=i), "s", "person")
        for i, text in enumerate(texts)
    )
    at = start + timedelta(days=len(texts) // 2)
    bait = Question("bait", "?", "x", ("0",), answerable=False, flags=frozenset({"adversarial"}))
    return Conversation(name, turns, (Question("q", ask, "c", ("0",), at=at), bait), speakers)


def test_misplaced_questions_go_to_a_store_without_their_evidence() -> None:
    sets = [
        made("a", ("Melanie", "Jon"), ["gold", "x", "y", "z"], "Did Mel see Jon's dog?"),
        made("b", ("Ann", "Bob"), ["other", "gold"], "What?"),
        made("c", ("Cid", "Dee"), ["p", "q"], "Why?"),
    ]
    found = {one.made_for: one for one in misplace(sets)}
    assert misplace(sets) == misplace(sets)
    assert found["a"].asked_of == "c"
    assert found["a"].question.text in {"Did Cid see Dee's dog?", "Did Dee see Cid's dog?"}
    assert sets[2].seen_by(found["a"].question) == 1
    for one in found.values():
        assert one.asked_of != one.made_for
        assert not one.question.answerable
        assert not one.question.in_recall
    assert len(found) == 3


COUNTS = {
    "locomo": (5, 2760, 999, 760),
    "beam": (10, 2432, 184, 164),
    "letta": (12, 2610, 1100, 1100),
    "realmem": (10, 14028, 1415, 924),
    "longmemeval": (500, 229511, 500, 479),
}


@pytest.mark.parametrize("name", COUNTS)
def test_real_sets_have_the_known_counts(name: str) -> None:
    if not (DATA / name).is_dir():
        pytest.skip(f"{name} is not at SIMONIDES_DATA")
    sets = load(name, DATA / name)
    questions = [question for one in sets for question in one.questions]
    counts = len(sets), sum(len(one.turns) for one in sets), len(questions)
    assert (*counts, sum(q.in_recall for q in questions)) == COUNTS[name]
    assert len({q.id for q in questions}) == len(questions)
    for one in sets:
        places = {turn.id: i for i, turn in enumerate(one.turns)}
        for q in one.questions:
            assert all(places[name] < one.seen_by(q) for name in (*q.evidence, *q.stale))
    misplaced = misplace(sets)
    assert len(misplaced) == sum(q.in_recall and q.answerable for q in questions)


def test_real_categories_are_as_published() -> None:
    if not (DATA / "longmemeval").is_dir():
        pytest.skip("longmemeval is not at SIMONIDES_DATA")
    sets = load("longmemeval", DATA / "longmemeval")
    kinds = Counter(q.category for one in sets for q in one.questions if q.in_recall)
    assert kinds == {
        "knowledge-update": 72, "multi-session": 125, "single-session-assistant": 56,
        "single-session-preference": 30, "single-session-user": 64, "temporal-reasoning": 132,
    }  # fmt: skip
