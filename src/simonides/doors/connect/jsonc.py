"""JSON with comments and trailing commas: where each value stands, and small edits that touch nothing else.

Knows no client. Texts are edited, not written anew: order, comments, indentation and line ends of the rest stay.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from simonides.types import Json

_SPACE = re.compile(r"(?:[ \t\r\n\ufeff]++|//[^\n]*+|/\*(?:[^*]|\*(?!/))*+\*/)*+")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*+"')
_PLAIN = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null")
_DEEPEST = 200


class Unreadable(ValueError):
    """The text is no JSON; the message says where."""


@dataclass(slots=True)
class Node:
    """A value and where it stands: `[start, end)`.

    Attributes:
        members: of an object, in order; each a key, where the key begins, and its value.
        items: of an array. comma: whether a comma follows the last of either.
    """

    start: int
    end: int = 0
    value: Json = None
    members: list[tuple[str, int, Node]] | None = None
    items: list[Node] | None = None
    comma: bool = False
    keys: dict[str, Node] = field(default_factory=dict[str, "Node"])

    def parts(self) -> list[tuple[int, int]]:
        """Return where each member or item stands, its key included."""
        if self.members is not None:
            return [(start, node.end) for _, start, node in self.members]
        return [(node.start, node.end) for node in self.items or []]


def parse(text: str) -> Node:
    """Return the one value of a text; an empty text is an empty object.

    Raises:
        Unreadable: with the line.
    """
    place = _space(text, 0)
    if place == len(text):
        return Node(place, place, {}, [])
    node = _value(text, place, 0)
    if _space(text, node.end) != len(text):
        raise _wrong(text, _space(text, node.end), "something stands behind the end")
    return node


def _space(text: str, place: int) -> int:
    found = _SPACE.match(text, place)
    return found.end() if found else place


def _wrong(text: str, place: int, what: str) -> Unreadable:
    line = text.count("\n", 0, place) + 1
    return Unreadable(f"line {line}: {what}")


def _value(text: str, place: int, depth: int) -> Node:
    if depth > _DEEPEST:
        raise _wrong(text, place, "nested too deeply")
    sign = text[place : place + 1]
    if sign in ("{", "["):
        return _container(text, place, depth)
    found = _STRING.match(text, place) if sign == '"' else _PLAIN.match(text, place)
    if found is None:
        raise _wrong(text, place, "a value is expected here")
    try:
        return Node(place, found.end(), json.loads(found[0]))
    except ValueError as err:
        raise _wrong(text, place, "a string is not well formed") from err


def _container(text: str, place: int, depth: int) -> Node:
    is_object = text[place] == "{"
    node = Node(place, members=[] if is_object else None, items=None if is_object else [])
    close = "}" if is_object else "]"
    place = _space(text, place + 1)
    while text[place : place + 1] != close:
        if node.parts() and not node.comma:
            raise _wrong(text, place, f"a comma or {close} is expected here")
        child = (
            _member(text, place, depth, node) if node.members is not None else _item(text, place, depth, node)
        )
        place = _space(text, child.end)
        node.comma = text[place : place + 1] == ","
        if node.comma:
            place = _space(text, place + 1)
    node.end = place + 1
    node.value = (
        {key: child.value for key, child in node.keys.items()}
        if is_object
        else [child.value for child in node.items or []]
    )
    return node


def _member(text: str, place: int, depth: int, node: Node) -> Node:
    found = _STRING.match(text, place)
    if found is None:
        raise _wrong(text, place, 'a name in double quotes, or "}", is expected here')
    key = str(json.loads(found[0], strict=False))
    colon = _space(text, found.end())
    if text[colon : colon + 1] != ":":
        raise _wrong(text, colon, "a colon is expected here")
    child = _value(text, _space(text, colon + 1), depth + 1)
    if node.members is not None:
        node.members.append((key, place, child))
    node.keys[key] = child
    return child


def _item(text: str, place: int, depth: int, node: Node) -> Node:
    child = _value(text, place, depth + 1)
    if node.items is not None:
        node.items.append(child)
    return child


def find(root: Node, path: tuple[str, ...]) -> Node | None:
    """Return the value under names, None where there is none."""
    for name in path:
        if name not in root.keys:
            return None
        root = root.keys[name]
    return root


def put(text: str, path: tuple[str, ...], value: Json) -> str:
    """Return the text with the value under names, in place of what was there or behind its last neighbour.

    Raises:
        Unreadable: the text is no JSON, or a name on the way holds something else than an object.
    """
    root = parse(text)
    if not text.strip("\ufeff \t\r\n"):
        return _whole(text, path, value)
    for depth in range(len(path), -1, -1):
        node = find(root, path[:depth])
        if node is None:
            continue
        if depth == len(path):
            return text[: node.start] + _shown(text, value, _indent_at(text, node.start)) + text[node.end :]
        if node.members is None:
            name = path[depth - 1] if depth else "the file"
            raise Unreadable(f"line {text.count(chr(10), 0, node.start) + 1}: {name} must be an object")
        for name in reversed(path[depth + 1 :]):
            value = {name: value}
        return _insert(text, node, f"{json.dumps(path[depth])}: ", value)
    return text


def append(text: str, path: tuple[str, ...], value: Json) -> str:
    """Return the text with the value at the end of the array under names, which is made if it is not there."""
    node = find(parse(text), path)
    if node is None:
        return put(text, path, [value])
    if node.items is None:
        raise Unreadable(f"line {text.count(chr(10), 0, node.start) + 1}: {path[-1]} must be a list")
    return _insert(text, node, "", value)


def replace(text: str, node: Node, value: Json) -> str:
    """Return the text with another value in the place of a node."""
    return text[: node.start] + _shown(text, value, _indent_at(text, node.start)) + text[node.end :]


def cut(text: str, holder: Node, number: int) -> str:
    """Return the text without a member of an object or an item of an array, and without its comma."""
    parts = holder.parts()
    start, end = parts[number]
    behind = _space(text, end)
    if text[behind : behind + 1] == ",":
        return _without(text, start, behind + 1)
    if not number:
        alone = not (text[holder.start + 1 : start] + text[end : holder.end - 1]).strip()
        return _without(text, holder.start + 1, holder.end - 1) if alone else _without(text, start, end)
    comma = _space(text, parts[number - 1][1])
    return _without(text[:comma] + text[comma + 1 :], start - 1, end - 1)


def _without(text: str, start: int, end: int) -> str:
    """Take a span out, and the blanks before it, unless a comment before it would then swallow what follows."""
    head, rest = text[:start], text[end:]
    bare = head.rstrip(" \t\r\n")
    blanks = head[len(bare) :]
    if "\n" not in blanks or rest.lstrip(" \t")[:1] in ("\r", "\n"):
        return bare + rest
    return head + rest


def _insert(text: str, holder: Node, prefix: str, value: Json) -> str:
    parts = holder.parts()
    close = holder.end - 1
    inside = text[holder.start + 1 : close]
    outer = _indent_at(text, holder.start)
    line_end = _line_end(text)
    if parts and "\n" not in inside:
        shown = prefix + json.dumps(value, ensure_ascii=False)
        last = parts[-1][1]
        glue = " " if holder.comma else ", "
        place = close - (len(inside) - len(inside.rstrip())) if holder.comma else last
        return text[:place] + glue + shown + ("," if holder.comma else "") + text[place:]
    indent = _indent_at(text, parts[-1][0]) if parts else outer + _unit(text)
    shown = f"{line_end}{indent}{prefix}{_shown(text, value, indent)}" + ("," if holder.comma else "")
    place = holder.start + 1 + len(inside.rstrip())
    tail = text[place:] if parts or inside.strip() else f"{line_end}{outer}{text[close:]}"
    if parts and not holder.comma:
        last = parts[-1][1]
        return text[:last] + "," + text[last:place] + shown + tail
    return text[:place] + shown + tail


def _whole(text: str, path: tuple[str, ...], value: Json) -> str:
    for name in reversed(path):
        value = {name: value}
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    return mark + json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _shown(text: str, value: Json, indent: str) -> str:
    unit: str | int = _unit(text)
    lines = json.dumps(value, indent=unit, ensure_ascii=False).split("\n")
    return f"{_line_end(text)}{indent}".join(lines)


def _line_end(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _indent_at(text: str, place: int) -> str:
    """Return the blanks with which the line of a place begins."""
    line = text[text.rfind("\n", 0, place) + 1 : place]
    return line[: len(line) - len(line.lstrip(" \t"))]


def _unit(text: str) -> str:
    """Return one step of indentation: that of the first line that has any."""
    found = re.search(r"^([ \t]+)[\"\[{]", text, re.MULTILINE)
    return found[1] if found else "  "


def merged(data: Json, path: tuple[str, ...], value: Json) -> Json:
    """Return data with a value under names: what an edit must come to."""
    if not path:
        return value
    known: Mapping[str, Json] = data if isinstance(data, dict) else {}
    return {**known, path[0]: merged(known.get(path[0], {}), path[1:], value)}
