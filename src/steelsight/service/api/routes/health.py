"""Health for probes, without login, and figures for Prometheus."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from steelsight.service.access.guard import needs
from steelsight.service.access.roles import Permission
from steelsight.service.api.health import Health
from steelsight.service.api.models.values import AnswerModel
from steelsight.service.api.parts import ServicePart

__all__ = ["router"]

router = APIRouter(tags=["health"])


class LiveAnswer(AnswerModel):
    """That the process answers."""

    status: Literal["ok"]


class PartAnswer(AnswerModel):
    """The state of one part."""

    state: Literal["ok", "degraded", "down"]
    detail: str = Field(description="What is wrong; empty = nothing.")


class ReadyAnswer(AnswerModel):
    """The state of every part."""

    status: Literal["ok", "degraded", "down"] = Field(
        description="degraded: requests are answered, but a part is not as it should be."
    )
    parts: dict[str, PartAnswer]


async def _health(request: Request) -> Health:
    health: Health = request.app.state.health
    return health


@router.get("/health/live")
async def live() -> LiveAnswer:
    """The process answers."""
    return LiveAnswer(status="ok")


@router.get(
    "/health/ready",
    response_model=ReadyAnswer,
    responses={503: {"model": ReadyAnswer, "description": "A part without which nothing works is down."}},
)
def ready(health: Annotated[Health, Depends(_health)]) -> JSONResponse:
    """Every part, with its state; 503 where one is down without which no request can be answered."""
    parts = health.look()
    status = health.overall(parts)
    shown = {name: {"state": part.state, "detail": part.detail} for name, part in parts.items()}
    return JSONResponse({"status": status, "parts": shown}, 503 if status == "down" else 200)


@router.get(
    "/metrics",
    dependencies=[Depends(needs(Permission.READ))],
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}, "description": "Prometheus's text format."}},
)
def metrics(service: ServicePart) -> Response:
    """Figures for Prometheus; give it a token with the scope `read`."""
    return Response(generate_latest(service.metrics), media_type=CONTENT_TYPE_LATEST)
