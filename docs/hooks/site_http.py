"""The page of the HTTP API, from the OpenAPI document of the application."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from site_keys import values_of
from site_text import NOTICE, anchor, code, escape, first_sentence, paragraphs, table

__all__ = ["http_page", "openapi", "operations"]

METHODS: Final = ("get", "post", "put", "patch", "delete")
INTRODUCTION: Final = """# HTTP API

{notice}
How the API is used, with examples, the codes of its errors and its limits: [The service](../service.md).
Who may call what: [Access](../access.md). A running service gives this description as `GET
/api/v1/openapi.json`. Every operation that is refused answers with an
[ErrorEnvelope](#object-errorenvelope).

"""


def openapi() -> dict[str, Any]:
    """The OpenAPI document of the service with the package's own bundle on an empty ledger."""
    from steelsight.ledger.database.open import create_ledger
    from steelsight.runtime.bundle.default import default_bundle
    from steelsight.runtime.engine.inspector import load
    from steelsight.service.app import build_app
    from steelsight.service.bundles import Bundles
    from steelsight.service.console import SharedWriter
    from steelsight.service.context import Service
    from steelsight.service.settings.load import Settings

    bundles = Bundles([("fast", load(default_bundle(), threads=1))])
    with tempfile.TemporaryDirectory() as folder:
        ledger = create_ledger(str(Path(folder) / "ledger.db"))
        service = Service(ledger, SharedWriter(ledger, "console"), None, bundles, Settings(open=True))
        try:
            document: dict[str, Any] = build_app(service).openapi()
        finally:
            service.close()
    return document


def operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Method, path and description of each operation, in the order of the document."""
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield method.upper(), path, item[method]


def http_page(document: Mapping[str, Any]) -> str:
    """Every operation by its tag, with parameters, body and answers; then every object."""
    by_tag: dict[str, list[tuple[str, str, Mapping[str, Any]]]] = {}
    for method, path, operation in operations(document):
        by_tag.setdefault(operation.get("tags", ["other"])[0], []).append((method, path, operation))
    text = INTRODUCTION.format(notice=NOTICE)
    for tag, members in by_tag.items():
        rows = [
            (f"[{code(f'{method} {path}')}](#{_anchor(method, path)})", first_sentence(_about(operation)))
            for method, path, operation in members
        ]
        text += (
            f"## {tag.capitalize()} {{#tag-{anchor(tag)}}}\n\n{table(('operation', 'what it does'), rows)}\n"
        )
        text += "\n".join(_operation(*each) for each in members) + "\n"
    return text + _objects(document.get("components", {}).get("schemas", {}))


def _anchor(method: str, path: str) -> str:
    return anchor(f"{method} {path}")


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> str:
    text = f"### {code(f'{method} {path}')} {{#{_anchor(method, path)}}}\n\n{paragraphs(_about(operation))}\n"
    parameters = [
        (
            code(each["name"]),
            each["in"],
            _required(each),
            _values(each["schema"]),
            escape(each.get("description", "")),
        )
        for each in operation.get("parameters", [])
    ]
    text += table(("parameter", "in", "needed", "values", "what it is"), parameters) + "\n"
    for kind, body in operation.get("requestBody", {}).get("content", {}).items():
        text += f"Body: {code(kind)}, {_values(body.get('schema', {}))}\n\n"
    answers = [
        (code(status), _contents(answer), escape(answer.get("description", "")))
        for status, answer in operation.get("responses", {}).items()
    ]
    return text + table(("answer", "body", "when"), answers)


def _about(operation: Mapping[str, Any]) -> str:
    """What an operation does: its docstring, else its name in words."""
    return str(operation.get("description") or operation.get("summary", ""))


def _required(parameter: Mapping[str, Any]) -> str:
    return "yes" if parameter.get("required") else ""


def _contents(answer: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{code(kind)} {_values(body['schema'])}" if body.get("schema") else code(kind)
        for kind, body in answer.get("content", {}).items()
    )


def _values(schema: Mapping[str, Any]) -> str:
    """The values of a schema; objects are linked."""
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return f"[{escape(name)}](#object-{anchor(name)})"
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(map(_values, schema["anyOf"])))
    if schema.get("type") == "array" and "items" in schema:
        return f"list of {_values(schema['items'])}"
    return values_of(schema)


def _objects(schemas: Mapping[str, Any]) -> str:
    text = "## Objects {#objects}\n\n"
    for name, schema in sorted(schemas.items()):
        text += (
            f"### {escape(name)} {{#object-{anchor(name)}}}\n\n{paragraphs(schema.get('description', ''))}\n"
        )
        if "properties" not in schema:
            text += f"Values: {_values(schema)}\n\n"
            continue
        needed = schema.get("required", [])
        rows = [
            (code(key), "yes" if key in needed else "", _values(each), escape(each.get("description", "")))
            for key, each in schema["properties"].items()
        ]
        text += table(("key", "always", "values", "what it is"), rows) + "\n"
    return text
