"""The ledger floor: one SQLite file that holds memories, links, their log and what is derived; knows no search."""

from simonides.ledger.check import Finding
from simonides.ledger.derived import Code
from simonides.ledger.portable import Counts
from simonides.ledger.proof import Verification
from simonides.ledger.replays import Replay
from simonides.ledger.rows import Fresh
from simonides.ledger.rules import Lexical, register_kind
from simonides.ledger.selection import Selection
from simonides.ledger.store import Ledger
from simonides.ledger.upkeep import Manner

__all__ = [
    "Code",
    "Counts",
    "Finding",
    "Fresh",
    "Ledger",
    "Lexical",
    "Manner",
    "Replay",
    "Selection",
    "Verification",
    "register_kind",
]
