"""Roles of people, permissions of requests, and the one table that joins them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

__all__ = ["PERMISSIONS", "Actor", "Caller", "Permission", "Role"]


class Permission(StrEnum):
    """What a request needs; also the scopes of a machine token."""

    READ = "read"  # sheets, verdicts, reviews, coils, bundles, images, events of the line, metrics
    INSPECT = "inspect"  # judge an image that is sent
    REVIEW = "review"  # answer to a verdict, acknowledge and shelve alarms
    EXPORT = "export"  # download many rows at once
    CONFIGURE = "configure"  # webhooks, bundles, stations
    AUDIT = "audit"  # events of people, heads of the chains
    USERS = "users"  # accounts, roles, tokens


class Role(StrEnum):
    """What a person is at this plant; one each."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ENGINEER = "engineer"
    AUDITOR = "auditor"
    ADMIN = "admin"


_OPERATOR: Final = frozenset({Permission.READ, Permission.INSPECT, Permission.REVIEW})
PERMISSIONS: Final[Mapping[Role, frozenset[Permission]]] = MappingProxyType(
    {
        Role.VIEWER: frozenset({Permission.READ}),
        Role.OPERATOR: _OPERATOR,
        Role.ENGINEER: _OPERATOR | {Permission.EXPORT, Permission.CONFIGURE},
        Role.AUDITOR: frozenset({Permission.READ, Permission.EXPORT, Permission.AUDIT}),
        Role.ADMIN: frozenset(Permission),
    }
)


@dataclass(frozen=True)
class Actor:
    """Who changes an account or a token, as the event about it says; neither = nobody who is known."""

    person: str | None = None
    token: str | None = None  # public id


@dataclass(frozen=True)
class Caller:
    """Who sends a request, as checked for this one request."""

    person: str | None  # id in the ledger; None for a machine, and for anybody under `--open`
    name: str  # for pages and logs; never enters the ledger's chain
    role: Role | None  # None for a machine
    permissions: frozenset[Permission]
    session: str | None = None  # public id of the session, not its secret; None for tokens and `--open`
    token: str | None = None  # public id of the token; None for people and `--open`

    @property
    def actor(self) -> Actor:
        """The caller as an event names it."""
        return Actor(self.person, self.token)

    def may(self, permission: Permission) -> bool:
        """Whether the caller has a permission."""
        return permission in self.permissions
