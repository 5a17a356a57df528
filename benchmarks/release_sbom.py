"""Software bills of materials in CycloneDX JSON, of an environment or of a part of it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.utils import canonicalize_name

SPEC = "1.6"


def environment_sbom(python: Path) -> dict[str, Any]:
    """The SBOM of all packages that an interpreter sees; raises SystemExit where it cannot be made."""
    command = [sys.executable, "-m", "cyclonedx_py", "environment", str(python), "--output-reproducible"]
    command += ["--spec-version", SPEC, "--output-format", "JSON", "--output-file", "-"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: exit {done.returncode}\n{done.stderr[-2000:]}")
    bom: dict[str, Any] = json.loads(done.stdout)
    return bom


def select(bom: Mapping[str, Any], names: Collection[str], root: str) -> dict[str, Any]:
    """The part of an SBOM that holds some packages, and says that it is of one of them.

    names  canonical names
    root   the package it is the SBOM of; it need not be among the names
    """
    kept = [each for each in bom["components"] if canonicalize_name(each["name"]) in {*names, root}]
    (of,) = (each for each in kept if canonicalize_name(each["name"]) == root)
    parts = [each for each in kept if each is not of]
    refs = {each["bom-ref"] for each in kept}
    edges = [
        {"ref": each["ref"], "dependsOn": [ref for ref in each.get("dependsOn", []) if ref in refs]}
        for each in bom.get("dependencies", [])
        if each["ref"] in refs
    ]
    metadata = {**bom.get("metadata", {}), "component": of}
    return {**bom, "metadata": metadata, "components": parts, "dependencies": edges}


def check_sbom(bom: Mapping[str, Any]) -> None:
    """Raise SystemExit where an SBOM does not follow CycloneDX's schema."""
    error = JsonStrictValidator(SchemaVersion.from_version(SPEC)).validate_str(json.dumps(bom))
    if error is not None:
        raise SystemExit(f"SBOM: expected CycloneDX {SPEC}, got {str(error)[:600]}")


def write_sbom(bom: Mapping[str, Any], path: Path) -> None:
    """Check and write an SBOM."""
    check_sbom(bom)
    path.write_text(json.dumps(bom, indent=2, sort_keys=True) + "\n", encoding="utf-8")
