"""A tree of text files kept as memories, with the six commands of Anthropic's memory tool; knows no SDK.

Each file is one memory of the kind ``block``: every edit is a version with its history, and its words are found like
those of any memory. The path stands in its metadata. One more memory, the root, holds the folders that were made, and
its version orders all that changes the tree: whoever decided on an older one decides again. So any number of threads
and processes may work on one tree.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

from simonides.clock import new_id
from simonides.compat.tree import (
    DEPTH,
    FOLDER_SIZE,
    ROOT,
    TOOL,
    WIDTH,
    Refused,
    Tree,
    above,
    content,
    folders_of,
    inner,
    inside,
    lines_of,
    listed,
    moved,
    numbered,
    path_of,
    root_metadata,
    size,
)
from simonides.errors import Conflict, InputError, NotFound
from simonides.memory import Memory as Store
from simonides.types import Add, Change, Kind, Memory, Restore, Retire, Scope, Supersede

TRIES = 50
PAGE = 500


class Folder:
    """A tree of files in a scope of a store; each command returns the documented text, or raises `Refused` with it.

    Args:
        store: where the files are kept.
        scope: whose they are; each scope has a tree of its own.
        erase: what is deleted is erased for good, instead of ending and keeping its history.
    """

    def __init__(self, store: Store, scope: Scope = Scope(), *, erase: bool = False) -> None:
        self.store = store
        self.scope = scope
        self.erase = erase
        name = "\0".join((TOOL, scope.user, scope.agent, scope.session, scope.project))
        self._root = hashlib.sha256(name.encode()).hexdigest()[:32]

    # The six commands

    def view(self, path: str, lines: Sequence[int] | None = None) -> str:
        """Return a file with numbered lines, or those from-to; or what is in a folder, two levels deep."""
        where = inner(path)
        tree = self._tree()
        if where in tree.files:
            return numbered(path, content(tree.files[where]), lines)
        if not tree.there(where):
            raise Refused(f"The path {path} does not exist. Please provide a valid path.")
        rows = [f"{size(FOLDER_SIZE)}\t{path}", *listed(tree, where, path)]
        head = (
            f"Here're the files and directories up to {DEPTH} levels deep in {path}, excluding hidden items:"
        )
        return "\n".join((head, *rows))

    def create(self, path: str, text: str) -> str:
        """Write a new file, and the folders above it; one that is there is left alone."""
        where = inner(path)

        def decide(tree: Tree) -> list[Change]:
            if tree.there(where):
                raise Refused(f"File {path} already exists")
            self._require_folders(tree, where, path)
            folders = folders_of(tree.root) | {*above(where)}
            return [self._held(where, text), self._ordering(tree, folders)]

        self._change(decide)
        return f"File created successfully at: {path}"

    def str_replace(self, path: str, old: str, new: str) -> str:
        """Replace a text that occurs once in a file; return the lines around it."""
        shown: list[str] = []

        def edited(text: str) -> str:
            count = text.count(old)
            if count == 0:
                raise Refused(
                    f"No replacement was performed, old_str `{old}` did not appear verbatim in {path}."
                )
            if count > 1:
                places = ", ".join(str(line) for line in lines_of(text, old))
                raise Refused(
                    f"No replacement was performed. Multiple occurrences of old_str `{old}` in lines: {places}. "
                    "Please ensure it is unique"
                )
            line = text[: text.find(old)].count("\n")
            result = text.replace(old, new)
            after = result.split("\n")
            first, last = max(0, line - 2), min(len(after), line + 3)
            shown[:] = [f"{number + 1:>{WIDTH}}\t{after[number]}" for number in range(first, last)]
            return result

        self._edit(path, edited)
        head = "The memory file has been edited. Here is the snippet showing the change (with line numbers):"
        return "\n".join((head, *shown))

    def insert(self, path: str, line: int, text: str) -> str:
        """Insert a text after a line, 0 for the beginning."""

        def edited(before: str) -> str:
            lines = before.split("\n")
            if lines[-1] == "":
                lines.pop()
            if not 0 <= line <= len(lines):
                raise Refused(
                    f"Invalid `insert_line` parameter: {line}. It should be within the range [0, {len(lines)}]."
                )
            lines.insert(line, text.rstrip("\n"))
            after = "\n".join(lines)
            return after if after.endswith("\n") else f"{after}\n"

        self._edit(path, edited)
        return f"The file {path} has been edited."

    def delete(self, path: str) -> str:
        """End a file, or a folder with all that is in it."""
        where = inner(path)
        if not where:
            raise Refused(f"Cannot delete the {ROOT} directory itself")
        doomed: list[Memory] = []

        def decide(tree: Tree) -> list[Change]:
            if not tree.there(where):
                raise Refused(f"The path {path} does not exist")
            doomed[:] = tree.below(where).values()
            left = {one for one in folders_of(tree.root) if one != where and not inside(one, where)}
            left |= {*above(where)}  # a folder stays when what was in it goes
            return [*map(self._retiring, doomed), self._ordering(tree, left)]

        self._change(decide)
        if self.erase:
            self._forget(doomed)
        return f"Successfully deleted {path}"

    def rename(self, old: str, new: str) -> str:
        """Move a file, or a folder with all that is in it; each file keeps its history."""
        source, target = inner(old), inner(new)
        if not source:
            raise Refused(f"Cannot rename the {ROOT} directory itself")

        def decide(tree: Tree) -> list[Change]:
            if tree.there(target):
                raise Refused(f"The destination {new} already exists")
            if not tree.there(source):
                raise Refused(f"The path {old} does not exist")
            if inside(target, source):
                raise Refused(f"Cannot move {old} into itself: {new}")
            self._require_folders(tree, target, new)
            made = {moved(one, source, target) for one in folders_of(tree.root)}
            moves = [
                self._moving(one, moved(name, source, target)) for name, one in tree.below(source).items()
            ]
            return [*moves, self._ordering(tree, made | {*above(source)} | {*above(target)})]

        self._change(decide)
        return f"Successfully renamed {old} to {new}"

    def clear(self) -> str:
        """End all files and folders."""
        doomed: list[Memory] = []

        def decide(tree: Tree) -> list[Change]:
            doomed[:] = tree.files.values()
            return [*map(self._retiring, doomed), self._ordering(tree, set())]

        self._change(decide)
        if self.erase:
            self._forget(doomed)
        return "All memory cleared"

    def files(self) -> dict[str, Memory]:
        """Return the memories of all files, by path."""
        return {f"{ROOT}/{name}": one for name, one in sorted(self._tree().files.items())}

    # What there is

    def _tree(self) -> Tree:
        """Return what there is; the root is read first, so that a file which comes in later makes it stale."""
        root = self._newest_root()
        files: dict[str, Memory] = {}
        after = ""
        whose = self.scope
        while page := self.store.list(
            user=whose.user, agent=whose.agent, session=whose.session, project=whose.project,
            kinds=[Kind.BLOCK], where={"tool": TOOL}, limit=PAGE, after=after,
        ):  # fmt: skip
            files |= {path_of(one): one for one in page if one.id != self._root}
            after = page[-1].id
        made = folders_of(root)
        return Tree(root, files, frozenset(made | {each for name in files for each in above(name)}))

    def _newest_root(self) -> Memory | None:
        try:
            return self.store.get(self._root)
        except NotFound:
            return None

    def _require_folders(self, tree: Tree, where: str, path: str) -> None:
        """Refuse a path that leads through a file."""
        for folder in above(where):
            if folder in tree.files:
                raise Refused(f"Cannot make {path}: {ROOT}/{folder} is a file, not a directory")

    # Changing it

    def _change(self, decide: Callable[[Tree], list[Change]]) -> None:
        """Change the tree as was decided on what it is; again when somebody else has changed it meanwhile."""

        def attempt() -> None:
            tree = self._tree()
            if tree.root is None:
                decide(tree)  # refuses before anything is written
                self._make_root()
                tree = self._tree()
            self._apply(decide(tree))

        _again(attempt)

    def _edit(self, path: str, edited: Callable[[str], str]) -> None:
        """Change the text of a file."""
        where = inner(path)

        def attempt() -> None:
            tree = self._tree()
            if not tree.there(where):
                raise Refused(f"The path {path} does not exist. Please provide a valid path.")
            if where not in tree.files:
                raise Refused(f"The path {path} is not a file.")
            file = tree.files[where]
            held = self._held(where, edited(content(file)))
            version = file.version
            self._apply(
                [
                    Supersede(
                        file.id, held.text, attributes=held.attributes, if_version=version, reason="edited"
                    )
                ]
            )

        _again(attempt)

    def _apply(self, changes: Sequence[Change]) -> None:
        try:
            self.store.apply(changes)
        except NotFound as err:
            raise Conflict("memory tool", "a file was erased meanwhile") from err
        except Conflict:
            raise
        except InputError as err:
            if "ended" in err.rule:
                raise Conflict("memory tool", "a file was deleted meanwhile") from err
            raise Refused(f"{err.subject}: {err.rule}.") from err

    def _make_root(self, folders: Iterable[str] = ()) -> None:
        """Make the memory that orders changes; two who do it at once make one, for its id follows from the scope."""
        at, metadata = self.store.clock.now(), root_metadata(folders)
        root = Add(self._root, ROOT, at, kind=Kind.BLOCK, scope=self.scope, metadata=metadata, reason="made")
        try:
            self.store.apply([root])
        except Conflict:
            with suppress(InputError):  # somebody else has just made it; or it had been retired
                self.store.apply([Restore(self._root)])

    def _forget(self, doomed: Sequence[Memory]) -> None:
        """Erase files that were deleted, and what the root's older versions say of their folders."""
        root = self._newest_root()
        ids = [one.id for one in doomed] + ([] if root is None else [self._root])
        with suppress(NotFound):  # somebody else has just erased one of them
            self.store.erase(ids, reason="deleted")
        self._make_root(folders_of(root))

    def _held(self, where: str, text: str) -> Add:
        """Return a file as a memory; a memory must have words, so that of an empty file says its path."""
        plain = bool(text) and not text.isspace()
        return Add(
            new_id(),
            text if plain else f"{ROOT}/{where}",
            self.store.clock.now(),
            kind=Kind.BLOCK,
            scope=self.scope,
            metadata={"tool": TOOL, "path": f"{ROOT}/{where}"},
            attributes={} if plain else {"content": text},
            reason="created",
        )

    def _moving(self, file: Memory, where: str) -> Supersede:
        metadata = {**file.metadata, "path": f"{ROOT}/{where}"}
        text = f"{ROOT}/{where}" if "content" in file.attributes else None
        return Supersede(file.id, text, metadata=metadata, if_version=file.version, reason="renamed")

    def _retiring(self, file: Memory) -> Retire:
        return Retire(file.id, self.store.clock.now(), if_version=file.version, reason="deleted")

    def _ordering(self, tree: Tree, folders: Iterable[str]) -> Supersede:
        """Return the change that makes every decision on this tree stale, but the one that it is part of."""
        version = None if tree.root is None else tree.root.version
        metadata = root_metadata(folders)
        return Supersede(self._root, metadata=metadata, if_version=version, reason="changed")


def _again(attempt: Callable[[], None]) -> None:
    """Try until nobody comes in between."""
    for _ in range(TRIES - 1):
        try:
            return attempt()
        except Conflict:
            continue
    return attempt()
