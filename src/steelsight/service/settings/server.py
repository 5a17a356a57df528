"""Settings of the HTTP server, of inspection, and of the station that `steelsight serve` starts."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, field_validator

from steelsight.service.settings.values import Names, Paths

__all__ = ["ServerSettings"]

Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]


class ServerSettings(BaseModel):
    """Where the service listens, what it opens, and how much one request may take."""

    ledger: str = Field("steelsight.db", description="LEDGER: a file, or postgresql://USER@HOST/NAME.")
    bundle: Path | None = Field(
        None, description="BUNDLE that judges by default, or the name of one of the package; none = fast."
    )
    more_bundles: Paths = Field(
        (), description="Further BUNDLEs, or names of such, that requests may choose."
    )
    images: str | None = Field(
        None,
        description="Image store: a folder or a URL; none = a folder beside a ledger in a file, "
        "and no store with PostgreSQL.",
    )
    writer: str = Field(
        "console",
        min_length=1,
        max_length=100,
        description="Name under which the service writes to the ledger; one process at a time.",
    )

    host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 = every network.")
    port: int = Field(8080, ge=0, le=65_535, description="Port to listen on; 0 = any free one.")
    open: bool = Field(False, description="Admit everybody without login; on a loopback address only.")
    public_url: str | None = Field(
        None, description="Address as browsers see it, such as https://steel.example; https sets HSTS."
    )
    allowed_hosts: Names = Field(
        (), description="Names in the Host header that are answered, beside loopback's and this machine's."
    )
    trusted_proxies: Names = Field(
        (), description="Addresses of reverse proxies whose X-Forwarded-For and -Proto are believed."
    )

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="What is logged on standard error; info = one line for each request."
    )

    engine: Literal["openvino", "onnxruntime"] = Field("openvino", description="Engine that judges.")
    threads: int = Field(0, ge=0, le=1024, description="Threads of the engine; 0 = its own choice.")
    batch: int = Field(8, ge=1, le=256, description="Most images of one pass of the engine.")
    decoders: int = Field(0, ge=0, le=256, description="Threads that decode; 0 = one for each processor.")
    queue: int = Field(64, ge=1, le=10_000, description="Most images that wait or are judged at a time.")
    request_timeout_s: Seconds = Field(30.0, description="Longest time of one request.")
    body_timeout_s: Seconds = Field(30.0, description="Longest time in which a request's body must arrive.")
    most_body_mb: float = Field(64.0, gt=0, le=4096, description="Largest body of a request with an image.")
    most_bodies_mb: float = Field(
        512.0, gt=0, le=65_536, description="Bodies of all requests together, in memory at a time."
    )
    most_megapixels: float = Field(
        67.0, gt=0, le=67.0, description="Largest image by its header; a larger one gets a verdict too_large."
    )
    idempotency_days: float = Field(
        7.0, gt=0, le=3650, description="Time for which an answer to an Idempotency-Key is kept."
    )

    watch: Path | None = Field(None, description="Folder of a camera: a station process judges its files.")
    station: str = Field("line-1", min_length=1, max_length=100, description="Name of that station.")
    spool: Path | None = Field(None, description="Spool of that station; none = a file beside the ledger.")
    pattern: str | None = Field(None, description="Coil and position from file names, as of `line`.")
    sidecar_wait: float = Field(
        0.0, ge=0, le=60, description="Seconds to wait for the file beside an image that states its place."
    )
    calibration: Path | None = Field(
        None, description="File that says how pixels lie on the strip; none = the one on record goes on."
    )
    shadow: Path | None = Field(None, description="A second BUNDLE of that station, which is not shown.")
    audit: float = Field(0.0, ge=0, le=1, description="Share of that station's sheets to draw for audit.")
    audit_key: Path | None = Field(None, description="File with the secret key of the draws.")

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            ipaddress.ip_network(each, strict=False)  # raises ValueError with words of its own
        return value

    @field_validator("public_url")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/"):
            raise ValueError("expected an address without a path, such as https://steel.example")
        return value
