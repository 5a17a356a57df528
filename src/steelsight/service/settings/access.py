"""Settings of accounts, sessions, OIDC and the guard."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

__all__ = ["AccessSettings"]

Hours = Annotated[float, Field(gt=0, le=8760, allow_inf_nan=False)]


class AccessSettings(BaseModel):
    """Settings of accounts, sessions, OIDC and the guard."""

    session_hours: Hours = Field(12.0, description="Longest time of a session, whatever its use.")
    session_idle_minutes: float = Field(
        120.0,
        gt=0,
        le=525_600,
        allow_inf_nan=False,
        description="Longest time of a session without a request.",
    )
    link_hours: Hours = Field(24.0, description="Time in which a one-time link sets a password.")
    login_attempts: int = Field(
        5, ge=1, le=1000, description="Failed logins of one account before the next one must wait."
    )
    address_attempts: int = Field(
        20, ge=1, le=100_000, description="Failed logins from one address before the next one must wait."
    )
    argon2_passes: int = Field(3, ge=1, le=100, description="Passes of argon2id over its memory.")
    argon2_memory_kib: int = Field(
        65_536, ge=8, le=4_194_304, description="Memory of one argon2id hash, KiB; at least 8 for each lane."
    )
    argon2_lanes: int = Field(4, ge=1, le=64, description="Lanes of argon2id.")
