"""What a request is refused with: one class, which the API turns into its error envelope."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from steelsight.errors import SteelsightError

__all__ = ["Problem"]


class Problem(SteelsightError):
    """A request that is not answered as it was meant.

    status   of HTTP, 400 to 599
    code     a word for programs, such as not_found; it keeps its meaning
    message  what was expected and what came
    advice   what to do
    headers  further headers of the answer, such as Retry-After
    facts    further fields of the envelope, plain values
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        advice: str,
        *,
        headers: Mapping[str, str] | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.advice = advice
        self.headers = dict(headers or {})
        self.facts = dict(facts or {})
