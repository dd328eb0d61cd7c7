"""What a tool is before anything heavy is loaded: its words, its flat schema, its hints; knows no tool and no SDK."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

Schema: TypeAlias = "dict[str, object]"
"""A JSON schema. Of tools it is flat: no references, no unions, nothing nullable, so that every client takes it."""


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool.

    Attributes:
        description: what teaches a model when to call it.
        parameters: a schema for each argument, in order.
        required: the arguments that must be there.
        target: ``module:function`` that does it, imported at the first call.
        reads: it changes nothing. destroys: it may take something away. idempotent: twice is as once.
        right: of `simonides.bounded.RIGHTS`; whoever lacks it is not offered the tool.
        output: schema of the structured result, where it has a fixed one.
    """

    name: str
    title: str
    description: str
    parameters: Mapping[str, Schema]
    required: tuple[str, ...]
    target: str
    reads: bool = False
    destroys: bool = False
    idempotent: bool = False
    right: str = "read"
    output: Mapping[str, object] = field(default_factory=dict[str, object])

    def wire(self) -> dict[str, object]:
        """Return it as `tools/list` shows it."""
        shown: dict[str, object] = {
            "name": self.name,
            "title": self.title,
            "description": self.description,
            "inputSchema": {
                "type": "object",
                "properties": {name: dict(schema) for name, schema in self.parameters.items()},
                **({"required": list(self.required)} if self.required else {}),
            },
        }
        if self.output:
            shown["outputSchema"] = dict(self.output)
        shown["annotations"] = {
            "title": self.title,
            "readOnlyHint": self.reads,
            "destructiveHint": self.destroys,
            "idempotentHint": self.idempotent,
            "openWorldHint": False,
        }
        return shown


def text(description: str, **more: object) -> Schema:
    """Return the schema of a text."""
    return {"type": "string", "description": description, **more}


def choice(description: str, *values: str) -> Schema:
    """Return the schema of one of some words."""
    return {"type": "string", "description": description, "enum": list(values)}


def whole(description: str, *, least: int = 1) -> Schema:
    """Return the schema of a whole number."""
    return {"type": "integer", "description": description, "minimum": least}


def flag(description: str) -> Schema:
    """Return the schema of yes or no."""
    return {"type": "boolean", "description": description}


def texts(description: str) -> Schema:
    """Return the schema of a list of texts."""
    return {"type": "array", "description": description, "items": {"type": "string"}}
