"""Keyword settings of the calls of the plant, see `steelsight.api.settings`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypedDict

__all__ = [
    "AdaptSettings",
    "BundleGateSettings",
    "LineSettings",
    "PlanSettings",
    "ScanSettings",
]


class AdaptSettings(TypedDict, total=False):
    """Settings of `adapt`: `adaptation.options.AdaptOptions`."""

    also: Sequence[Path]
    certify: Path | None
    new: Sequence[str]
    drop: Sequence[str]
    rename: Sequence[str]
    take_classes: bool
    folds: int
    repeats: int
    risk: float
    delta: float
    probes: int
    license: str | None
    seed: int


class BundleGateSettings(TypedDict, total=False):
    """Settings of `gate_bundle`: `adaptation.gate.options.BundleGateOptions`."""

    splits: Path | None
    groups_from: Literal["auto", "truth", "detector"]
    limit: int
    engine: Literal["openvino", "onnxruntime"]
    threads: int
    seed: int


class PlanSettings(TypedDict, total=False):
    """Settings of `bench`: `runtime.capacity.options.PlanOptions`."""

    plan: float | None
    peak: float
    sheet_kb: float | None
    image_days: float
    image_share: float
    verdict_days: float
    node_cores: int | None
    price: Sequence[str]


class LineSettings(TypedDict, total=False):
    """Settings of `run_line`: the classes of `service.station.options`."""

    images: str | None
    spool: Path | str | None
    pattern: str | None
    sidecar_wait: float
    http_token: Path | str | None
    idle: float | None
    shadow: Path | str | None
    calibration: Path | str | None
    audit: float
    audit_key: Path | str | None
    engine: str
    threads: int


class ScanSettings(TypedDict, total=False):
    """Settings of `scan`: `runtime.scan.options.ScanOptions`."""

    engine: str
    batch: int
    heatmaps: bool
    partition: str
    fresh: bool
    page: bool
