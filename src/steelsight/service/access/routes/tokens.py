"""Routes of machine tokens, for administrators."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import Field

from steelsight.service.access import administration, tokens
from steelsight.service.access.carried import Body, refusing, service_of
from steelsight.service.access.guard import needs
from steelsight.service.access.roles import Caller, Permission
from steelsight.service.access.tokens import MOST_DAYS, Token

__all__ = ["router"]

router = APIRouter(tags=["tokens"])
Admin = Annotated[Caller, Depends(needs(Permission.USERS))]
TokenId = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="Public id of a token.")]


class TokenBody(Body):
    """A token to be made."""

    name: str = Field(min_length=1, max_length=100, description="Of the machine.", examples=["prometheus"])
    scopes: tuple[Permission, ...] = Field(min_length=1, max_length=20, examples=[["read"]])
    days: float | None = Field(
        365.0, gt=0, le=MOST_DAYS, allow_inf_nan=False, description="Until it expires; null = never."
    )


class TokenShown(Body):
    """A token without its secret."""

    id: str
    name: str
    scopes: tuple[Permission, ...]
    creator: str | None = Field(description="Random id of the person; null = the command line.")
    created_us: int
    used_us: int | None = Field(description="Last use, to the minute.")
    expires_us: int | None
    revoked_us: int | None


class NewToken(Body):
    """A token and its secret."""

    token: TokenShown
    secret: str = Field(description="For the header Authorization: Bearer. It is shown once.")


class TokenList(Body):
    """All tokens, newest first."""

    tokens: tuple[TokenShown, ...]


def _shown(token: Token) -> TokenShown:
    return TokenShown(**vars(token))


@router.get("/tokens")
def list_tokens(request: Request, _caller: Admin) -> TokenList:
    """All tokens, revoked ones too."""
    with service_of(request).ledger.read() as connection:
        return TokenList(tokens=tuple(map(_shown, tokens.list_tokens(connection))))


@router.post("/tokens", status_code=201)
def create_token(body: TokenBody, request: Request, response: Response, caller: Admin) -> NewToken:
    """Make a token for a machine."""
    response.headers["Cache-Control"] = "no-store"
    with refusing(), service_of(request).console.transaction() as (connection, writer):
        token, secret = administration.create_token(
            connection, writer, caller, body.name, body.scopes, days=body.days
        )
    return NewToken(token=_shown(token), secret=secret)


@router.delete("/tokens/{token}", status_code=204)
def revoke_token(request: Request, token: TokenId, caller: Admin) -> None:
    """End a token at once."""
    with refusing(), service_of(request).console.transaction() as (connection, writer):
        tokens.revoke_token(connection, writer, token, by=caller.actor)
