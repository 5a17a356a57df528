"""Settings of event streams, webhooks and MQTT."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from steelsight.service.settings.values import Networks

__all__ = ["EventSettings"]

Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]


class EventSettings(BaseModel):
    """Event streams to pages and programs, and deliveries to webhooks and MQTT brokers."""

    most_streams: int = Field(200, ge=1, le=10_000, description="Event streams that may be open at a time.")
    stream_heartbeat_s: Seconds = Field(15.0, description="An event stream says so often that it is there.")
    stream_check_s: Seconds = Field(
        10.0, description="A stream's session or token is checked so often; the stream ends where it is over."
    )
    deliver: bool = Field(True, description="Deliver to webhooks and MQTT brokers from this process.")
    allowed_networks: Networks = Field(
        (),
        description="Private networks that webhooks and brokers may lie in, such as 192.168.10.0/24; others "
        "that are not public are refused.",
    )
    delivery_timeout_s: Seconds = Field(10.0, description="Longest time of one delivery.")
    delivery_backoff_s: Seconds = Field(
        300.0, description="Longest time between attempts to reach a receiver that fails."
    )
