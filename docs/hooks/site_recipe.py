"""The page of recipe keys, from the settings classes and the TOML files of the package's recipes."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any, Final

from site_keys import comments_of, reasons_of, values_of
from site_text import NOTICE, code, escape, table

__all__ = ["recipe_page"]

INTRODUCTION: Final = """# Recipe keys

{notice}
A recipe is a TOML file that fixes a training apart from its data and its seed. `steelsight recipes` lists
those of the package, `--recipe NAME` or `--recipe FILE` chooses one, and `--set section.key=value`
changes one key. A file with `extends = "default"` holds only what differs. Unknown keys and impossible
values are refused before the data are read. The reasons are those of the recipe `default`; the recipes
below it give theirs for what they change.

"""


def recipe_page() -> str:
    """Every key with values, default, meaning and reason; then what each other recipe changes, and why."""
    from steelsight.training import recipe

    text = INTRODUCTION.format(notice=NOTICE)
    top = recipe.Recipe.model_fields
    sections = {
        name: field.annotation for name, field in top.items() if hasattr(field.annotation, "model_fields")
    }
    text += "## At the top {#top}\n\n" + _section("", recipe.Recipe, set(sections)) + "\n"
    for name, kind in sections.items():
        text += f"## \\[{name}\\] {{#{name}}}\n\n{escape(inspect.cleandoc(kind.__doc__ or ''))}\n\n"
        text += _section(name, kind, set()) + "\n"
    return text + _recipes(_folder() / "default.toml")


def _folder() -> Path:
    from steelsight.training import recipe

    return Path(recipe.__file__).parent / "recipes"


def _section(name: str, kind: Any, sections: set[str]) -> str:
    comments = comments_of(Path(inspect.getfile(kind)))
    reasons = reasons_of(_folder() / "default.toml")
    properties = kind.model_json_schema()["properties"]
    rows = []
    for key, field in kind.model_fields.items():
        if key in sections:
            continue
        value, reason = reasons.get((name, key), ("", ""))
        meaning = field.description or comments.get((kind.__name__, key), "")
        rows.append((code(key), values_of(properties[key]), code(value), escape(meaning), escape(reason)))
    return table(("key", "values", "in `default`", "what it is", "why this value"), rows)


def _recipes(default: Path) -> str:
    text = "## The recipes of the package {#recipes}\n\n"
    for path in sorted(default.parent.glob("*.toml")):
        if path == default:
            continue
        rows = [
            (code(f"{section}.{key}" if section else key), code(value), escape(reason))
            for (section, key), (value, reason) in reasons_of(path).items()
            if reasons_of(default).get((section, key), ("", ""))[0] != value
        ]
        lines = path.read_text(encoding="utf-8").splitlines()
        about = " ".join(line.lstrip("# ") for line in lines[: _head(lines)])
        text += f"### {path.stem} {{#recipe-{path.stem.replace('_', '-')}}}\n\n{escape(about)}\n\n"
        text += table(("key", "value", "why"), rows) + "\n"
    return text


def _head(lines: list[str]) -> int:
    """The number of comment lines at the top of a file."""
    return next((number for number, line in enumerate(lines) if not line.startswith("#")), len(lines))
