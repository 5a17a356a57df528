"""Tables, figures and claims of the study's slides: which are repeated here, and the published figures."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = [
    "Item",
    "PublishedTable",
    "load_contents",
    "load_published",
    "published_rows",
    "published_segmentation",
]

Kind = Literal["table", "figure", "claim"]
Status = Literal["done", "later", "not possible"]


class Item(BaseModel):
    """One table, figure or claim of the slides."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    slide: int = Field(ge=1)
    title: str  # of the slide
    kind: Kind
    number: int = Field(default=0, ge=0)  # in the study's own count of tables or captioned figures; 0 = none
    what: str
    chapter: str
    status: Status
    reason: str = ""

    @model_validator(mode="after")
    def _reasoned(self) -> Item:
        if (self.status == "done") == bool(self.reason):
            raise ValueError(
                f"{self.id}: expected a reason unless it is done, got {self.status}: {self.reason!r}"
            )
        return self


class PublishedTable(BaseModel):
    """One table of figures published by the study."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    columns: tuple[str, ...]
    note: str
    rows: Mapping[str, tuple[float, ...]]

    @model_validator(mode="after")
    def _rectangular(self) -> PublishedTable:
        for name, row in self.rows.items():
            if len(row) != len(self.columns):
                raise ValueError(f"{name}: expected {len(self.columns)} figures, got {len(row)}")
        return self

    def figure(self, row: str, column: str) -> float | None:
        """One published figure; None where the study has no such row or column."""
        printed = row in self.rows and column in self.columns
        return self.rows[row][self.columns.index(column)] if printed else None


def load_contents() -> tuple[Item, ...]:
    """Every item in the order of the slides."""
    return tuple(Item.model_validate(entry) for entry in _read("contents.toml")["item"])


def load_published() -> dict[str, PublishedTable]:
    """The study's tables by name: binary, multiclass, binary_segmentation, multiclass_segmentation."""
    return {name: PublishedTable.model_validate(table) for name, table in _read("published.toml").items()}


def published_rows(table: PublishedTable) -> dict[str, dict[str, float]]:
    """The rows of a published table by name; each row by column."""
    return {name: dict(zip(table.columns, row, strict=True)) for name, row in table.rows.items()}


def published_segmentation(task: str) -> dict[str, dict[str, float]]:
    """Published segmentation scores of the explanation methods; task is binary, or else multi-class."""
    return published_rows(load_published()[f"{'binary' if task == 'binary' else 'multiclass'}_segmentation"])


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((resources.files("steelsight.study") / name).read_text(encoding="utf-8"))
