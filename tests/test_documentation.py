"""Everything public is documented: verbs, options, functions, classes, keys of recipes and file formats."""

import ast
import tokenize
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from steelsight.cli import app

PACKAGE = Path(__file__).parent.parent / "src" / "steelsight"
MODULES = sorted(PACKAGE.rglob("*.py"))
# Files whose classes are written as keys of a file: each key needs a comment or a description.
KEYS = (
    "training/recipe.py",
    "models/card.py",
    "models/catalog.py",
    "runtime/bundle/card.py",
    "runtime/bundle/gate_record.py",
    "adaptation/gate/policy.py",
    "sheets/synthetic/spec.py",
)
RECIPES = sorted([*PACKAGE.rglob("training/recipes/*.toml"), *PACKAGE.rglob("league.toml")])


def commands(command: Any, path: str = "steelsight") -> Iterator[tuple[str, Any]]:
    yield path, command
    for name, sub in getattr(command, "commands", {}).items():
        yield from commands(sub, f"{path} {name}")


COMMANDS = dict(commands(typer.main.get_command(app)))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_verb_and_option_has_a_help_text(name):
    command = COMMANDS[name]
    assert command.help, f"{name} has no docstring"
    undocumented = [each.name for each in command.params if not each.help]
    assert not undocumented, f"{name}: no help for {undocumented}"


def test_every_module_and_public_name_has_a_docstring():
    missing = []
    for path in MODULES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = [] if ast.get_docstring(tree) else ["the module"]
        classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name in public_names(tree):
                names += [] if ast.get_docstring(node) else [node.name]
                names += undocumented_methods(node, classes) if isinstance(node, ast.ClassDef) else []
        missing += [f"{path.relative_to(PACKAGE)}: {name}" for name in names]
    assert not missing


def test_no_public_class_has_the_name_of_another():
    places: dict[str, list[str]] = {}
    for path in MODULES:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(str(path.relative_to(PACKAGE)))
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


def public_names(tree: ast.Module) -> set[str]:
    """The names of `__all__`."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return set(ast.literal_eval(node.value))
    return set()


def undocumented_methods(node: ast.ClassDef, classes: dict[str, ast.ClassDef]) -> list[str]:
    """Public methods and properties without a docstring.

    Overrides are documented where they are first defined, members of a protocol by their names.
    """
    bases = [ast.unparse(base) for base in node.bases]
    if "Protocol" in bases:
        return []
    inherited = {"forward", "invoke"} if bases else set()
    inherited |= {
        each.name
        for base in bases
        if base in classes
        for each in classes[base].body
        if isinstance(each, ast.FunctionDef)
    }
    return [
        f"{node.name}.{each.name}"
        for each in node.body
        if isinstance(each, ast.FunctionDef)
        and not each.name.startswith("_")
        and each.name not in inherited
        and not ast.get_docstring(each)
    ]


@pytest.mark.parametrize("name", KEYS)
def test_every_key_of_a_file_format_has_a_comment_or_a_description(name):
    path = PACKAGE / name
    missing = list(uncommented_keys(path))
    assert not missing, f"{name}: no comment for {missing}"


def uncommented_keys(path: Path) -> Iterator[str]:
    """Fields of pydantic models without a comment on their lines or just above, and without a description."""
    with path.open("rb") as file:
        commented = {
            each.start[0] for each in tokenize.tokenize(file.readline) if each.type == tokenize.COMMENT
        }
    lines = path.read_text(encoding="utf-8").splitlines()
    tree = ast.parse("\n".join(lines))
    for node in [each for each in tree.body if isinstance(each, ast.ClassDef) and each.bases]:
        for field in node.body:
            if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name):
                continue
            above = field.lineno - 1
            own = set(range(field.lineno, (field.end_lineno or field.lineno) + 1))
            own |= {above} if lines[above - 1].strip().startswith("#") else set()
            described = field.value is not None and "description=" in ast.unparse(field.value)
            if not described and not own & commented:
                yield f"{node.name}.{field.target.id}"


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.name)
def test_every_key_of_a_shipped_recipe_has_its_reason(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    assert tomllib.loads("\n".join(lines))
    missing = []
    for number, line in enumerate(lines):
        if "=" in line and not line.lstrip().startswith("#"):
            above = lines[number - 1].lstrip().startswith("#") if number else False
            if "#" not in line and not above:
                missing.append(line)
    assert not missing, f"{path.name}: no reason for {missing}"
