"""The routes of access under /api/v1, and the page of one-time links, which has an address of its own."""

from fastapi import APIRouter

from steelsight.service.access.oidc import routes as oidc
from steelsight.service.access.routes import own, pages, tokens, users

__all__ = ["pages_router", "router"]

router = APIRouter()
pages_router = pages.router
for part in (own, oidc, users, tokens):
    router.include_router(part.router)
