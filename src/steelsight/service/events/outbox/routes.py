"""/api/v1/destinations: where the service delivers to. Every route needs the permission `configure`."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response
from sqlalchemy import Connection

from steelsight.errors import BadInput
from steelsight.ledger.chain.canonical import time_text
from steelsight.ledger.reading.cursors import Cursor
from steelsight.ledger.reading.tail import read_heads, resume
from steelsight.ledger.writing.writer import Writer, now_us
from steelsight.service.access.guard import needs
from steelsight.service.access.roles import Caller, Permission
from steelsight.service.context import Service
from steelsight.service.events.outbox import destinations
from steelsight.service.events.outbox.addresses import check_literal, parse_endpoint
from steelsight.service.events.outbox.destinations import SCHEMES, Destination, NewDestination
from steelsight.service.events.outbox.forms import (
    DestinationChange,
    DestinationForm,
    DestinationMade,
    DestinationView,
    FilterForm,
    Rotation,
    Skip,
    Tested,
)
from steelsight.service.events.outbox.sending import DeliveryFailed, Outgoing
from steelsight.service.events.outbox.worker import Delivery, open_sender
from steelsight.service.problem import Problem

__all__ = ["router"]

MOST: Final = 100  # destinations
router = APIRouter(prefix="/api/v1/destinations", tags=["destinations"])
Configuring = Annotated[Caller, Depends(needs(Permission.CONFIGURE))]
Change = Callable[[Connection, Writer], Destination]


@router.get("", summary="List destinations and the state of their deliveries")
def list_all(request: Request, _: Configuring) -> list[DestinationView]:
    """All destinations, the oldest first."""
    with _service(request).ledger.read() as connection:
        heads = read_heads(connection)
        found = destinations.list_destinations(connection)
        return [DestinationView.of(each, _behind(connection, each, heads)) for each in found]


@router.post("", status_code=201, summary="Make a destination")
def create(request: Request, form: DestinationForm, caller: Configuring) -> DestinationMade:
    """Make a webhook or an MQTT destination. The answer holds the secret of a webhook, this once."""
    service = _service(request)
    _check_people(form.filter, caller)
    _check_address(service, form.address, form.kind)
    new = NewDestination(
        name=form.name,
        kind=form.kind,
        address=form.address,
        options=form.connection.model_dump(exclude_defaults=True),
        wanted=form.filter.wanted(),
        secret=None if form.password is None else form.password.get_secret_value().encode(),
    )

    def change(connection: Connection, writer: Writer) -> Destination:
        if len(destinations.list_destinations(connection)) >= MOST:
            raise BadInput(f"destinations: there are {MOST} already; delete one first")
        begin = _begin(connection, service, form.begin)
        return destinations.add_destination(connection, writer, new, begin=begin, by=caller.person)

    return _made(request, change)


@router.get("/{identity}", summary="Show a destination and the state of its deliveries")
def show(request: Request, identity: str, _: Configuring) -> DestinationView:
    """One destination."""
    with _service(request).ledger.read() as connection:
        found = _known(connection, identity)
        return DestinationView.of(found, _behind(connection, found, read_heads(connection)))


@router.patch("/{identity}", summary="Change, pause or resume a destination")
def change(request: Request, identity: str, form: DestinationChange, caller: Configuring) -> DestinationView:
    """Change what the body names; deliveries go on where they were."""
    changes: dict[str, Any] = form.model_dump(include={"name", "address", "state"}, exclude_none=True)
    if form.filter is not None:
        changes["wanted"] = form.filter.wanted()
    if form.connection is not None:
        changes["options"] = form.connection.model_dump(exclude_defaults=True)

    def apply(connection: Connection, writer: Writer) -> Destination:
        found = _known(connection, identity)
        _check_people(form.filter or FilterForm.of(found.wanted), caller)
        if form.address is not None:
            _check_address(_service(request), form.address, found.kind)
        if form.password is not None:
            if found.kind != "mqtt":
                raise BadInput("password: a webhook has none; rotate its secret instead")
            changes["secret"] = form.password.get_secret_value().encode()
        _check_password(found, form, changes)
        return destinations.change_destination(connection, writer, identity, changes, by=caller.person)

    return DestinationView.of(*_changed(request, apply))


def _check_password(found: Destination, form: DestinationChange, changes: Mapping[str, Any]) -> None:
    """A stored password goes to no other broker, and to none that other certificates prove."""
    moved = form.address not in (None, found.address)
    other = changes.get("options", found.options).get("ca") != found.options.get("ca")
    if found.kind == "mqtt" and found.secret and form.password is None and (moved or other):
        raise BadInput("password: expected it again with another address or ca: nobody can read it here")


@router.delete("/{identity}", status_code=204, summary="Delete a destination")
def delete(request: Request, identity: str, caller: Configuring) -> Response:
    """Delete a destination; what was not delivered is not sent any more."""
    service = _service(request)
    with service.console.transaction() as (connection, writer):
        _known(connection, identity)
        destinations.remove_destination(connection, writer, identity, by=caller.person)
    _wake(request)
    return Response(status_code=204)


@router.post("/{identity}/rotate", summary="Give a webhook a new secret")
def rotate(request: Request, identity: str, form: Rotation, caller: Configuring) -> DestinationMade:
    """The answer holds the new secret, this once; the earlier one signs too for as long as the body says."""

    def apply(connection: Connection, writer: Writer) -> Destination:
        _check_people(FilterForm.of(_known(connection, identity).wanted), caller)
        seconds = form.overlap_hours * 3600
        return destinations.rotate_key(connection, writer, identity, overlap_s=seconds, by=caller.person)

    return _made(request, apply)


@router.post("/{identity}/skip", summary="Pass over a message that a receiver does not accept")
def skip(request: Request, identity: str, form: Skip, caller: Configuring) -> DestinationView:
    """Deliveries go on after the message that the body names, if it is the one that is not accepted."""

    def apply(connection: Connection, writer: Writer) -> Destination:
        _known(connection, identity)
        message = (form.writer, form.seq)
        return destinations.skip_message(connection, writer, identity, message, by=caller.person)

    return DestinationView.of(*_changed(request, apply))


@router.post("/{identity}/test", summary="Send a test message")
async def test(request: Request, identity: str, _: Configuring) -> Tested:
    """Send one message of type `test` now, beside the others."""
    service = _service(request)
    with service.ledger.read() as connection:
        found = _known(connection, identity)
    message_id = f"msg_test_{secrets.token_hex(12)}"
    body = {"id": message_id, "type": "test", "timestamp": time_text(now_us()), "destination": found.id}
    message = Outgoing(message_id, "steelsight", "test", json.dumps(body).encode())
    error: str | None = None
    began = time.monotonic()
    try:
        async with open_sender(found, service.settings, test=True) as sender:
            await sender.send(message)
    except DeliveryFailed as failure:
        error = str(failure)
    milliseconds = round((time.monotonic() - began) * 1000, 1)
    return Tested(delivered=error is None, message_id=message_id, error=error, milliseconds=milliseconds)


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


def _wake(request: Request) -> None:
    delivery: Delivery = request.app.state.delivery
    delivery.wake()


def _known(connection: Connection, identity: str) -> Destination:
    looks_right = identity.isascii() and identity.isalnum()
    found = destinations.find_destination(connection, identity) if looks_right else None
    if found is None:
        raise Problem(
            404,
            "not_found",
            f"there is no destination {identity!r:.40}",
            "GET /api/v1/destinations lists all",
        )
    return found


def _behind(connection: Connection, found: Destination, heads: Cursor) -> int:
    return destinations.stored_cursor(connection, found).behind(heads)


def _changed(request: Request, change: Change) -> tuple[Destination, int]:
    with _service(request).console.transaction() as (connection, writer):
        found = change(connection, writer)
        behind = _behind(connection, found, read_heads(connection))
    _wake(request)
    return found, behind


def _made(request: Request, change: Change) -> DestinationMade:
    return DestinationMade.with_secret(*_changed(request, change))


def _begin(connection: Connection, service: Service, text: str) -> Cursor:
    heads = read_heads(connection)
    if text == "now":
        return heads
    if text == "beginning":
        return Cursor(heads.epoch)
    return resume(connection, service.ledger.id, text).cursor


def _check_people(form: FilterForm, caller: Caller) -> None:
    if form.people and not caller.may(Permission.AUDIT):
        raise Problem(
            403,
            "forbidden",
            "filter.people: expected the permission audit",
            "leave people out, or ask an administrator",
        )


def _check_address(service: Service, address: str, kind: str) -> None:
    check_literal(parse_endpoint(address, SCHEMES[kind]), service.settings.allowed_networks)
