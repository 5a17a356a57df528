"""The licences of what is installed with a release: graded from an SBOM, by whether core or extra needs it.

The core may depend on permissive licences alone; an extra on weak copyleft (LGPL, MPL) and on licences of
vendors of devices too. Where a licence is not stated in the metadata of a package, KNOWN says what it is and
where that is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from license_expression import ExpressionError, get_spdx_licensing
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

CORE = "core"


class Grade(IntEnum):
    """What a licence asks of those who pass a program on, the least first."""

    PERMISSIVE = 0
    WEAK_COPYLEFT = 1  # of the licensed files or library alone
    VENDOR = 2  # may be used and passed on with the vendor's devices
    STRONG_COPYLEFT = 3
    UNKNOWN = 4


PERMISSIVE = frozenset(
    (
        *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "CNRI-Python", "FTL"),
        *("HPND", "IJG", "ISC", "libpng-2.0", "MIT", "MIT-0", "MIT-CMU", "NCSA", "PSF-2.0", "Python-2.0"),
        *("Python-2.0.1", "Unicode-3.0", "Unicode-DFS-2016", "Unlicense", "X11", "Zlib", "ZPL-2.1"),
    )
)
WEAK = re.compile(r"(LGPL|MPL|EPL|CDDL)-")
STRONG = re.compile(r"(A?GPL|SSPL)-")
LINKED = frozenset({"GCC-exception-3.1", "LLVM-exception", "Classpath-exception-2.0"})  # the program is free
VENDOR = re.compile(r"LicenseRef-(NVIDIA|Intel)[\w.-]*", re.IGNORECASE)

WORDS = {  # licences as metadata names them, by their SPDX identifier
    "2-clause BSD": "BSD-2-Clause",
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "Apache Software License 2.0": "Apache-2.0",
    "BSD": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "BSD 2-Clause License": "BSD-2-Clause",
    "BSD 3-Clause License": "BSD-3-Clause",
    "BSD-3-clause": "BSD-3-Clause",
    "MIT License": "MIT",
    "MIT license": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "NVIDIA Proprietary Software": "LicenseRef-NVIDIA-Proprietary",
    "PSF": "PSF-2.0",
    "PSFL": "PSF-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "ISC License (ISCL)": "ISC",
    "The Unlicense (Unlicense)": "Unlicense",
}
KNOWN = {  # package: SPDX expression, and where it is written; an SBOM leaves out what is no SPDX identifier
    "cuda-toolkit": ("LicenseRef-NVIDIA-Proprietary", "it names packages of NVIDIA and holds nothing"),
    "nvidia-cusparselt-cu13": ("LicenseRef-NVIDIA-Proprietary", "its metadata, field License"),
    "protobuf": ("BSD-3-Clause", "its file LICENSE"),
    "python-dateutil": ("Apache-2.0 OR BSD-3-Clause", "its file LICENSE"),
    "ray": ("Apache-2.0", "its metadata, field License"),
    "torchvision": ("BSD-3-Clause", "its file LICENSE"),
}
_CLASSIFIER = re.compile(r"^(License :: )?(OSI Approved :: )?")
_PROPRIETARY = "Other/Proprietary License"  # a classifier that names no licence
_SPDX = get_spdx_licensing()


@dataclass(frozen=True)
class Package:
    """An installed package."""

    name: str
    version: str
    licence: str  # SPDX expression; "" = none is stated
    grade: Grade
    needed_by: tuple[str, ...]  # core, or extras; () = nothing of the release


def grade_of(expression: str) -> Grade:
    """The grade of an SPDX expression: the worst of what holds together, the best of what may be chosen.

    >>> [grade_of(text).name for text in ("MIT", "MIT AND MPL-2.0", "GPL-2.0-only OR BSD-3-Clause", "?")]
    ['PERMISSIVE', 'WEAK_COPYLEFT', 'PERMISSIVE', 'UNKNOWN']
    """
    try:
        parsed = _SPDX.parse(expression)
    except ExpressionError:
        return Grade.UNKNOWN
    return Grade.UNKNOWN if parsed is None else _grade(parsed)


def _grade(part: Any) -> Grade:
    if hasattr(part, "license_symbol"):  # LICENSE WITH EXCEPTION
        return Grade.PERMISSIVE if part.exception_symbol.key in LINKED else _grade(part.license_symbol)
    if hasattr(part, "args") and part.args:
        grades = [_grade(each) for each in part.args]
        return max(grades) if part.operator.strip() == "AND" else min(grades)
    key = str(part.key)
    if key in PERMISSIVE:
        return Grade.PERMISSIVE
    for pattern, grade in ((WEAK, Grade.WEAK_COPYLEFT), (STRONG, Grade.STRONG_COPYLEFT)):
        if pattern.match(key):
            return grade
    return Grade.VENDOR if VENDOR.fullmatch(key) else Grade.UNKNOWN


def licence_of(component: Mapping[str, Any]) -> str:
    """The licence of a component of an SBOM as one SPDX expression; "" where none is stated.

    Several statements hold together, so each must be acceptable. A text without a name is left out where
    another statement names the licence.
    """
    known = KNOWN.get(canonicalize_name(component["name"]))
    if known is not None:
        return known[0]
    stated = []
    for each in component.get("licenses", []):
        licence = each.get("license", {})
        words = each.get("expression") or licence.get("id") or licence.get("name", "")
        words = _CLASSIFIER.sub("", words).strip()
        if words == _PROPRIETARY:
            words = f"LicenseRef-{'NVIDIA-' * component['name'].startswith('nvidia')}Proprietary"
        if words and not words.startswith("declared license of"):
            stated.append(WORDS.get(words, words))
    distinct = list(dict.fromkeys(stated))
    return distinct[0] if len(distinct) == 1 else " AND ".join(f"({each})" for each in distinct)


def closure(requires: Mapping[str, Sequence[str]], name: str, extra: str = "") -> set[str]:
    """The installed packages that a package needs, directly or through others, itself left out.

    requires  requirement lines of each installed package, by canonical name
    """
    found: set[str] = set()
    waiting = [(canonicalize_name(name), extra)]
    seen = set(waiting)
    while waiting:
        package, chosen = waiting.pop()
        for line in requires.get(package, ()):
            need = Requirement(line)
            if need.marker is not None and not need.marker.evaluate({"extra": chosen}):
                continue
            needed = canonicalize_name(need.name)
            if needed not in requires:
                continue
            found.add(needed)
            new = {(needed, each) for each in ("", *need.extras)} - seen
            seen |= new
            waiting += sorted(new)
    return found - {canonicalize_name(name)}


def packages(bom: Mapping[str, Any], needs: Mapping[str, Iterable[str]]) -> list[Package]:
    """The packages of an SBOM with licence and grade, by name.

    needs  the packages that core and each extra need
    """
    listed = []
    for component in bom.get("components", []):
        name = canonicalize_name(component["name"])
        users = tuple(user for user, names in needs.items() if name in names)
        licence = licence_of(component)
        listed.append(Package(name, component.get("version", ""), licence, grade_of(licence), users))
    return sorted(listed, key=lambda each: each.name)


def refusals(listed: Iterable[Package]) -> list[str]:
    """What the rules refuse, in words; empty where everything may be released."""
    refused = []
    for each in listed:
        if not each.needed_by:
            continue
        most = Grade.PERMISSIVE if CORE in each.needed_by else Grade.VENDOR
        if each.grade > most:
            where = "the core" if CORE in each.needed_by else f"the extras {', '.join(each.needed_by)}"
            refused.append(
                f"{each.name} {each.version}: {where} may need {_allowed(most)}, got "
                f"{each.licence or 'no stated licence'} ({each.grade.name.lower().replace('_', ' ')}); "
                "replace it, move it to an extra, or say in KNOWN what it is and where that is written"
            )
    return refused


def _allowed(most: Grade) -> str:
    return (
        "permissive licences" if most is Grade.PERMISSIVE else "permissive, LGPL, MPL and vendor's licences"
    )
