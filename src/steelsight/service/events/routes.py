"""GET /api/v1/events/stream: what the ledger receives, as server-sent events."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.sse import EventSourceResponse, format_sse_event
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from steelsight.errors import BadCursor, BadLedger, SteelsightError
from steelsight.ledger.chain.entries import Mode, Name
from steelsight.ledger.reading.cursors import LONGEST, cursor_text
from steelsight.ledger.reading.tail import Resumed, first_entered_after, read_heads, resume
from steelsight.ledger.writing.writer import now_us
from steelsight.service.access.guard import needs, still_allowed
from steelsight.service.access.roles import Caller, Permission
from steelsight.service.context import Service
from steelsight.service.events.hub import Hub, StreamStep
from steelsight.service.events.messages import Filter
from steelsight.service.events.telling import may_be_told
from steelsight.service.problem import Problem
from steelsight.service.reviewing.seen import Watch, begin_watch

__all__ = ["router"]

RETRY_MS: Final = 1000  # after which a browser connects again
MOST_VALUES: Final = 100  # of one filter
AWAY_S: Final = 1.0  # between attempts to ask the database who has seen what
PIECE_BYTES: Final = 64 * 1024  # events that are given to the server at once

Kind = Literal["sheet", "verdict", "draw", "review", "event"]
router = APIRouter(prefix="/api/v1/events", tags=["events"])


@router.get(
    "/stream",
    response_class=StreamingResponse,
    summary="Stream what the ledger receives",
    responses={
        200: {
            "description": "Events named after the kind of entry; data: docs/events.md; ids are cursors.",
            "content": {
                "text/event-stream": {
                    "example": 'event: verdict\nid: 1.9xKq…\ndata: {"type":"verdict","writer":"line-1",…}\n\n'
                }
            },
        }
    },
)
async def stream(
    request: Request,
    caller: Annotated[Caller, Depends(needs(Permission.READ))],
    after: Annotated[
        str | None, Query(max_length=LONGEST, description="Cursor to go on after; without it, from now.")
    ] = None,
    kind: Annotated[tuple[Kind, ...], Query(max_length=5, description="Kinds of entries; none = all.")] = (),
    station: Annotated[
        tuple[Name, ...], Query(max_length=MOST_VALUES, description="Stations of sheets, writers of events.")
    ] = (),
    mode: Annotated[
        tuple[Mode, ...], Query(max_length=3, description="Modes of verdicts; other kinds are not concerned.")
    ] = (),
    last_event_id: Annotated[
        str | None,
        Header(max_length=LONGEST, description="Cursor to go on after; browsers send it. Before `after`."),
    ] = None,
) -> EventSourceResponse:
    """Every entry once and in each writer's order, from a cursor or from now; see docs/events.md.

    To operators no draw is sent, and no review of others on a sheet that they may yet decide.
    """
    service: Service = request.app.state.service
    hub: Hub = request.app.state.hub
    if hub.streams >= service.settings.most_streams:
        raise Problem(
            503,
            "too_many_streams",
            f"{hub.streams} event streams are open, and `most_streams` allows no more",
            "close some, or raise the setting most_streams",
            headers={"Retry-After": "5"},
        )
    begin, cursor, since_us = await run_in_threadpool(_begin, service, last_event_id or after)
    wanted = Filter(
        kinds=frozenset(kind),
        stations=frozenset(station),
        modes=frozenset(each.value for each in mode),
        audit=caller.may(Permission.AUDIT),
    )
    watch = None
    if not kind or {"verdict", "review"} & set(kind):
        ahead_s = 2 * max(service.settings.stream_check_s, service.settings.stream_heartbeat_s)
        watch = await run_in_threadpool(begin_watch, service, caller, since_us, ahead_s)
    sending = _Sending(hub, service, request, wanted, watch, caller)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return EventSourceResponse(sending.chunks(begin, cursor), headers=headers)


def _begin(service: Service, text: str | None) -> tuple[Resumed, str, int]:
    """Where the stream begins, the text of that cursor, and when the first verdict after it was entered."""
    since = now_us()
    with service.ledger.read() as connection:
        if text is None:
            begin = Resumed(read_heads(connection), ())
        else:
            begin = resume(connection, service.ledger.id, text)
            since = min([since, *first_entered_after(connection, begin.cursor.seqs)])
    return begin, cursor_text(service.ledger.id, begin.cursor), since


@dataclass
class _Sending:
    """One open stream."""

    hub: Hub
    service: Service
    request: Request
    wanted: Filter
    watch: Watch | None  # that the person has seen what is sent
    caller: Caller

    async def chunks(self, begin: Resumed, cursor: str) -> AsyncGenerator[bytes, None]:
        """Server-sent events, as bytes.

        cursor  the text of where it begins
        """
        settings = self.service.settings
        yield format_sse_event(id=cursor, retry=RETRY_MS)
        if begin.lost:
            yield format_sse_event(event="reset", id=cursor, data_str=_lost(begin))
        idle_s = min(settings.stream_heartbeat_s, settings.stream_check_s)
        said = checked = time.monotonic()
        try:
            async with self._watching(), aclosing(self.hub.follow(begin.cursor, idle_s=idle_s)) as batches:
                async for steps in batches:
                    if time.monotonic() - checked >= settings.stream_check_s:
                        checked = time.monotonic()
                        if not await run_in_threadpool(self._allowed):
                            yield _problem(
                                "not_logged_in", "the session or token is no longer valid", "log in again"
                            )
                            return
                    told = await self._told(steps)
                    if told is None:
                        return
                    if steps:
                        cursor = steps[-1].id
                    for chunk in self._events(told):
                        said = time.monotonic()
                        yield chunk
                    if time.monotonic() - said >= settings.stream_heartbeat_s:
                        said = time.monotonic()
                        yield format_sse_event(comment="heartbeat", id=cursor)
        except BadCursor as error:
            yield _problem("cursor_lost", str(error), "connect again")
        except SteelsightError as error:
            yield _problem("ledger_altered", str(error), "see `steelsight ledger verify`")

    def _events(self, steps: Sequence[StreamStep]) -> Iterator[bytes]:
        """Events, joined to pieces of bounded size."""
        piece: list[bytes] = []
        for step in steps:
            piece.append(step.sse(audit=self.wanted.audit))
            if sum(map(len, piece)) >= PIECE_BYTES:
                yield b"".join(piece)
                piece = []
        if piece:
            yield b"".join(piece)

    async def _told(self, steps: Sequence[StreamStep]) -> list[StreamStep] | None:
        """Those that are wanted and may be told; None where the service stops before that is known."""
        wanted = [step for step in steps if self.wanted.wants(step.message)]
        messages = [step.message for step in wanted]
        while any(each.kind in ("draw", "review") for each in messages):
            try:
                may = await run_in_threadpool(may_be_told, self.service, self.caller, messages)
            except BadLedger:  # nothing is sent while the database is away
                if self.hub.closed:
                    return None
                await asyncio.sleep(AWAY_S)
            else:
                return [step for step, told in zip(wanted, may, strict=True) if told]
        return wanted

    @asynccontextmanager
    async def _watching(self) -> AsyncGenerator[None, None]:
        """The watch ends with the stream; where that cannot be written, it ends by its time."""
        try:
            yield
        finally:
            if self.watch is not None:
                with suppress(BadLedger):
                    await asyncio.shield(run_in_threadpool(self.watch.end))

    def _allowed(self) -> bool:
        if self.watch is not None:
            with suppress(BadLedger):
                self.watch.renew()
        needed = Permission.AUDIT if self.wanted.audit else Permission.READ
        try:
            return still_allowed(self.request, needed)
        except BadLedger:  # nothing can be sent meanwhile; the next check decides
            return True


def _lost(begin: Resumed) -> str:
    lost = [{"writer": each.writer, "kept": each.kept, "seen": each.seen} for each in begin.lost]
    return json.dumps({"reason": "restored", "epoch": begin.cursor.epoch, "lost": lost})


def _problem(code: str, message: str, advice: str) -> bytes:
    return format_sse_event(
        event="problem", data_str=json.dumps({"code": code, "message": message, "advice": advice})
    )
