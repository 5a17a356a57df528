"""Settings of event streams, webhooks and MQTT."""

from __future__ import annotations

from pydantic import BaseModel

__all__ = ["EventSettings"]


class EventSettings(BaseModel):
    """Settings of event streams, webhooks and MQTT."""
