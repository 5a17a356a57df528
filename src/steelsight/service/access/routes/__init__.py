"""The routes of access under /api/v1: login and sessions, accounts, machine tokens, identity provider."""

from fastapi import APIRouter

from steelsight.service.access.oidc import routes as oidc
from steelsight.service.access.routes import own, tokens, users

__all__ = ["router"]

router = APIRouter()
for part in (own, oidc, users, tokens):
    router.include_router(part.router)
