"""The routes of access under /api/v1, and the pages, which have addresses of their own."""

from fastapi import APIRouter

from steelsight.service.access.oidc import routes as oidc
from steelsight.service.access.routes import home, own, pages, tokens, users

__all__ = ["pages_router", "router"]

router = APIRouter()
pages_router = APIRouter()
for part in (home, pages):
    pages_router.include_router(part.router)
for part in (own, oidc, users, tokens):
    router.include_router(part.router)
