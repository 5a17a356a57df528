"""What requests about destinations hold, and what they are answered with."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    SecretStr,
    StringConstraints,
    field_validator,
    model_validator,
)

from steelsight.ledger.chain.canonical import time_text
from steelsight.ledger.chain.entries import Mode, Name
from steelsight.ledger.reading.cursors import LONGEST
from steelsight.service.events.messages import Filter
from steelsight.service.events.outbox.destinations import Destination
from steelsight.service.events.outbox.signing import secret_text
from steelsight.service.events.outbox.webhook import trusting

__all__ = [
    "DestinationChange",
    "DestinationForm",
    "DestinationMade",
    "DestinationView",
    "Rotation",
    "Skip",
    "Tested",
]

Kind = Literal["sheet", "verdict", "draw", "review", "event"]
Values = Annotated[list[Name], Field(max_length=100)]
Address = Annotated[str, StringConstraints(min_length=1, max_length=2000)]
Level = Annotated[
    str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f#+$/]+(/[^\x00-\x1f\x7f#+/]+)*$", max_length=200)
]


EXAMPLES: Final[list[JsonValue]] = [
    {
        "name": "MES",
        "kind": "webhook",
        "address": "https://mes.example/steel",
        "filter": {"kinds": ["verdict"], "modes": ["live"], "labels": ["scratch"]},
    },
    {
        "name": "plant",
        "kind": "mqtt",
        "address": "mqtts://broker.example:8883",
        "connection": {"username": "steelsight"},
        "password": "…",
    },
]


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid")


class FilterForm(_Form):
    """Which entries are sent; an empty list = all."""

    kinds: list[Kind] = Field(default=[], max_length=5, description="Kinds of entries.")
    stations: Values = Field(default=[], description="Stations of sheets; writers of events.")
    modes: list[Mode] = Field(
        default=[], max_length=3, description="Of verdicts; other kinds are not concerned."
    )
    labels: Values = Field(default=[], description="Of verdicts, likewise.")
    states: Values = Field(default=[], description="Of verdicts, likewise: decided, doubtful, ….")
    people: bool = Field(
        default=False, description="Ids of people, and events about people; needs the permission audit."
    )

    def wanted(self) -> Filter:
        """As a filter of messages."""
        return Filter(
            kinds=frozenset(self.kinds),
            stations=frozenset(self.stations),
            modes=frozenset(each.value for each in self.modes),
            labels=frozenset(self.labels),
            states=frozenset(self.states),
            audit=self.people,
        )

    @classmethod
    def of(cls, wanted: Filter) -> FilterForm:
        """The form of a filter."""
        names = ("kinds", "stations", "modes", "labels", "states")
        values: dict[str, Any] = {name: sorted(getattr(wanted, name)) for name in names}
        return cls(**values, people=wanted.audit)


class ConnectionForm(_Form):
    """How a receiver is connected to."""

    ca: str | None = Field(
        default=None,
        max_length=100_000,
        description="Certificates in PEM that are trusted instead of the system's.",
    )
    username: str | None = Field(default=None, max_length=200, description="MQTT: name of the account.")
    topic: Level = Field(default="steelsight", description="MQTT: what topics begin with.")
    client_id: Name | None = Field(
        default=None, description="MQTT; none = steelsight- and the destination's id."
    )
    version: Literal["5", "3.1.1"] = Field(default="5", description="MQTT: version of the protocol.")

    @field_validator("ca")
    @classmethod
    def _certificates(cls, text: str | None) -> str | None:
        trusting(text)
        return text


class DestinationForm(_Form):
    """A destination to be made."""

    model_config = ConfigDict(json_schema_extra={"examples": EXAMPLES})

    name: Name
    kind: Literal["webhook", "mqtt"]
    address: Address = Field(description="https://HOST/PATH of a webhook, mqtts://HOST:PORT of a broker.")
    filter: FilterForm = FilterForm()
    connection: ConnectionForm = ConnectionForm()
    password: SecretStr | None = Field(
        default=None, max_length=1000, description="Of a broker; never shown again."
    )
    begin: Annotated[str, StringConstraints(max_length=LONGEST)] = Field(
        default="now", description="Where to begin: `now`, `beginning`, or a cursor."
    )

    @model_validator(mode="after")
    def _password_of_a_broker(self) -> DestinationForm:
        if self.password is not None and self.kind != "mqtt":
            raise ValueError("a webhook has no password: its messages are signed")
        return self


class DestinationChange(_Form):
    """What is changed; a field that is left out stays."""

    name: Name | None = None
    address: Address | None = None
    filter: FilterForm | None = None
    connection: ConnectionForm | None = None
    password: SecretStr | None = Field(default=None, max_length=1000, description="Of a broker.")
    state: Literal["active", "paused"] | None = Field(
        default=None, description="`paused` stops deliveries, `active` goes on where they stopped."
    )


class Rotation(_Form):
    """A new secret of a webhook."""

    overlap_hours: float = Field(
        default=24.0,
        ge=0,
        le=720,
        description="How long messages are signed with the earlier secret as well.",
    )


class Skip(_Form):
    """A message that is not to be sent."""

    writer: Name
    seq: int = Field(ge=1)


class WaitingMessage(BaseModel):
    """A message that was not accepted."""

    writer: str
    seq: int


class DestinationView(BaseModel):
    """A destination, and how far it has come. Times are UTC."""

    id: str
    name: str
    kind: Literal["webhook", "mqtt"]
    address: str
    filter: FilterForm
    connection: ConnectionForm
    has_password: bool
    state: Literal["active", "paused"]
    reason: str | None = Field(description="Why it was paused by itself.")
    created: str
    delivered: int = Field(description="Messages that were accepted.")
    last_delivered: str | None
    behind: int = Field(description="Entries of the ledger that it has not come to.")
    failures: int = Field(description="Failed attempts in a row.")
    failing_since: str | None
    failing: WaitingMessage | None = Field(description="The message that is not accepted.")
    error: str | None = Field(description="Of the last attempt.")
    next_attempt: str | None
    earlier_secret_until: str | None = Field(
        description="Until then the secret before the rotation signs too."
    )

    @classmethod
    def of(cls, found: Destination, behind: int) -> DestinationView:
        """The view of a destination."""
        return cls(**_values(found, behind))


class DestinationMade(DestinationView):
    """A destination with its secret, which is not shown again."""

    secret: str | None = Field(description="Of a webhook: whsec_ and base64 (Standard Webhooks).")

    @classmethod
    def with_secret(cls, found: Destination, behind: int) -> DestinationMade:
        """The view of a destination that was just made, or that has a new secret."""
        shown = secret_text(found.secret) if found.kind == "webhook" and found.secret else None
        return cls(**_values(found, behind), secret=shown)


class Tested(BaseModel):
    """What came of a test."""

    delivered: bool
    message_id: str
    error: str | None
    milliseconds: float


def _values(found: Destination, behind: int) -> dict[str, Any]:
    return {
        **{name: getattr(found, name) for name in _SAME},
        "filter": FilterForm.of(found.wanted),
        "connection": ConnectionForm(**found.options),
        "has_password": found.kind == "mqtt" and found.secret is not None,
        "created": time_text(found.created_us),
        "last_delivered": _time(found.delivered_us),
        "behind": behind,
        "failing_since": _time(found.failing_since_us),
        "failing": found.failing and WaitingMessage(writer=found.failing[0], seq=found.failing[1]),
        "next_attempt": _time(found.next_us),
        "earlier_secret_until": _time(found.earlier_until_us),
    }


_SAME = ("id", "name", "kind", "address", "state", "reason", "delivered", "failures", "error")


def _time(time_us: int | None) -> str | None:
    return None if time_us is None else time_text(time_us)
