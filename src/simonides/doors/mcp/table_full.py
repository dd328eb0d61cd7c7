"""The tools that `--profile full` adds to the six: every verb that a scope can hold; imports no store."""

from __future__ import annotations

from simonides.doors.mcp.table import BUDGET, HOME, ID
from simonides.doors.mcp.tool import Schema, Tool, choice, flag, text, texts, whole

MORE = f"{HOME}_full"
WHEN = "2026-03-01 or 2026-03-01T09:00:00Z"
PLAN: Schema = flag("Only say what would happen, and do nothing. False if left out.")
REASON = text("Why, in a few words; kept in the history.")
AS_OF = text(f"What was true then: {WHEN}.")
KNOWN_AT = text(f"What this memory believed then: {WHEN}.")
CHOOSING: dict[str, Schema] = {
    "kinds": texts("Only these kinds, e.g. decision, preference, turn. All if left out."),
    "where": text('Filter on metadata as JSON text, e.g. {"city": {"eq": "Lisbon"}}.'),
    "user": text("Only this user's."),
    "agent": text("Only this agent's."),
    "session": text("Only of this conversation."),
    "project": text("Only of this project."),
    "as_of": AS_OF,
    "known_at": KNOWN_AT,
}
FOUND: dict[str, Schema] = {
    "query": text("The question, or the words to look for."),
    "limit": whole("At most this many memories; 10 if left out."),
    **CHOOSING,
    "now": text(f"What words such as yesterday count from: {WHEN}. Now if left out."),
    "gate": flag("False returns the nearest even when nothing fits. True if left out."),
}


def reader(name: str, title: str, description: str, parameters: dict[str, Schema], *required: str) -> Tool:
    """Return a tool that changes nothing and keeps to a budget."""
    return Tool(
        name, title, description, {**parameters, "budget": BUDGET}, required,
        f"{MORE}:{'list_' if name == 'list' else name}", reads=True, idempotent=True,
    )  # fmt: skip


def writer(
    name: str,
    title: str,
    description: str,
    parameters: dict[str, Schema],
    *required: str,
    destroys: bool = False,
) -> Tool:
    """Return a tool that writes."""
    return Tool(
        name, title, description, parameters, required, f"{MORE}:{name}", destroys=destroys, right="write"
    )


SEARCH = reader(
    "search",
    "Search",
    "Find memories with every filter there is: kind, metadata, user, agent, session, project, and both clocks. For "
    "plain questions use recall.",
    FOUND,
    "query",
)
EXPLAIN = reader(
    "explain",
    "Explain",
    "Show why a search finds what it finds: what was read from the query, the share of each signal, and what was "
    "dropped and why.",
    FOUND,
    "query",
)
GET = reader(
    "get",
    "Get",
    "Show one memory whole: its text word for word, dates, source, metadata and version.",
    {"id": ID, "as_of": AS_OF, "known_at": KNOWN_AT},
    "id",
)
LIST = reader(
    "list",
    "List",
    "List memories in the order in which they were written, page by page.",
    {
        "limit": whole("At most this many; 20 if left out."),
        "after": text("Go on behind this id: the last one of the page before."),
        "newest_first": flag("Begin with the newest. False if left out."),
        **CHOOSING,
    },
)
HISTORY = reader(
    "history",
    "History",
    "Show every version of a memory, oldest first, each with its dates, who wrote it and why.",
    {"id": ID},
    "id",
)
LINKS = reader(
    "links",
    "Links",
    "List the links of a memory.",
    {"id": ID, "relation": text("Only this relation.")},
    "id",
)
NEIGHBOURS = reader(
    "neighbours",
    "Neighbours",
    "Show the memories that can be reached from one over links, the nearest first.",
    {
        "id": ID,
        "hops": whole("Over at most this many links; 1 if left out."),
        "relation": text("Only over this relation."),
    },
    "id",
)
LOG = reader(
    "log",
    "Log",
    "Read the log of all changes, or of one memory: what was done, when and by whom. The numbers are for undo.",
    {
        "id": text("Only about this memory. Left out: about all, for whoever may see all."),
        "after": whole("Only entries with a greater number.", least=0),
        "limit": whole("At most this many; 20 if left out."),
    },
)
RESTORE = writer(
    "restore",
    "Restore",
    "Undo the last correction or retirement of a memory, or make the text of one of its versions the truth again.",
    {"id": ID, "version": whole("Number of the version, from history."), "reason": REASON, "plan": PLAN},
    "id",
)
UNDO = writer(
    "undo",
    "Undo",
    "Undo all that was written together with an entry of the log.",
    {"event": whole("Number of the entry, from log or a receipt."), "reason": REASON, "plan": PLAN},
    "event",
    destroys=True,
)
EXPIRE = writer(
    "expire",
    "Expire",
    "Say when a memory expires, or with no time that it never does. From then on only its history shows it.",
    {
        "id": ID,
        "at": text(f"When: {WHEN}. Left out: never."),
        "action": choice("What is done with it then; retire if left out.", "retire", "erase"),
        "reason": REASON,
    },
    "id",
)
LINK = writer(
    "link",
    "Link",
    "Link two memories by a relation, e.g. supports, contradicts, part of.",
    {
        "source": text("Id of the memory that the link leads from."),
        "target": text("Id of the memory that the link leads to."),
        "relation": text("A short verb, e.g. supports."),
        "evidence": text("What shows it, in a few words."),
    },
    "source",
    "target",
    "relation",
)
UNLINK = writer(
    "unlink",
    "Unlink",
    "End a link; it stays in the history.",
    {"id": text("Id of the link, from links.")},
    "id",
    destroys=True,
)
DOCTOR = Tool(
    "doctor",
    "Doctor",
    "Check the store: what was looked at, what is wrong, and the fix.",
    {"budget": BUDGET},
    (),
    f"{MORE}:doctor",
    reads=True,
    idempotent=True,
    right="admin",
)
ERASE = Tool(
    "erase",
    "Erase",
    "Erase memories for good: texts, versions, links and traces. It can't be undone. Plan first, show the user what "
    "would go, and erase only when they agree.",
    {
        "ids": texts("These memories."),
        "query": text("What a search finds."),
        "subject": text("What names this person or thing, as whole words, anywhere in it."),
        "before": text(f"What was said before then: {WHEN}."),
        "reason": text("Why; do not repeat what is to be forgotten."),
        "plan": flag("Only count what would go. True if left out."),
    },
    (),
    f"{MORE}:erase",
    destroys=True,
    idempotent=True,
    right="erase",
)
REVIEW = reader(
    "review",
    "Review",
    "List pairs of memories that look like duplicates or contradictions, and what looks like junk; to be decided on "
    "with settle.",
    {"limit": whole("At most this many; 20 if left out.")},
)
SETTLE = writer(
    "settle",
    "Settle",
    "Decide on a doubt of review: keep all, merge into one, or retire all but one. It can be undone.",
    {
        "doubt": text("Id of the doubt, from review."),
        "decision": choice(
            "keep: leave all as they are. merge: keep one and link the others to it. retire: end all but one.",
            "keep",
            "merge",
            "retire",
        ),
        "keep": text("Id of the memory that stays, for merge and retire."),
        "reason": REASON,
        "plan": PLAN,
    },
    "doubt",
    "decision",
    destroys=True,
)

FULL = (
    SEARCH, GET, LIST, HISTORY, EXPLAIN, LINKS, NEIGHBOURS, LOG, RESTORE, UNDO, EXPIRE, LINK, UNLINK, REVIEW, SETTLE,
    DOCTOR, ERASE,
)  # fmt: skip
