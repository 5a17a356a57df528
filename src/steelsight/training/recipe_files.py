"""Loads a recipe from a shipped name or a TOML file, with `key=value` overrides.

A file has only the keys that differ from the shipped recipe it `extends`, by default "default".
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from steelsight.errors import BadRecipe
from steelsight.reading import parse_toml, read_regular
from steelsight.training.recipe import Recipe

__all__ = [
    "RECIPES",
    "SLIDE_MODELS",
    "load_recipe",
    "override",
    "recipe_keys",
    "recipe_text",
    "with_settings",
]

SLIDE_MODELS = (  # of the study's multi-class table, in its order
    "aug_cnn",
    "squeeze",
    "weighted_squeeze",
    "aug_reduced_squeeze",
    "vgg16",
    "aug_vgg16",
)
RECIPES = ("default", "accurate", "parts", "study", *SLIDE_MODELS)

Table = dict[str, Any]


def load_recipe(source: str | Path = "default", settings: Sequence[str] = ()) -> Recipe:
    """A shipped recipe by name, or a TOML file, with overrides.

    settings  `key=value`: a key is dotted (`optimiser.learning_rate`) or its last part where that is unique
    raises    BadRecipe, naming the file, the key, and the nearest key that exists
    """
    values = _read(source)
    for setting in settings:
        _set(values, setting)
    return _validate(values, str(source))


def override(recipe: Recipe, changes: Mapping[str, Any]) -> Recipe:
    """A copy with other values by dotted key; raises BadRecipe as load_recipe."""
    values = recipe.model_dump(mode="json")
    for key, value in changes.items():
        _put(values, _find_key(key), value)
    return recipe.model_copy(update=dict(_validate(values, "as changed")))  # also of a StartedRecipe


def with_settings(recipe: Recipe, settings: Sequence[str]) -> Recipe:
    """A copy with `key=value` overrides; raises BadRecipe as load_recipe."""
    values = recipe.model_dump(mode="json")
    for setting in settings:
        _set(values, setting)
    return _validate(values, "of the run")


def recipe_keys() -> tuple[str, ...]:
    """Every dotted key of a recipe."""
    return tuple(_walk(Recipe, ""))


def recipe_text(name: str) -> str:
    """The TOML text of a shipped recipe, with the reasons as comments; raises BadRecipe for another name."""
    if name not in RECIPES:
        raise BadRecipe(f"recipe: expected one of {', '.join(RECIPES)}, got {name!r}")
    shipped = resources.files("steelsight.training") / "recipes" / f"{name}.toml"
    return shipped.read_text(encoding="utf-8")


def _walk(section: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in section.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _walk(field.annotation, f"{prefix}{name}.")
        else:
            yield prefix + name


def _read(source: str | Path) -> Table:
    if str(source) in RECIPES:
        values = parse_toml(recipe_text(str(source)))
        base = values.pop("extends", None)
        return values if base is None else _merge(_read(base), values, Path(f"{source}.toml"))
    path = Path(source)
    if not path.is_file():
        raise BadRecipe(f"recipe {source}: expected {', '.join(RECIPES)} or a TOML file, found neither")
    try:
        own = parse_toml(read_regular(path))
    except ValueError as error:
        raise BadRecipe(f"{path}: expected TOML, got {error}; correct that line") from error
    except OSError as error:
        raise BadRecipe(f"{path}: cannot be read ({error.strerror})") from error
    base = own.pop("extends", "default")
    if base not in RECIPES:
        raise BadRecipe(f"{path}: extends: expected one of {', '.join(RECIPES)}, got {base!r:.120}")
    return _merge(_read(base), own, path)


def _merge(base: Table, own: Table, path: Path) -> Table:
    for key, value in _flatten(own):
        if key not in recipe_keys():
            raise BadRecipe(f"{path}: unknown key {key}{_near(key)}")
        _put(base, key, value)
    return base


def _flatten(table: Table, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _set(values: Table, setting: str) -> None:
    key, equals, text = setting.partition("=")
    if not equals:
        raise BadRecipe(f"--set {setting}: expected key=value, for example optimiser.learning_rate=1e-3")
    _put(values, _find_key(key.strip()), _parse(text.strip()))


def _parse(text: str) -> Any:
    """A value as TOML reads it; `.3` is a number too, and bare words are strings without shell quoting."""
    for read in (lambda: parse_toml(f"value = {text}")["value"], lambda: float(text)):
        with suppress(ValueError):
            return read()
    return text


def _find_key(key: str) -> str:
    known = recipe_keys()
    if key in known:
        return key
    ends = [full for full in known if full.rsplit(".", 1)[-1] == key]
    if len(ends) == 1:
        return ends[0]
    if ends:
        raise BadRecipe(f"recipe key {key}: expected one key, got {len(ends)} that end so: {', '.join(ends)}")
    raise BadRecipe(f"recipe: unknown key {key}{_near(key)}")


def _near(key: str) -> str:
    """The key that was probably meant, by its whole name or its last part."""
    known = recipe_keys()
    by_end = {full.rsplit(".", 1)[-1]: full for full in known}
    end = key.rsplit(".", 1)[-1]
    if matches := difflib.get_close_matches(key, known, n=1, cutoff=0.75):
        return f"; did you mean {matches[0]}?"
    if matches := difflib.get_close_matches(end, by_end, n=1, cutoff=0.6):
        return f"; did you mean {by_end[matches[0]]}?"
    return f"; the keys are {', '.join(known)}"


def _put(values: Table, key: str, value: Any) -> None:
    *sections, name = key.split(".")
    for section in sections:
        values = values.setdefault(section, {})  # one that is left out where it says nothing
    values[name] = value


def _validate(values: Table, where: str) -> Recipe:
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        reason = first["msg"].removeprefix("Value error, ")
        told = isinstance(first["input"], dict) or ", got " in reason
        came = "" if told else f", got {first['input']!r:.120}"
        raise BadRecipe(f"recipe {where}: {f'{key}: ' if key else ''}{reason}{came}") from error
