"""The JSON Schema of what is sent: docs/events.schema.json.

python -m steelsight.service.events.message_schema > docs/events.schema.json
"""

from __future__ import annotations

import json
import sys
from typing import Any, Final

from pydantic import Field, TypeAdapter

from steelsight.service.events.messages import MessageBody, TestBody

__all__ = ["DeliveredMessage", "message_schema"]

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
ID: Final = Field(description="The same in every attempt; take a message with an id you have had as repeated")


class DeliveredMessage(MessageBody):
    """A message of a webhook or of MQTT: an entry of the ledger with an id."""

    id: str = ID


class DeliveredTest(TestBody):
    """A test of a destination; nothing of the ledger is in it."""

    id: str = ID


def message_schema() -> dict[str, Any]:
    """The schema of everything that is sent to webhooks and brokers, and of the data of event streams."""
    body = TypeAdapter(DeliveredMessage | DeliveredTest | MessageBody).json_schema(mode="serialization")
    return {"$schema": DIALECT, "title": "What Steelsight sends", **body}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(message_schema(), indent=1, ensure_ascii=False) + "\n")
