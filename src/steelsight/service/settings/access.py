"""Settings of accounts, sessions, OIDC and the guard."""

from __future__ import annotations

from pydantic import BaseModel

__all__ = ["AccessSettings"]


class AccessSettings(BaseModel):
    """Settings of accounts, sessions, OIDC and the guard."""
