"""What is to become of a new fact and the one it contradicts, chosen before either is written; knows no store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from simonides.errors import UnknownName
from simonides.parts.extract import Fact
from simonides.parts.resolve import Decision, applied
from simonides.types import Add, Change, Memory

Option = Literal["supersede", "retain", "annotate"]
OPTIONS: tuple[Option, ...] = ("supersede", "retain", "annotate")


@dataclass(frozen=True, slots=True)
class Conflict:
    """A new fact and the record it contradicts.

    Attributes:
        sure: the rules see one slot with another value; else somebody should look at it.
        options: ``supersede`` ends the old one where the new begins; ``retain`` leaves the new one out, whose turn
            stays; ``annotate`` keeps both, linked.
    """

    new: Fact
    old: Memory
    reason: str
    sure: bool
    options: tuple[Option, ...] = OPTIONS


Chooser = Callable[[Conflict], Option]


def by_rules(conflict: Conflict) -> Option:
    """Choose: supersede where the rules are sure, else annotate; the link says that it is in doubt."""
    return "supersede" if conflict.sure else "annotate"


def conflict(new: Fact, decision: Decision) -> Conflict | None:
    """Return the conflict that a decision is about; None where the two can both be true."""
    if decision.old is None or decision.op not in ("SUPERSEDE", "INVALIDATE"):
        return None
    return Conflict(new, decision.old, decision.reason, not decision.unsure)


def settled(
    new: Fact, decision: Decision, add: Add, told: Memory, choose: Chooser = by_rules
) -> list[Change]:
    """Return the changes that a decision comes to, once what it contradicts was chosen on.

    Raises:
        UnknownName: the choice is none of the three.
    """
    found = conflict(new, decision)
    if found is None:
        return applied(decision, add, told)
    choice = choose(found)
    if choice not in OPTIONS:
        raise UnknownName("choice", choice, OPTIONS)
    if choice == "retain":
        return []
    chosen = replace(decision, unsure=False) if choice == "supersede" else replace(decision, op="ANNOTATE")
    return applied(chosen, add, told)
