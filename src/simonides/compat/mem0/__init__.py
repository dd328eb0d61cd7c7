"""mem0's classes over a store of ours: the same calls and the same answers, no key, no model, no network.

    from simonides.compat.mem0 import Memory      # was: from mem0 import Memory

Needs nothing but simonides. See docs/drop-ins.md for what differs.
"""

from simonides.compat.mem0.asynchronous import AsyncMemory
from simonides.compat.mem0.checks import ValidationError
from simonides.compat.mem0.memory import Memory

__all__ = ["AsyncMemory", "Memory", "ValidationError"]
