"""The page of error messages: the classes of steelsight.errors, and every message written in the source."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from site_text import NOTICE, anchor, code, escape, paragraphs, table

__all__ = ["Message", "error_classes", "errors_page", "messages"]

FEWEST_WORDS: Final = 3  # of a message; shorter ones are put together elsewhere
INTRODUCTION: Final = """# Error messages

{notice}
The last line of a command that could not be carried out is `error NAME: message`. NAME is one of the
classes below. A message says what was expected, what came, where, and, after the last semicolon, what to
do: that part has its own column. `{{path}}` and the like stand for what differs from case to case. To
find a message, search for words of it that are no path and no number.

The tables hold the messages that the source states as text, {count} in all. A class may have further ones
that are put together of parts. What an operating system or a library says is shown as it came. How the
usual ones are solved: [Troubleshooting](../troubleshooting.md). Codes of the HTTP API: [The
service](../service.md#errors).

"""


@dataclass(frozen=True, order=True)
class Message:
    """One message of the source."""

    error: str  # class
    room: str  # package of steelsight that says it
    cause: str  # what was expected and what came; placeholders in braces
    advice: str  # what to do; "" = the message does not say


def error_classes() -> dict[str, type[BaseException]]:
    """The classes of steelsight.errors by name, each after its base."""
    from steelsight import errors

    found = {name: value for name, value in vars(errors).items() if inspect.isclass(value)}
    own = {name: each for name, each in found.items() if each.__module__ == errors.__name__}
    return dict(sorted(own.items(), key=lambda item: _line(item[1])))


def _line(kind: type[BaseException]) -> int:
    return inspect.getsourcelines(kind)[1]


@cache
def messages() -> tuple[Message, ...]:
    """Every message that is written as text where an error is made, sorted, once each."""
    import steelsight

    package = Path(steelsight.__file__).parent
    names = set(error_classes())
    found = set()
    for path in sorted(package.rglob("*.py")):
        room = path.relative_to(package).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in names
                and node.args
            ):
                text = " ".join(_text(node.args[0]).split())
                if len([word for word in text.split() if "{" not in word]) >= FEWEST_WORDS:
                    cause, advice = _divided(text)
                    found.add(Message(node.func.id, room, cause, advice))
    return tuple(sorted(found))


def _text(node: ast.expr) -> str:
    """A text of the source with `{name}` for each value in it; "" for another expression."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(each) for each in node.values)
    if isinstance(node, ast.FormattedValue):
        return f"{{{_name(node.value)}}}"
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _text(node.left) + _text(node.right)
    return "{…}"


def _name(node: ast.expr) -> str:
    """A value's name, such as `path` of `{path}` and `name` of `{path.name}`; others are `…`."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and not node.attr.startswith("_"):
        return node.attr
    return "…"


def _divided(text: str) -> tuple[str, str]:
    cause, _, advice = text.rpartition("; ")
    return (cause, advice) if cause else (text, "")


def errors_page() -> str:
    """Every class with its meaning, its place in the tree, and its messages."""
    text = INTRODUCTION.format(notice=NOTICE, count=len(messages()))
    for name, kind in error_classes().items():
        base = next(each for each in kind.__mro__[1:])
        text += f"## {name} {{#{anchor(name)}}}\n\n{paragraphs(inspect.cleandoc(kind.__doc__ or ''))}\n"
        text += f"*Exit code {_exit_code(kind)}; a kind of {code(base.__name__)}.*\n\n"
        rows = [(code(each.cause), escape(each.advice), each.room) for each in _of(name)]
        text += table(("message", "what to do", "said by"), rows) + "\n"
    return text


def _exit_code(kind: type[BaseException]) -> int:
    """As the command line ends with an error of this class."""
    from steelsight.errors import BadInput

    return 2 if issubclass(kind, BadInput) else 1


def _of(name: str) -> Iterator[Message]:
    return (each for each in messages() if each.error == name)
