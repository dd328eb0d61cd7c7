"""What every benchmark set is turned into; knows the form of no set, and no metric."""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

from simonides.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

Role = Literal["person", "user", "assistant", "document"]

ADVERSARIAL = "adversarial"
"""Flag: the named turns are a bait, so finding them is no success."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One thing said; `id` is unique in its conversation, `text` omits speaker and date."""

    id: str
    text: str
    speaker: str
    at: datetime
    session: str
    role: Role
    kind: str = "turn"


@dataclass(frozen=True, slots=True)
class Question:
    """One question about a conversation.

    Attributes:
        evidence: ids of the turns that hold the answer, in the order of the conversation.
        answerable: False where the right behaviour is to say that memory does not hold it.
        at: when it is asked; only turns before that may be used. None: after the last turn.
        stale: ids of turns that held the answer before newer evidence replaced them. Some sets
            count them as evidence too; either way the newest should be ranked above them.
    """

    id: str
    text: str
    category: str
    evidence: tuple[str, ...]
    answerable: bool = True
    at: datetime | None = None
    flags: frozenset[str] = frozenset()
    stale: tuple[str, ...] = ()

    @property
    def in_recall(self) -> bool:
        """Whether recall of its evidence is a fair measure; not so for bait or without evidence."""
        return bool(self.evidence) and ADVERSARIAL not in self.flags


@dataclass(frozen=True, slots=True)
class Conversation:
    """One store's worth of turns in strictly increasing time, with the questions asked of it."""

    id: str
    turns: tuple[Turn, ...]
    questions: tuple[Question, ...]
    speakers: tuple[str, ...]
    _times: tuple[datetime, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        times = tuple(turn.at for turn in self.turns)
        if any(later <= earlier for earlier, later in pairwise(times)):
            raise InputError(
                f"conversation {self.id}",
                "turns must be in strictly increasing time",
                way_out="Sort them by `at`.",
            )
        if len({turn.id for turn in self.turns}) < len(self.turns):
            raise InputError(
                f"conversation {self.id}",
                "turn ids must be unique",
                way_out="Rename the repeated ones.",
            )
        object.__setattr__(self, "_times", times)

    def seen_by(self, question: Question) -> int:
        """Return how many leading turns the question may use: those before it was asked."""
        return len(self.turns) if question.at is None else bisect_left(self._times, question.at)


def read_json(path: Path) -> Any:
    """Return the parsed JSON of a file; ``.jsonl`` gives a list of its lines."""
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".jsonl":
            return [json.loads(line) for line in text.splitlines() if line.strip()]
        return json.loads(text)
    except OSError as err:
        way_out = "Give the file or folder of the set."
        raise InputError("benchmark file", "cannot be read", str(path), way_out) from err
    except ValueError as err:
        rule = "must be JSON in UTF-8"
        raise InputError("benchmark file", rule, str(path), "Fetch it again.") from err


def files_of(path: Path, *patterns: str) -> tuple[Path, ...]:
    """Return the file, or the folder's files of the first pattern that has any, 2 before 10."""
    if path.is_file():
        return (path,)
    for pattern in patterns:
        if found := sorted(path.glob(pattern), key=_natural):
            return tuple(found)
    rule = f"must be a file, or a folder holding {' or '.join(patterns)}"
    raise InputError("benchmark path", rule, str(path), "Check the path.")


def _natural(path: Path) -> list[tuple[int, str]]:
    parts = re.split(r"(\d+)", path.as_posix())
    return [(int(part), "") if part.isdecimal() else (0, part) for part in parts]


def parse_date(text: str, *forms: str) -> datetime:
    """Return the UTC instant of a date in one of the `strptime` forms or in ISO 8601."""
    for form in forms:
        try:
            return datetime.strptime(text.strip(), form).replace(tzinfo=UTC)
        except ValueError:
            continue
    try:
        value = datetime.fromisoformat(text.strip())
    except ValueError as err:
        rule = f"must read like {' or '.join(forms)} or ISO 8601"
        raise InputError("date", rule, repr(text), "Correct it in the file.") from err
    return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


def spread(start: datetime, count: int, after: datetime | None, step: timedelta) -> list[datetime]:
    """Return `count` times a `step` apart, from `start` or, if later, one step past `after`."""
    if after is not None:
        start = max(start, after + step)
    return [start + step * i for i in range(count)]


def in_order(turns: Sequence[Turn], ids: Iterable[str]) -> tuple[str, ...]:
    """Return the ids that name one of the turns, each once, in the order of the turns."""
    wanted = set(ids)
    return tuple(turn.id for turn in turns if turn.id in wanted)
