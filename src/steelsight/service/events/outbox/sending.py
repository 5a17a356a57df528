"""What every kind of receiver is sent, and what happens where it does not accept it."""

from __future__ import annotations

import hashlib
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from steelsight.service.events.messages import Message

__all__ = ["DeliveryFailed", "Opener", "Outgoing", "Sender", "outgoing"]


@dataclass(frozen=True)
class Outgoing:
    """One message to one destination."""

    id: str  # the same in every attempt, for receivers that must not take a message twice
    station: str
    kind: str
    body: bytes = field(repr=False)  # JSON


class DeliveryFailed(Exception):
    """A receiver did not accept a message; the worker tries again.

    gone           the receiver says that it will never accept one again
    retry_after_s  it asks to wait so long
    """

    def __init__(self, message: str, *, gone: bool = False, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.gone = gone
        self.retry_after_s = retry_after_s


class Sender(Protocol):
    """Sends to one destination."""

    async def send(self, message: Outgoing) -> None:
        """Returns when the receiver has accepted it; raises DeliveryFailed."""


Opener = AbstractAsyncContextManager[Sender]  # opens the connection; raises DeliveryFailed


def outgoing(ledger: str, destination: str, message: Message, *, audit: bool) -> Outgoing:
    """The message of an entry.

    ledger  its id
    audit   whether ids of people are sent
    """
    entry = message.entry
    place = f"{ledger}\0{destination}\0{entry.writer}\0{entry.seq}\0{entry.epoch}"
    identity = f"msg_{hashlib.sha256(place.encode()).hexdigest()[:32]}"
    body = f'{{"id":"{identity}",{message.json(audit=audit)[1:]}'
    return Outgoing(identity, message.station, message.kind, body.encode())
