"""The rules of `make release-check`: licences and SBOMs, on made-up metadata; no package is installed."""

from __future__ import annotations

import importlib
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("cyclonedx")
sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))
licences = importlib.import_module("release_licences")
sbom = importlib.import_module("release_sbom")
environments = importlib.import_module("release_environments")
check = importlib.import_module("release_check")
Grade = licences.Grade


def component(name: str, *stated: dict[str, Any], version: str = "1.0") -> dict[str, Any]:
    """A package of an SBOM."""
    ref = f"{name}=={version}"
    return {"type": "library", "bom-ref": ref, "name": name, "version": version, "licenses": list(stated)}


def named(words: str) -> dict[str, Any]:
    return {"license": {"name": words}}


@pytest.mark.parametrize(
    ("expression", "grade"),
    [
        ("MIT", Grade.PERMISSIVE),
        ("BSD-3-Clause AND 0BSD AND MIT AND Zlib AND CC0-1.0", Grade.PERMISSIVE),
        ("Apache-2.0 WITH LLVM-exception", Grade.PERMISSIVE),
        ("GPL-3.0-or-later WITH GCC-exception-3.1", Grade.PERMISSIVE),
        ("GPL-3.0-only WITH Bison-exception-2.2", Grade.STRONG_COPYLEFT),
        ("MPL-2.0 AND MIT", Grade.WEAK_COPYLEFT),
        ("LGPL-3.0-or-later", Grade.WEAK_COPYLEFT),
        ("GPL-2.0-only OR BSD-3-Clause", Grade.PERMISSIVE),
        ("(GPL-2.0-only OR LGPL-2.1-only) AND MIT", Grade.WEAK_COPYLEFT),
        ("AGPL-3.0-only", Grade.STRONG_COPYLEFT),
        ("LicenseRef-NVIDIA-Proprietary", Grade.VENDOR),
        ("LicenseRef-Mine", Grade.UNKNOWN),
        ("", Grade.UNKNOWN),
        ("free for all (", Grade.UNKNOWN),
    ],
)
def test_an_expression_has_a_grade(expression: str, grade: Any) -> None:
    assert licences.grade_of(expression) is grade


@pytest.mark.parametrize(
    ("stated", "expression"),
    [
        ([{"license": {"id": "MIT"}}], "MIT"),
        ([{"expression": "MIT OR Apache-2.0"}], "MIT OR Apache-2.0"),
        (
            [named("License :: OSI Approved :: BSD License"), {"license": {"id": "BSD-3-Clause"}}],
            "BSD-3-Clause",
        ),
        ([named("declared license of 'x'"), named("License :: OSI Approved :: MIT License")], "MIT"),
        ([{"license": {"id": "MIT"}}, {"license": {"id": "GPL-3.0-only"}}], "(MIT) AND (GPL-3.0-only)"),
        ([], ""),
    ],
)
def test_statements_become_one_expression(stated: list[dict[str, Any]], expression: str) -> None:
    assert licences.licence_of(component("x", *stated)) == expression


REQUIRES = {
    "steelsight": [
        "numpy>=2",
        "rich",
        "steelsight[plot]; extra == 'all'",
        "figures>=1; extra == 'plot'",
        "old; python_version < '3'",
        "absent; extra == 'plot'",
    ],
    "numpy": [],
    "rich": ["Mark.Down>=1"],
    "mark-down": ["rich"],  # a circle
    "figures": ["numpy", "fonts[woff]"],
    "fonts": ["brotli; extra == 'woff'", "lxml; extra == 'other'"],
    "brotli": [],
    "lxml": [],
    "old": [],
}


def test_what_a_package_needs_follows_extras_and_markers() -> None:
    core = {"numpy", "rich", "mark-down"}
    assert licences.closure(REQUIRES, "steelsight") == core
    assert licences.closure(REQUIRES, "steelsight", "all") == core | {"figures", "fonts", "brotli"}


def test_the_core_must_be_permissive_and_an_extra_free_of_gpl() -> None:
    bom = {
        "components": [
            component("good", {"license": {"id": "MIT"}}),
            component("lesser", {"license": {"id": "LGPL-3.0-only"}}),
            component("general", {"license": {"id": "GPL-3.0-only"}}),
            component("silent"),
        ]
    }
    everything = {"good", "lesser", "general", "silent"}
    in_extra = licences.packages(bom, {"core": {"good"}, "lab": everything - {"good"}})
    assert [line.split()[0] for line in licences.refusals(in_extra)] == ["general", "silent"]
    in_core = licences.packages(bom, {"core": everything})
    refused = licences.refusals(in_core)
    assert [line.split()[0] for line in refused] == ["general", "lesser", "silent"]
    assert (
        "lesser 1.0: the core may need permissive licences, got LGPL-3.0-only (weak copyleft)" in refused[1]
    )
    assert "got no stated licence (unknown)" in refused[2]
    unused = licences.packages(bom, {"core": set()})  # of the tools that make the release
    assert licences.refusals(unused) == []


def whole_bom() -> dict[str, Any]:
    return {
        "bomFormat": "CycloneDX",
        "specVersion": sbom.SPEC,
        "version": 1,
        "components": [
            component(name, {"license": {"id": "MIT"}})
            for name in ("steelsight", "numpy", "pip", "Mark.Down")
        ],
        "dependencies": [
            {"ref": "steelsight==1.0", "dependsOn": ["numpy==1.0", "pip==1.0"]},
            {"ref": "numpy==1.0"},
            {"ref": "pip==1.0"},
        ],
    }


def test_a_part_of_an_sbom_follows_the_schema() -> None:
    part = sbom.select(whole_bom(), {"numpy", "mark-down"}, "steelsight")
    sbom.check_sbom(part)
    assert part["metadata"]["component"]["name"] == "steelsight"
    assert [each["name"] for each in part["components"]] == ["numpy", "Mark.Down"]
    assert part["dependencies"][0] == {"ref": "steelsight==1.0", "dependsOn": ["numpy==1.0"]}
    assert len(part["dependencies"]) == 2


@pytest.mark.parametrize("change", [{"bomFormat": "Other"}, {"components": [{"name": "x"}]}, {"unknown": 1}])
def test_an_sbom_of_another_schema_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(SystemExit, match=r"SBOM: expected CycloneDX 1\.6, got"):
        sbom.check_sbom(whole_bom() | change)


def test_the_lowest_releases_are_those_of_the_metadata() -> None:
    requirement = environments.Requirement
    lines = environments.lowest([requirement("numpy>=2.0"), requirement("pillow>=11,<13")])
    assert lines == ["numpy==2.0.*", "pillow==11.*"]


def test_the_page_of_figures_keeps_what_others_wrote_below_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "commit", lambda: "0123456789")
    for name in ("wheel", "sdist"):
        (tmp_path / name).write_bytes(bytes(2_000_000))
    built = check.Built(tmp_path / "wheel", tmp_path / "sdist")
    figures = check.Figures(built, 597.0, 0.03, (0.2, 0.1), (0.3, 0.2), {"oldest": {"numpy": "2.0.2"}})
    page = tmp_path / "release.md"
    check.write_figures(figures, [], page)
    assert "| wheel | 2.0 MB | 25 MB |" in page.read_text()
    below = "\n## The trial as a new user\nIt took long.\n\n### Of it\n"
    page.write_text(page.read_text() + below)
    check.write_figures(replace(figures, plant_mb=500.0), [], page)
    first = page.read_text()
    assert first.endswith(f"with all extras.\n{below}")
    assert "| 500 MB | 600 MB |" in first
    assert "597" not in first
