"""Paths and views of a tree of files kept as memories, as Anthropic's memory tool shows them; knows no store."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from simonides.errors import InputError
from simonides.types import Json, Memory

ROOT = "/memories"
TOOL = "memory_20250818"
"""What `tool` says in the metadata of files; `path` stands beside it."""
MAX_LINES = 999_999
WIDTH = 6
"""Of the numbers of lines."""
DEPTH = 2
"""Levels that a view of a folder goes down."""
LONGEST = 1024
"""Characters of a path."""
FOLDER_SIZE = 4096
"""What a folder is said to take, as on most file systems."""


class Refused(InputError):
    """A command can't be done; `args[0]` is the tool's own text for the model."""

    def __init__(self, text: str) -> None:
        super().__init__("memory tool", text)
        self.args = (text,)


@dataclass(frozen=True, slots=True)
class Tree:
    """What there is at one moment.

    Attributes:
        root: the memory that orders changes; None where it has to be made first.
        files: by path below the root, as ``notes/plan.md``.
        folders: the paths of folders, those above files included; without the root.
    """

    root: Memory | None
    files: Mapping[str, Memory]
    folders: frozenset[str]

    def below(self, path: str) -> dict[str, Memory]:
        """Return the file of a path, or all files in a folder and its folders."""
        return {name: one for name, one in self.files.items() if name == path or inside(name, path)}

    def there(self, path: str) -> bool:
        """Tell whether there is a file or folder."""
        return not path or path in self.files or path in self.folders


def inner(path: str) -> str:
    """Return a path below the root, empty for the root itself.

    Raises:
        Refused: it isn't below the root, or is written in a way that could lead out of it elsewhere.
    """
    if path != ROOT and not path.startswith(f"{ROOT}/"):
        raise Refused(f"Path must start with {ROOT}, got: {path}")
    if len(path) > LONGEST or any(unicodedata.category(letter) in ("Cc", "Cs") for letter in path):
        raise Refused(f"Path {path!r} must be at most {LONGEST} characters, none of them a control character")
    parts: list[str] = []
    for part in path.removeprefix(ROOT).split("/"):
        if part == ".." and parts:
            parts.pop()
        elif part == ".." or _leads_up(part):
            raise Refused(f"Path {path} would escape {ROOT} directory")
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def content(file: Memory) -> str:
    """Return the text of a file, exactly."""
    return str(file.attributes.get("content", file.text))


def size(count: int) -> str:
    """Return a number of bytes as a person reads it: 0B, 12B, 4K, 1.5K."""
    power = min((max(count, 1).bit_length() - 1) // 10, 3)
    value = count / 1024**power
    return f"{value:.0f}{'BKMG'[power]}" if value == int(value) else f"{value:.1f}{'BKMG'[power]}"


def _leads_up(part: str) -> bool:
    """Tell whether a name is ``..`` once it is decoded, or has one behind a backslash."""
    for _ in range(3):
        if ".." in part.replace("\\", "/").split("/"):
            return True
        part = unquote(part)
    return False


def numbered(path: str, text: str, lines: Sequence[int] | None) -> str:
    """Return a file with numbered lines, or those from-to."""
    rows = text.split("\n")
    if len(rows) > MAX_LINES:
        raise Refused(f"File {path} exceeds maximum line limit of {MAX_LINES:,} lines.")
    first, last = 0, len(rows)
    if lines and len(lines) == 2:
        first, last = max(1, lines[0]) - 1, len(rows) if lines[1] == -1 else lines[1]
    shown = [f"{first + number:>{WIDTH}}\t{row}" for number, row in enumerate(rows[first:last], start=1)]
    return f"Here's the content of {path} with line numbers:\n" + "\n".join(shown)


def listed(tree: Tree, where: str, shown: str, depth: int = 1) -> Iterator[str]:
    """Yield the rows of a view of a folder, each thing before what is in it."""
    for name in sorted(_children(tree, where)):
        whole = f"{where}/{name}" if where else name
        if name.startswith("."):
            continue
        if whole in tree.files:
            yield f"{size(len(content(tree.files[whole]).encode()))}\t{shown}/{name}"
            continue
        yield f"{size(FOLDER_SIZE)}\t{shown}/{name}/"
        if depth < DEPTH:
            yield from listed(tree, whole, f"{shown}/{name}", depth + 1)


def _children(tree: Tree, where: str) -> set[str]:
    """Return the names of what is in a folder."""
    before = f"{where}/" if where else ""
    return {
        one.removeprefix(before).split("/")[0]
        for one in (*tree.files, *tree.folders)
        if one.startswith(before) and one != where
    }


def lines_of(text: str, part: str) -> Iterator[int]:
    """Yield the numbers of the lines in which a part begins."""
    at = text.find(part)
    while at != -1:
        yield text[:at].count("\n") + 1
        at = text.find(part, at + 1)


def above(path: str) -> Iterator[str]:
    """Yield the folders above a path, the root left out."""
    parts = path.split("/")
    for count in range(1, len(parts)):
        yield "/".join(parts[:count])


def inside(path: str, folder: str) -> bool:
    """Tell whether something is in a folder, however deep."""
    return path.startswith(f"{folder}/")


def moved(path: str, source: str, target: str) -> str:
    """Return where a path is after something was renamed."""
    return target + path.removeprefix(source) if path == source or inside(path, source) else path


def path_of(file: Memory) -> str:
    """Return where a file is, below the root."""
    return str(file.metadata.get("path", "")).removeprefix(f"{ROOT}/")


def folders_of(root: Memory | None) -> set[str]:
    """Return the folders that the root holds."""
    told = None if root is None else root.metadata.get("folders")
    return {str(one) for one in told} if isinstance(told, list) else set[str]()


def root_metadata(folders: Iterable[str]) -> dict[str, Json]:
    """Return what the root holds."""
    return {"tool": TOOL, "path": ROOT, "folders": [*sorted({*folders})]}
