"""The verbs of the command line call the Python API; the list of those that do not can only get shorter."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

CLI = Path(__file__).parents[2] / "src" / "steelsight" / "cli"
SHARED = {  # no verbs
    *("__init__", "boundary", "console", "executor", "group", "options", "progress_lines", "verb"),
    *("verbosity", "verbs", "shortcuts/options"),
}
# What a verb may import: the API, its options, and what parses and prints.
OPEN = ("api", "cli", "errors", "files", "names", "options", "plain", "reading", "reports", "version")
GROUPS = {"explain/inspect", "shortcuts/shortcuts"}  # they only gather the verbs below them

CALL_THE_API = {
    "data/data",
    "data/synth",
    "explain/explain",
    "explain/inspect_layers",
    "explain/inspect_neurons",
    "explain/inspect_transplant",
    "explain/league",
    "lab/calibrate",
    "lab/compare",
    "lab/confidence",
    "lab/evaluate",
    "lab/label_curve",
    "lab/models",
    "lab/recipes",
    "lab/robustness",
    "lab/runs",
    "lab/train",
    "plant/adapt",
    "plant/bench",
    "plant/bundle",
    "plant/demo",
    "plant/export",
    "plant/gate",
    "plant/scan",
    "shortcuts/find",
    "shortcuts/gate",
    "shortcuts/prove",
    "shortcuts/repair",
    "study",
}
NOT_YET = {
    "service/coil",
    "service/console",
    "service/ledger",
    "service/line",
    "service/quality",
    "service/reviews",
    "service/serve",
    "service/user",
}


def _verbs() -> dict[str, Path]:
    paths = {path.relative_to(CLI).with_suffix("").as_posix(): path for path in CLI.rglob("*.py")}
    return {
        name: path
        for name, path in paths.items()
        if not name.endswith("__init__") and name not in SHARED | GROUPS
    }


def _imported(path: Path) -> set[str]:
    """Modules of the package that a file imports when it runs: not those for type checkers alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typed = {
        id(each)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for each in ast.walk(node)
    }
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and id(node) not in typed:
            assert node.level == 0, f"{path}: expected absolute imports"
            found.add(node.module)
        elif isinstance(node, ast.Import) and id(node) not in typed:
            found |= {alias.name for alias in node.names}
    return {name.removeprefix("steelsight.") for name in found if name.startswith("steelsight.")}


def _below(path: Path) -> set[str]:
    """What a verb imports beside the API."""
    own = {name for name in _imported(path) if name.partition(".")[0] not in OPEN}
    return {name for name in own if not name.endswith((".options", "bundle.default"))}


def test_every_verb_is_in_one_of_the_lists():
    assert set(_verbs()) == CALL_THE_API | NOT_YET
    assert not CALL_THE_API & NOT_YET


@pytest.mark.parametrize("verb", sorted(CALL_THE_API))
def test_a_verb_calls_the_api_and_nothing_else(verb):
    path = _verbs()[verb]
    assert _below(path) == set()
    assert any(name.startswith("api.") for name in _imported(path))


@pytest.mark.parametrize("verb", sorted(NOT_YET))
def test_a_verb_that_calls_the_api_leaves_the_list(verb):
    assert _below(_verbs()[verb]), f"{verb} calls the API alone: take it off NOT_YET"
