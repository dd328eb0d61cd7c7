"""The verbs of `Memory` as requests to a server; knows the paths of docs/rest.md, and no socket."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, Unpack, overload
from uuid import uuid4

from simonides.client import reading
from simonides.client.bodies import ERASING, WITHIN, body, moment, pieces, require_known, where
from simonides.client.transport import PIECE, Transport, part
from simonides.clock import parse_id
from simonides.types import (
    Context,
    Doubt,
    Erasure,
    Event,
    Explanation,
    Hit,
    Json,
    Kind,
    Link,
    Progress,
    Receipt,
    Rule,
    Source,
    Status,
    Undone,
    Upkeep,
)
from simonides.types import Memory as Version

if TYPE_CHECKING:
    from simonides.finding import Within
    from simonides.ledger import Counts, Finding, Verification
    from simonides.parts.lifecycle import Erasing

_BATCH = 500
"""Rows of `add_many` in one request; the server writes them in one transaction."""
_PAGE = 1000
_MOST_LINKS = 1000


class Client:
    """A memory on a server. The same verbs, results and errors as `Memory`, within what the token may see and do.

    Safe for any number of threads. Reads, and writes too, are tried again when the connection breaks: each write
    carries an idempotency key, so that it is done once.

    Args:
        url: of the server, e.g. ``"https://memory.example.org"``.
        token: from `simonides token create`, or of the server's identity provider.
        timeout: seconds until a server that says nothing is given up.
        retries: how often a request is made again after a lost connection, or when the server is busy.
        ca: a file of certificates to trust in place of the system's.
        insecure: to allow plain http to another machine, e.g. inside a private network.
    """

    def __init__(
        self,
        url: str,
        token: str = "",
        *,
        timeout: float = 75.0,
        retries: int = 2,
        ca: str | Path | None = None,
        insecure: bool = False,
    ) -> None:
        self._http = Transport(url, token, timeout=timeout, retries=retries, ca=ca, insecure=insecure)

    def __repr__(self) -> str:
        """Say where it goes, without the token."""
        return f"Client({self._http.url!r})"

    @property
    def path(self) -> str:
        """The address of the server."""
        return self._http.url

    # Writing

    def add(
        self,
        text: str,
        *,
        kind: str = Kind.TURN,
        speaker: str | None = None,
        at: datetime | None = None,
        user: str | None = None,
        agent: str | None = None,
        session: str | None = None,
        project: str | None = None,
        metadata: Mapping[str, Json] | None = None,
        source: Source | str | None = None,
        ttl: timedelta | None = None,
        expires: datetime | None = None,
        on_expiry: str = "retire",
        wait: bool = False,
        plan: bool = False,
    ) -> Receipt:
        """Write one memory, see `Memory.add`. Of the zone of `at` only the offset travels."""
        row = body({
            "text": text, "kind": kind, "speaker": speaker, "at": at, "user": user, "agent": agent,
            "session": session, "project": project, "metadata": metadata, "source": source, "ttl": ttl,
            "expires": expires, "on_expiry": on_expiry,
        })  # fmt: skip
        return reading.receipt(self._write("POST", "/v1/memories", row, wait=wait, plan=plan))

    def add_many(
        self,
        rows: Iterable[Mapping[str, object]],
        *,
        progress: bool | Callable[[int], object] = False,
        wait: bool = False,
        plan: bool = False,
    ) -> Receipt:
        """Write many memories, 500 in a request and a transaction, see `Memory.add_many`."""
        from simonides.parts.progress import shown

        done: builtins.list[Receipt] = []
        left = iter(rows)
        with shown(progress, "adding") as step:
            while batch := [body(row) for row in islice(left, _BATCH)]:
                told = self._write("POST", "/v1/memories/batch", {"rows": batch}, wait=wait, plan=plan)
                done.append(reading.receipt(told))
                step(len(batch))
        states = {one.state for one in done}
        return Receipt(
            ids=tuple(id for one in done for id in one.ids),
            seqs=tuple(seq for one in done for seq in one.seqs),
            state=states.pop() if len(states) == 1 else "planned" if plan else "stored",
            changes=tuple(change for one in done for change in one.changes),
            skipped=sum(one.skipped for one in done),
        )

    def update(
        self,
        id: str,
        text: str | None = None,
        *,
        at: datetime | None = None,
        metadata: Mapping[str, Json] | None = None,
        if_version: int | None = None,
        reason: str = "updated",
        plan: bool = False,
    ) -> Receipt:
        """Say what is true from `at` on, see `Memory.update`."""
        told = body({"text": text, "at": at, "metadata": metadata, "reason": reason})
        match = _match(if_version)
        return reading.receipt(self._write("PATCH", _memory(id), told, headers=match, plan=plan))

    def retire(
        self,
        id: str,
        *,
        at: datetime | None = None,
        if_version: int | None = None,
        reason: str = "retired",
        plan: bool = False,
    ) -> Receipt:
        """End a memory, see `Memory.retire`."""
        match, when = _match(if_version), moment(at, "at")
        told = self._write("DELETE", _memory(id), None, headers=match, at=when, reason=reason, plan=plan)
        return reading.receipt(told)

    def restore(
        self, id: str, *, version: int | None = None, reason: str = "restored", plan: bool = False
    ) -> Receipt:
        """Undo the last change of a memory, see `Memory.restore`."""
        told = body({"version": version, "reason": reason})
        return reading.receipt(self._write("POST", f"{_memory(id)}/restore", told, plan=plan))

    def expire(
        self,
        id: str,
        at: datetime | None = None,
        *,
        ttl: timedelta | None = None,
        action: str = "retire",
        reason: str = "expiry set",
        plan: bool = False,
    ) -> Receipt:
        """Let a memory expire at a time, or so long from now; with neither, never. See `Memory.expire`."""
        told = body({"at": at, "ttl": ttl, "action": action, "reason": reason})
        return reading.receipt(self._write("PUT", f"{_memory(id)}/expiry", told, plan=plan))

    def link(
        self,
        source: str,
        target: str,
        relation: str,
        *,
        weight: float = 1.0,
        at: datetime | None = None,
        evidence: str = "",
        plan: bool = False,
    ) -> Receipt:
        """Link two memories, see `Memory.link`."""
        told = body({
            "source": source, "target": target, "relation": relation, "weight": weight, "at": at,
            "evidence": evidence,
        })  # fmt: skip
        return reading.receipt(self._write("POST", "/v1/links", told, plan=plan))

    def unlink(self, id: str, *, at: datetime | None = None, plan: bool = False) -> Receipt:
        """End a link, see `Memory.unlink`."""
        told = self._write("DELETE", f"/v1/links/{parse_id(id).hex()}", None, at=moment(at, "at"), plan=plan)
        return reading.receipt(told)

    def undo(self, event: int, *, reason: str = "undone", plan: bool = False) -> Undone:
        """Undo all that was written together with an event of the log, see `Memory.undo`."""
        told = {"reason": reason, "plan": plan}
        return reading.undone(self._write("POST", f"/v1/events/{part(str(event))}/undo", told))

    def erase(
        self, id: str | Sequence[str] | None = None, *, plan: bool = False, **chosen: Unpack[Erasing]
    ) -> Erasure:
        """Erase for good, see `Memory.erase`; `backups` and `full` are the server's own business."""
        require_known(chosen, ERASING)
        ids = None if id is None else [id] if isinstance(id, str) else [*id]
        return reading.erasure(self._write("POST", "/v1/erase", body({"ids": ids, "plan": plan, **chosen})))

    def settle(
        self, doubt: str, decision: str, *, keep: str | None = None, reason: str = "", plan: bool = False
    ) -> Receipt:
        """Decide what becomes of memories that are in doubt, see `Memory.settle`."""
        told = body({"decision": decision, "keep": keep, "reason": reason, "plan": plan})
        return reading.receipt(self._write("POST", f"/v1/review/{part(doubt)}", told))

    # Finding

    def search(
        self,
        query: str,
        *,
        k: int = 10,
        user: str | None = None,
        agent: str | None = None,
        session: str | None = None,
        project: str | None = None,
        kinds: Sequence[str] | None = None,
        where: Mapping[str, Json] | None = None,
        as_of: datetime | None = None,
        known_at: datetime | None = None,
        now: datetime | None = None,
        gate: bool = True,
    ) -> builtins.list[Hit]:
        """Return the memories that answer a query, best first, see `Memory.search`."""
        asked = body({
            "query": query, "k": k, "user": user, "agent": agent, "session": session, "project": project,
            "kinds": kinds, "where": where, "as_of": as_of, "known_at": known_at, "now": now, "gate": gate,
        })  # fmt: skip
        return [reading.hit(one) for one in self._ask("POST", "/v1/search", asked)["hits"]]

    def explain(self, query: str, *, k: int = 10, gate: bool = True, **within: Unpack[Within]) -> Explanation:
        """Return all that a search considered, see `Memory.explain`."""
        require_known(within, WITHIN)
        asked = body({"query": query, "k": k, "gate": gate, **within})
        return reading.explanation(self._ask("POST", "/v1/explain", asked))

    def context(
        self, query: str, *, budget: int = 800, k: int = 30, gate: bool = True, **within: Unpack[Within]
    ) -> Context:
        """Return the hits of a search packed for a prompt, see `Memory.context`."""
        require_known(within, WITHIN)
        asked = body({"query": query, "budget": budget, "k": k, "gate": gate, **within})
        return reading.context(self._ask("POST", "/v1/context", asked))

    def get(self, id: str, *, as_of: datetime | None = None, known_at: datetime | None = None) -> Version:
        """Return one memory as it is, or as it was by either clock, see `Memory.get`."""
        return reading.memory(self._ask("GET", _memory(id), **_then(as_of, known_at)))

    def list(
        self,
        *,
        user: str | None = None,
        agent: str | None = None,
        session: str | None = None,
        project: str | None = None,
        kinds: Sequence[str] | None = None,
        where: Mapping[str, Json] | None = None,
        as_of: datetime | None = None,
        known_at: datetime | None = None,
        limit: int = 100,
        after: str = "",
        newest_first: bool = False,
    ) -> builtins.list[Version]:
        """Return memories in the order in which they were written, in pages behind the scenes; see `Memory.list`."""
        asked = {
            "user": user, "agent": agent, "session": session, "project": project, "kind": kinds,
            "where": _filter(where), "newest_first": newest_first, **_then(as_of, known_at),
        }  # fmt: skip
        return reading.memories(self._pages("/v1/memories", "memories", asked, limit, after))

    def history(self, id: str) -> builtins.list[Version]:
        """Return every version of a memory, oldest first, see `Memory.history`."""
        return reading.memories(self._ask("GET", f"{_memory(id)}/history")["versions"])

    def links(
        self,
        id: str | None = None,
        *,
        relation: str | None = None,
        as_of: datetime | None = None,
        known_at: datetime | None = None,
    ) -> builtins.list[Link]:
        """Return the links of a memory, or all, see `Memory.links`."""
        asked = {"relation": relation, **_then(as_of, known_at)}
        if id is None:
            found = self._pages("/v1/links", "links", asked, _MOST_LINKS, "")
        else:
            found = self._ask("GET", f"{_memory(id)}/links", **asked)["links"]
        return [reading.link(one) for one in found]

    def neighbours(
        self,
        id: str,
        hops: int = 1,
        *,
        relation: str | None = None,
        as_of: datetime | None = None,
        known_at: datetime | None = None,
    ) -> dict[str, int]:
        """Return the ids that can be reached over links, with the number of hops, see `Memory.neighbours`."""
        asked = {"hops": hops, "relation": relation, **_then(as_of, known_at)}
        return self._ask("GET", f"{_memory(id)}/neighbours", **asked)["neighbours"]

    def log(self, *, after: int = 0, limit: int = 100, subject: str = "") -> builtins.list[Event]:
        """Return entries of the log, oldest first, see `Memory.log`."""
        asked = {"subject": subject or None}
        return [reading.event(one) for one in self._pages("/v1/log", "events", asked, limit, after)]

    def review(
        self,
        *,
        user: str | None = None,
        agent: str | None = None,
        session: str | None = None,
        project: str | None = None,
        limit: int = 100,
    ) -> builtins.list[Doubt]:
        """Return what is in doubt, see `Memory.review`."""
        scope = {"user": user, "agent": agent, "session": session, "project": project}
        told = self._ask("GET", "/v1/review", **scope, limit=limit)
        return [reading.doubt(one) for one in told["doubts"]]

    # Keeping

    @overload
    def status(self) -> Status: ...

    @overload
    def status(self, receipt: Receipt | Iterable[str] | str) -> builtins.list[Progress]: ...

    def status(
        self, receipt: Receipt | Iterable[str] | str | None = None
    ) -> Status | builtins.list[Progress]:
        """Return how much there is; or, of a receipt or of ids, how far each memory is. See `Memory.status`."""
        if receipt is None:
            return reading.status(self._ask("GET", "/v1/status"), self.path)
        ids = receipt.ids if isinstance(receipt, Receipt) else receipt
        left = iter([ids] if isinstance(ids, str) else ids)
        found: builtins.list[Progress] = []
        while some := [*islice(left, 100)]:
            found += map(reading.progress, self._ask("GET", "/v1/progress", id=some)["progress"])
        return found

    def doctor(self) -> builtins.list[Finding]:
        """Return each thing that was checked: what is wrong, and the fix."""
        from simonides.ledger import Finding

        told = self._ask("GET", "/v1/doctor")["findings"]
        return [Finding(one["name"], one["ok"], one["detail"], one["fix"]) for one in told]

    def verify(self) -> Verification:
        """Check the log's hash chain and every memory against it, see `Memory.verify`."""
        from simonides.ledger import Verification

        told = self._ask("GET", "/v1/verify")
        return Verification(told["events"], told["head"], tuple(told["problems"]))

    def retention(self, *, add: Rule | None = None, drop: int | None = None) -> builtins.list[Rule]:
        """Return the rules of how long memories are kept, after adding or dropping one; see `Memory.retention`."""
        if add is not None:
            scope = {name: value for name in _SCOPE if (value := getattr(add.scope, name))}
            told = {"seconds": add.seconds, "action": add.action, "kind": add.kind, "reason": add.reason}
            self._http.ask("POST", "/v1/retention", told | {"scope": scope}, again=False)
        if drop is not None:
            self._write("DELETE", f"/v1/retention/{part(str(drop))}", None)
        return [reading.rule(one) for one in self._ask("GET", "/v1/retention")["rules"]]

    def upkeep(self, *, plan: bool = False, full: bool = False) -> Upkeep:
        """Retire or erase what has expired, see `Memory.upkeep`."""
        return reading.upkeep(self._write("POST", "/v1/upkeep", {"plan": plan, "full": full}))

    def dump(self) -> Iterator[dict[str, Json]]:
        """Yield the whole store as plain values, as they come; `undump` takes them."""
        for line in self._http.lines("/v1/export"):
            yield self._http.json(line)

    def undump(
        self, records: Iterable[Mapping[str, Json]], *, plan: bool = False, even_erased: bool = False
    ) -> Counts:
        """Take in what `dump` yielded, sent as it comes; see `Memory.undump`. It is not tried again: twice is fine."""
        from simonides.ledger import Counts

        told = self._http.send(
            "/v1/import",
            pieces(records, PIECE),
            kind="application/x-ndjson",
            query={"plan": plan or None, "even_erased": even_erased or None},
            headers=_key(),
        )
        return Counts(**{name: told[name] for name in Counts.__dataclass_fields__})

    def whoami(self) -> dict[str, Json]:
        """Return what the token stands for: its name, scope, rights and end."""
        return self._ask("GET", "/v1/whoami")

    def close(self) -> None:
        """Close the connections; twice is fine."""
        self._http.close()

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    # Inside

    def _ask(self, method: str, path: str, asked: object = None, **query: Any) -> Any:
        return self._http.ask(method, path, asked, query=query)

    def _write(
        self, method: str, path: str, told: object, *, headers: Mapping[str, str] | None = None, **query: Any
    ) -> Any:
        chosen = {name: value for name, value in query.items() if value not in (None, False)}
        return self._http.ask(method, path, told, query=chosen, headers={**_key(), **(headers or {})})

    def _pages(
        self, path: str, name: str, asked: Mapping[str, Any], limit: int, after: str | int
    ) -> builtins.list[Any]:
        """Return so many of a list, a page at a time."""
        found: builtins.list[Any] = []
        while True:
            size = limit if limit < 1 else min(limit - len(found), _PAGE)
            page = self._ask("GET", path, **asked, limit=size, after=after or None)
            found += page[name]
            if page["next"] is None or len(found) >= limit:
                return found[:limit]
            after = page["next"]


_SCOPE = ("user", "agent", "session", "project")
_filter = where


def _memory(id: str) -> str:
    return f"/v1/memories/{parse_id(id).hex()}"


def _match(version: int | None) -> dict[str, str]:
    return {} if version is None else {"If-Match": f'"{version}"'}


def _then(as_of: datetime | None, known_at: datetime | None) -> dict[str, str | None]:
    return {"as_of": moment(as_of, "as_of"), "known_at": moment(known_at, "known_at")}


def _key() -> dict[str, str]:
    return {"Idempotency-Key": uuid4().hex}
