"""Keys of settings classes with their comments, values and reasons, read from the source beside them."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from site_text import code, escape, table

__all__ = ["comments_of", "key_table", "reasons_of", "values_of"]

_BOUNDS: Final = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
_REASON: Final = re.compile(r"^(?P<key>\w+)\s*=\s*(?P<value>.*?)\s{2,}#\s*(?P<reason>.*)$")
_PLAIN: Final = re.compile(r"^(?P<key>\w+)\s*=\s*(?P<value>.*)$")


@cache
def comments_of(path: Path) -> Mapping[tuple[str, str], str]:
    """Comments of the fields of each class of a module: on their lines, or on the lines just above."""
    text = path.read_text(encoding="utf-8")
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    comments = {each.start[0]: each.string.lstrip("# ") for each in tokens if each.type == tokenize.COMMENT}
    lines = text.splitlines()
    found = {}
    for node in ast.parse(text).body:
        for field in node.body if isinstance(node, ast.ClassDef) else ():
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                numbers = list(range(field.lineno, (field.end_lineno or field.lineno) + 1))
                above = field.lineno - 1
                while above in comments and lines[above - 1].lstrip().startswith("#"):
                    numbers.insert(0, above)
                    above -= 1
                words = " ".join(comments[each] for each in numbers if each in comments)
                found[node.name, field.target.id] = words
    return found


@cache
def reasons_of(path: Path) -> Mapping[tuple[str, str], tuple[str, str]]:
    """Value and reason of each key of a recipe file, by section ("" = above the first) and key."""
    found: dict[tuple[str, str], tuple[str, str]] = {}
    section, above = "", ""
    for line in path.read_text(encoding="utf-8").splitlines():
        stripped = line.strip()
        if stripped.startswith("["):
            section = stripped.partition("]")[0].lstrip("[")
        elif not stripped.startswith("#") and "=" in stripped:
            parts = _REASON.match(stripped) or _PLAIN.match(stripped)
            if parts is not None:
                reason = parts.groupdict().get("reason") or above
                found[section, parts["key"]] = (parts["value"], reason)
        above = stripped.lstrip("# ") if stripped.startswith("#") else ""
    return found


def values_of(schema: Mapping[str, Any]) -> str:
    """The values that a part of a JSON schema allows, as Markdown."""
    if "$ref" in schema:
        return code(str(schema["$ref"]).rpartition("/")[2])
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return " or ".join(dict.fromkeys(values_of(each) for each in schema[several]))
    if "enum" in schema:
        return ", ".join(code(str(each)) for each in schema["enum"])
    if "const" in schema:
        return code(str(schema["const"]))
    return _typed(schema)


def _typed(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type")
    if kind == "array":
        if "prefixItems" in schema:
            return f"list of {len(schema['prefixItems'])}: {', '.join(map(values_of, schema['prefixItems']))}"
        return f"list of {values_of(schema.get('items', {}))}"
    if kind == "object":
        return f"object of {values_of(schema['additionalProperties'])}" if _maps(schema) else "object"
    name = {"boolean": "true or false", "string": "text", "null": "none", None: "any value"}.get(
        kind, str(kind)
    )
    bounds = [f"{sign} {_number(schema[key])}" for key, sign in _BOUNDS.items() if key in schema]
    return " ".join([name, ", ".join(bounds).replace("<", "&lt;").replace(">", "&gt;")]).strip()


def _number(value: float) -> str:
    return f"{int(value):,}" if value == int(value) else f"{value:g}"


def _maps(schema: Mapping[str, Any]) -> bool:
    return isinstance(schema.get("additionalProperties"), dict)


def key_table(kind: Any, comments: Mapping[tuple[str, str], str]) -> str:
    """Keys, values, defaults and meaning of one pydantic class."""
    properties = kind.model_json_schema()["properties"]
    rows = []
    for key, field in kind.model_fields.items():
        meaning = field.description or comments.get((kind.__name__, key), "")
        rows.append((code(key), values_of(properties[key]), _default(field), escape(meaning)))
    return table(("key", "values", "default", "what it is"), rows)


def _default(field: Any) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, bool):
        return code(str(value).lower())
    if value is None or isinstance(value, str | int | float):
        return "none" if value is None else code(str(value))
    return ""
