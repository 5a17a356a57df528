"""Settings of accounts, sessions, OIDC and the guard."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

__all__ = ["AccessSettings", "OidcSettings"]

RoleName = Literal["viewer", "operator", "engineer", "auditor", "admin"]
Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]

Hours = Annotated[float, Field(gt=0, le=8760, allow_inf_nan=False)]


class OidcSettings(BaseModel):
    """A provider of identities: Keycloak, Entra ID, or another that follows OpenID Connect."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    issuer: str = Field(max_length=2000, description="Address of the provider, as its tokens name it; https.")
    client_id: str = Field(min_length=1, max_length=500, description="Name of this service there.")
    client_secret: SecretStr | None = Field(None, description="Its secret there; none = a public client.")
    client_secret_file: Path | None = Field(None, description="File whose first line is that secret.")
    scopes: tuple[str, ...] = Field(("openid", "profile", "email"), description="Asked for at the provider.")
    algorithms: tuple[Algorithm, ...] = Field(
        ("RS256", "PS256", "ES256", "EdDSA"), min_length=1, description="Signatures that are accepted."
    )
    login_claim: str = Field("preferred_username", description="Claim with the login name of a new account.")
    role_claim: str = Field("groups", description="Claim with groups or roles; dots lead into objects.")
    roles: dict[str, RoleName] = Field(
        default_factory=dict,
        description="Role for each value of that claim; the first that fits counts, at every login.",
    )
    default_role: RoleName | None = Field(
        None, description="Role where no value fits; none = such a person is refused."
    )
    link_by_email: bool = Field(
        False,
        description="Give an account to the identity with its address, if verified.",
    )

    @field_validator("issuer")
    @classmethod
    def _secure(cls, value: str) -> str:
        parts = urlsplit(value)
        local = parts.hostname in ("localhost", "127.0.0.1", "::1")
        if not parts.hostname or parts.query or parts.fragment or parts.username:
            raise ValueError("expected an address without user, query and fragment")
        if parts.scheme != "https" and not (parts.scheme == "http" and local):
            raise ValueError("expected an https address")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> OidcSettings:
        if "openid" not in self.scopes:
            raise ValueError("scopes: expected openid among them")
        if not self.roles and self.default_role is None:
            raise ValueError("expected roles, default_role, or both: nobody could log in")
        if self.client_secret is not None and self.client_secret_file is not None:
            raise ValueError("expected client_secret or client_secret_file, not both")
        return self


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
    oidc: OidcSettings | None = Field(None, description="Provider of identities; none = local accounts only.")
