"""What messages advise exists: an option that a text names is one of the command line, and of that verb."""

from __future__ import annotations

import ast
import inspect
import re
from functools import cache
from pathlib import Path

import pytest
import typer
from rich.text import Text
from tests.cli.test_contract import verbs

import steelsight
from steelsight.cli import app
from steelsight.cli.boundary import exit_on_error
from steelsight.errors import BadData

PACKAGE = Path(steelsight.__file__).parent
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*[a-z]")
GLOBAL = {"--help", "--quiet", "--traceback", "--verbose", "--version"}
VERBS = verbs()


def options_of(verb: str) -> set[str]:
    return {flag for each in VERBS[verb].params for flag in (*each.opts, *each.secondary_opts)} | GLOBAL


@cache
def texts_of(path: Path) -> tuple[tuple[int, str], ...]:
    """String literals of a file without docstrings, with their lines; an f-string is one text."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr):
                skipped.add(id(first.value))
        if isinstance(node, ast.JoinedStr):
            skipped |= {id(part) for part in node.values}
    found: list[tuple[int, str]] = []
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.JoinedStr):
            parts = (part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
            found.append((node.lineno, "".join(map(str, parts))))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append((node.lineno, node.value))
    return tuple(found)


def test_every_option_named_in_a_text_exists() -> None:
    known = GLOBAL.union(*map(options_of, VERBS))
    unknown = [
        f"{path.relative_to(PACKAGE)}:{line}: {flag}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for line, text in texts_of(path)
        for flag in OPTION.findall(text)
        if flag not in known
    ]
    assert unknown == []


def test_every_command_named_in_a_text_exists_with_its_options() -> None:
    """Such as "`steelsight export RUN --data DATA --out BUNDLE`"."""
    wrong = []
    for path in sorted(PACKAGE.rglob("*.py")):
        for line, text in texts_of(path):
            for quoted in re.findall(r"`steelsight ([^`]+)`", text):
                if quoted.split()[0] in GLOBAL:
                    continue
                named = [verb for verb in VERBS if quoted == verb or quoted.startswith(verb + " ")]
                group = any(verb.startswith(quoted.split()[0]) for verb in VERBS)
                flags = set(OPTION.findall(quoted))
                if not group or (named and not flags <= options_of(named[0])):
                    wrong.append(f"{path.relative_to(PACKAGE)}:{line}: {quoted}")
    assert wrong == []


def imported_files(tree: ast.AST) -> set[Path]:
    """The files of the package that a file or function imports, also inside functions; the API is not one."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("steelsight."):
            file = PACKAGE.parent / ((node.module or "").replace(".", "/") + ".py")
            shared = file.relative_to(PACKAGE).parts[0] in ("cli", "api") or file.parent == PACKAGE
            if file.is_file() and not shared:
                found.add(file)
    return found


Key = tuple[bool, str]  # whether it is a method, and its name


@cache
def api_functions() -> dict[Key, list[ast.FunctionDef]]:
    """The functions and methods of the Python API."""
    found: dict[Key, list[ast.FunctionDef]] = {}
    for path in sorted((PACKAGE / "api").rglob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            inner = node.body if isinstance(node, ast.ClassDef) else [node]
            for each in inner:
                if isinstance(each, ast.FunctionDef):
                    found.setdefault((each is not node, each.name), []).append(each)
    return found


def calls(tree: ast.AST) -> set[Key]:
    """What a file or function calls; a function under the name that it has in the API."""
    named = {
        alias.asname or alias.name: alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("steelsight.api.")
        for alias in node.names
    }
    called = {node.func for node in ast.walk(tree) if isinstance(node, ast.Call)}
    functions = {(False, named.get(each.id, each.id)) for each in called if isinstance(each, ast.Name)}
    return functions | {(True, each.attr) for each in called if isinstance(each, ast.Attribute)}


@cache
def own_modules(name: str) -> set[Path]:
    """The file of a verb, and the modules that it or the API functions that it calls import."""
    callback = inspect.unwrap(VERBS[name].callback)
    path = Path(callback.__code__.co_filename)
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found, waiting, seen = {path} | imported_files(tree), calls(tree), set[Key]()
    while waiting - seen:
        key = (waiting - seen).pop()
        seen.add(key)
        for function in api_functions().get(key, []):
            found |= imported_files(function)
            waiting |= calls(function)
    return found


def test_the_modules_behind_the_api_belong_to_a_verb() -> None:
    assert PACKAGE / "training" / "run.py" in own_modules("train")
    assert PACKAGE / "training" / "fine_tune.py" in own_modules("train")
    assert PACKAGE / "runs" / "evaluate.py" in own_modules("evaluate")
    assert PACKAGE / "runs" / "evaluate.py" not in own_modules("calibrate")


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_names_its_own_options(name: str) -> None:
    """Texts that quote a whole command are left to the test above; a module may serve several verbs."""
    wrong = []
    for path in own_modules(name):
        users = [verb for verb in VERBS if path in own_modules(verb)]
        known = set[str]().union(*map(options_of, users))
        for line, text in texts_of(path):
            unknown = set(OPTION.findall(re.sub(r"`[^`]*`", "", text))) - known
            wrong += [f"{path.relative_to(PACKAGE)}:{line}: {flag}" for flag in sorted(unknown)]
    assert wrong == []


@pytest.mark.parametrize(
    "name", [name for name in VERBS if any(each.name == "data" for each in VERBS[name].params)]
)
def test_advice_of_the_rooms_that_read_data_can_be_followed_from_every_verb(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if "--allow-bad" not in options_of(name):
        assert name in {"demo", "bench"}  # they scan DATA and open it as no data set
    for flag in ("--bits", "--defect-free", "--layout", "--masks"):
        with (
            pytest.raises(typer.Exit),
            exit_on_error(verb=f"steelsight {name}", options=options_of(name)),
        ):
            raise BadData(f"x: say so with {flag} y")
        line = capsys.readouterr().err
        other = f"`steelsight {name}` has no {flag}: write the folder anew with `steelsight data DATA {flag} "
        assert (flag in options_of(name)) != (other in line.replace("\n", " ")), line
        assert flag in options_of("data")


@pytest.mark.parametrize("name", VERBS)
def test_help_shows_every_character(name: str) -> None:
    """Rich reads [words] as markup: what is meant as text is escaped."""
    verb = VERBS[name]
    for text in (verb.help or "", *(getattr(each, "help", None) or "" for each in verb.params)):
        shown = Text.from_markup(text).plain
        assert shown == re.sub(r"\\(?=\[)", "", text), text


def test_no_verb_is_left_out() -> None:
    assert len(VERBS) > 20
    assert app.info.name == "steelsight"
