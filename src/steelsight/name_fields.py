"""Read fields of a name by a pattern such as `{coil}_{side}.jpg`, in bounded time whatever the pattern."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

__all__ = ["fields_of", "match_name"]

LONGEST_PART: Final = 255  # characters between two slashes of a name, as file systems allow
ANYTHING: Final = "*"


def fields_of(pattern: str) -> list[str]:
    """The names in braces of a pattern, in order, without `*`.

    >>> fields_of("{day}/{coil}_{*}.jpg")
    ['day', 'coil']
    """
    return [name for name in re.findall(r"\{([^{}]*)\}", pattern) if name != ANYTHING]


def match_name(pattern: str, name: str, words: Mapping[str, str]) -> dict[str, str] | None:
    """The fields that the end of a name states; None where it does not match.

    pattern  fields in braces, each at most once, `{*}` for anything else, and text that stands for itself
    name     with slashes; as many of its parts as the pattern has are compared
    words    regular expression of each field

    >>> match_name("{coil}_{*}.jpg", "line3/C17_0001.jpg", {"coil": "[^/_]+"})["coil"]
    'C17'
    """
    depth = pattern.count("/") + 1
    components = name.split("/")[-depth:]
    if len(components) < depth or max(map(len, components)) > LONGEST_PART:
        return None
    parts = [part for part in re.split(r"(\{[^{}]*\})", pattern) if part]
    return _match("/".join(components), parts, words)


def _match(name: str, parts: Sequence[str], words: Mapping[str, str]) -> dict[str, str] | None:
    """The fields of a whole name; each place is tried once for each part, whatever the pattern."""
    failed: set[tuple[int, int]] = set()

    def match_from(part: int, at: int) -> dict[str, str] | None:
        if part == len(parts):
            return {} if at == len(name) else None
        if (part, at) in failed:
            return None
        for end in _ends(name, at, parts[part], words):
            rest = match_from(part + 1, end)
            if rest is not None:
                return {parts[part][1:-1]: name[at:end], **rest}
        failed.add((part, at))
        return None

    return match_from(0, 0)


def _ends(name: str, at: int, part: str, words: Mapping[str, str]) -> Iterator[int]:
    """Where a part of a pattern that begins at a place of the name can end, in order of preference."""
    field = part[1:-1] if part.startswith("{") else ""
    if field == ANYTHING:
        stop = name.find("/", at)
        yield from range(at, (len(name) if stop < 0 else stop) + 1)
    elif field not in words:
        if name.startswith(part, at):
            yield at + len(part)
    else:
        longest = re.compile(words[field]).match(name, at)
        for end in range(longest.end() if longest else at, at, -1):
            if re.compile(words[field]).fullmatch(name, at, end):
                yield end
