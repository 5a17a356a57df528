"""Options of a line. Free of heavy imports, so that `--help` stays fast."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from steelsight.options import check_options, option

__all__ = ["ArrivalOptions", "JudgingOptions", "KeepingOptions"]


@dataclass(frozen=True)
class KeepingOptions:
    """Where sheets are kept."""

    images: str | None = option(
        None, help="Image store to keep every image in: a folder or a URL. Default: images stay in place."
    )
    spool: Path | None = option(
        None, help="File for entries while the database is away. Default: the line ends then."
    )

    def __post_init__(self) -> None:
        check_options(self)


@dataclass(frozen=True)
class ArrivalOptions:
    """How sheets arrive."""

    pattern: str | None = option(
        None, help="Coil and position from names, such as '{coil}_{position_m}_{side}.jpg'."
    )
    sidecar_wait: float = option(
        0.0, help="Seconds to wait for the file beside an image that states its place.", min=0, max=60
    )
    http_token: Path | None = option(
        None, help="File with the token that cameras send; only on loopback may it be left out."
    )
    idle: float | None = option(None, help="End after this many seconds without a sheet.", min=0)

    def __post_init__(self) -> None:
        check_options(self)


@dataclass(frozen=True)
class JudgingOptions:
    """What judges, and what follows from it."""

    shadow: Path | None = option(
        None, help="A second BUNDLE that judges the same sheets without being shown.", metavar="BUNDLE"
    )
    calibration: Path | None = option(
        None,
        help="TOML or JSON file: how pixels lie on the strip. Default: the calibration on record goes on.",
    )
    audit: float = option(0.0, help="Share of the sheets to draw for audit.", min=0, max=1)
    audit_key: Path | None = option(None, help="File with the secret key of the draws, at least 16 bytes.")
    engine: str = option("openvino", help="openvino or onnxruntime.")
    threads: int = option(1, help="Number of threads; 0 = the engine's own choice.", min=0)

    def __post_init__(self) -> None:
        check_options(self)
