"""The routes of access under /api/v1: login and sessions, accounts, machine tokens."""

from fastapi import APIRouter

from steelsight.service.access.routes import own, tokens, users

__all__ = ["router"]

router = APIRouter()
for part in (own, users, tokens):
    router.include_router(part.router)
