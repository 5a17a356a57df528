"""How a source tree is built: folders, lengths of functions, names, import circles; trees compared.

    python benchmarks/house.py BEFORE AFTER

A tree is a checkout: `src/steelsight` and `tests` are counted. Lengths are lines from `def` to the last line,
decorators left out, docstrings included; a function inside a function is counted by itself and as part of the
other. Nesting counts if, for, while, with, try and match inside one another; `elif` adds none.
"""

from __future__ import annotations

import argparse
import ast
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

PACKAGE = "steelsight"
DUPLICATES = (
    "the messages of `pylint --disable=all --enable=duplicate-code --min-similarity-lines=8 src/steelsight`"
)
NESTING = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.Match)
Function = ast.FunctionDef | ast.AsyncFunctionDef


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("trees", nargs="+", type=Path, help="checkouts to compare")
    trees = parser.parse_args().trees
    counted = [count_tree(tree) for tree in trees]
    print("| measure |" + "".join(f" {tree.name} |" for tree in trees))
    print("|---|" + "---|" * len(trees))
    for measure in counted[0]:
        print(f"| {measure} |" + "".join(f" {figures[measure]} |" for figures in counted))
    print()
    print(f"Pairs of duplicated places: {DUPLICATES}")


def count_tree(tree: Path) -> dict[str, str]:
    """Each measure of a checkout, as text."""
    source = tree / "src" / PACKAGE
    parsed = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(source.rglob("*.py"))}
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in parsed}
    tests = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in (tree / "tests").rglob("*.py"))
    folders = Counter(path.parent for path in parsed if path.name != "__init__.py")
    functions = [
        node for module in parsed.values() for node in ast.walk(module) if isinstance(node, Function)
    ]
    lengths = sorted(_length(function) for function in functions)
    parameters = [count for function in functions if (count := count_parameters(function)) > 8]
    public = [
        function
        for module in parsed.values()
        for function in _public_functions(module)
        if count_parameters(function) > 8
    ]
    repeated = repeated_classes(parsed)
    return {
        "files": str(len(parsed)),
        "folders": str(len(folders)),
        "files a folder, without `__init__.py`: max": str(max(folders.values())),
        "files a folder: median": f"{statistics.median(folders.values()):g}",
        "folders over 15 files": str(sum(count > 15 for count in folders.values())),
        "lines a file: max": str(max(lines.values())),
        "files over 300 lines": str(sum(count > 300 for count in lines.values())),
        "functions": str(len(functions)),
        "lines a function: median": f"{statistics.median(lengths):g}",
        "lines a function: 90th percentile": str(lengths[int(0.9 * len(lengths))]),
        "lines a function: max": str(lengths[-1]),
        "functions over 60 lines": str(sum(length > 60 for length in lengths)),
        "functions with more than 8 parameters": str(len(parameters)),
        "public functions with more than 8 parameters, verbs included": str(len(public)),
        "functions nested deeper than 4": str(sum(nesting(function.body) > 4 for function in functions)),
        "nesting: max": str(max(nesting(function.body) for function in functions)),
        "public class names in more than one file": str(len(repeated)),
        "circles of imports between siblings": str(len(sibling_circles(source, parsed))),
        "lines of source": str(sum(lines.values())),
        "lines of tests / lines of source": f"{tests / sum(lines.values()):.2f}",
    }


def _length(function: Function) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def count_parameters(function: Function) -> int:
    """Named parameters, without `self` and `cls`."""
    arguments = function.args
    names = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    return sum(name not in ("self", "cls") for name in names)


def _public_functions(module: ast.Module) -> Iterator[Function]:
    for node in module.body:
        inner = node.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_") else [node]
        yield from (part for part in inner if isinstance(part, Function) and not part.name.startswith("_"))


def nesting(body: list[ast.stmt]) -> int:
    """How many compound statements stand inside one another; `elif` adds none, inner functions begin anew."""
    deepest = 0
    for node in body:
        if not isinstance(node, NESTING):
            continue
        deepest = max(deepest, 1 + nesting(_inner(node)))
    return deepest


def _inner(node: ast.stmt) -> list[ast.stmt]:
    inner: list[ast.stmt] = list(getattr(node, "body", []))
    orelse = list(getattr(node, "orelse", []))
    while isinstance(node, ast.If) and len(orelse) == 1 and isinstance(orelse[0], ast.If):  # elif
        node = orelse[0]
        inner += node.body
        orelse = list(node.orelse)
    inner += orelse + list(getattr(node, "finalbody", []))
    for part in (*getattr(node, "handlers", []), *getattr(node, "cases", [])):
        inner += part.body
    return inner


def repeated_classes(parsed: dict[Path, ast.Module]) -> list[str]:
    """Public classes whose name stands in more than one file."""
    where: dict[str, set[Path]] = defaultdict(set)
    for path, module in parsed.items():
        for node in module.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                where[node.name].add(path)
    return sorted(name for name, paths in where.items() if len(paths) > 1)


def sibling_circles(source: Path, parsed: dict[Path, ast.Module]) -> list[tuple[str, ...]]:
    """Sets of files and sub-rooms of one room that import each other, wherever the import stands."""
    names = {_module_name(source, path): path for path in parsed}
    edges: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for name, path in names.items():
        for target in _imported(parsed[path], names):
            room, one, other = _siblings(name, target)
            if one and other:
                edges[room][one].add(other)
    return [circle for graph in edges.values() for circle in _circles(graph)]


def _module_name(source: Path, path: Path) -> str:
    parts = path.relative_to(source.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(module: ast.Module, names: dict[str, Path]) -> Iterator[str]:
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                if full in names:
                    yield full
                elif node.module in names:
                    yield node.module


def _siblings(name: str, target: str) -> tuple[str, str, str]:
    """The room that holds both, and the child of it on each side; empty where one holds the other."""
    one, other = name.split("."), target.split(".")
    depth = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), None)
    if depth is None:
        return "", "", ""
    return ".".join(one[:depth]), one[depth], other[depth]


def _circles(graph: dict[str, set[str]]) -> list[tuple[str, ...]]:
    """Strongly connected sets of more than one, by who can reach whom."""
    reach = {start: _reached(graph, start) for start in list(graph)}
    circles = {
        tuple(sorted({start, *(end for end in reach[start] if start in reach.get(end, set()))}))
        for start in reach
    }
    return sorted(circle for circle in circles if len(circle) > 1)


def _reached(graph: dict[str, set[str]], start: str) -> set[str]:
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        for end in graph.get(waiting.pop(), set()) - seen:
            seen.add(end)
            waiting.append(end)
    return seen


if __name__ == "__main__":
    main()
