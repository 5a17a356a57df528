"""The shadow over the API: which bundle judges beside the default without being shown, its start and end."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from steelsight.ledger.chain.canonical import time_text
from steelsight.service.access.guard import needs
from steelsight.service.access.roles import Caller, Permission
from steelsight.service.api.models.plant import ShadowAnswer, ShadowWish
from steelsight.service.api.parts import ServicePart
from steelsight.service.releases.choices import mark_of
from steelsight.service.releases.following import Releases
from steelsight.service.releases.shadowing import end_shadow, start_shadow
from steelsight.service.releases.wishes import Wish

__all__ = ["router"]

router = APIRouter(tags=["plant"])
Engineer = Annotated[Caller, Depends(needs(Permission.CONFIGURE))]


async def _releases(request: Request) -> Releases:
    releases: Releases = request.app.state.releases
    return releases


ReleasesPart = Annotated[Releases, Depends(_releases)]


@router.get("/shadow", dependencies=[Depends(needs(Permission.READ))])
def get_shadow(releases: ReleasesPart) -> ShadowAnswer:
    """The bundle that judges beside the default without being shown."""
    return _answer(releases)


@router.post("/shadow")
def post_shadow(
    wanted: ShadowWish, service: ServicePart, releases: ReleasesPart, caller: Engineer
) -> ShadowAnswer:
    """Let a bundle judge beside the default; an earlier shadow ends. A person does it, no token."""
    start_shadow(service, releases, caller, Wish(**wanted.model_dump()))
    return _answer(releases)


@router.post("/shadow/end")
def post_shadow_end(
    wanted: ShadowWish, service: ServicePart, releases: ReleasesPart, caller: Engineer
) -> ShadowAnswer:
    """End the shadow. A person does it, no token."""
    end_shadow(service, releases, caller, Wish(**wanted.model_dump()))
    return _answer(releases)


def _answer(releases: Releases) -> ShadowAnswer:
    choices, running = releases.shadow_choices(), releases.shadow()
    since = time_text(choices[-1].made_us) if choices and running else None
    return ShadowAnswer(model=running, since=since, seen=mark_of(choices))
