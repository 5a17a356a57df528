"""Settings of the league as one validated object; the values and their reasons are in league.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from importlib import resources
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from steelsight.errors import BadRecipe
from steelsight.explanations.masks import MaskRule
from steelsight.types import Task

__all__ = ["LeagueRecipe", "load_league_recipe"]


class _SettingsSection(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StudyRule(_SettingsSection):
    """The rule of the study's tables."""

    sigma: float = Field(ge=0)
    sign: Literal["positive", "absolute"]
    sensitivity: tuple[float, ...] = Field(min_length=1)
    k_binary: float
    k_multiclass: float


class SearchRecipe(_SettingsSection):
    """Rules that are tried on validation sheets."""

    sigmas: tuple[float, ...] = Field(min_length=1)
    deviations: tuple[float, ...]
    shares: tuple[float, ...]
    peaks: tuple[float, ...]
    otsu: bool


class ChoiceRecipe(_SettingsSection):
    """How methods and rules are chosen."""

    least: int = Field(ge=1)
    share: float = Field(gt=0, le=1)


class ChecksRecipe(_SettingsSection):
    """How faithfulness is measured."""

    sheets: int = Field(ge=0)
    steps: int = Field(ge=1)
    noise_levels: float = Field(ge=0)
    draws: int = Field(ge=1)
    stages: int = Field(ge=1)


class ReportRecipe(_SettingsSection):
    """How scores and times are computed."""

    resamples: int = Field(ge=1)
    repeats: int = Field(ge=1)
    batch: int = Field(ge=1)


class LeagueRecipe(_SettingsSection):
    """Everything that fixes a league apart from its run, its data and its seed."""

    study: StudyRule
    search: SearchRecipe
    choice: ChoiceRecipe
    checks: ChecksRecipe
    report: ReportRecipe

    def study_rules(self, task: Task) -> tuple[MaskRule, MaskRule]:
        """The study's rule for the task, and its rule for the other task."""
        rules = [
            MaskRule("deviations", k, self.study.sigma, self.study.sign)
            for k in (self.study.k_binary, self.study.k_multiclass)
        ]
        return (rules[0], rules[1]) if task == "binary" else (rules[1], rules[0])

    def sensitivity_rules(self, task: Task) -> tuple[MaskRule, ...]:
        """The study's rule for the task at every blur and both signs."""
        k = self.study_rules(task)[0].amount
        signs: tuple[Literal["positive", "absolute"], ...] = ("positive", "absolute")
        return tuple(
            MaskRule("deviations", k, sigma, sign) for sign in signs for sigma in self.study.sensitivity
        )

    def search_rules(self) -> tuple[MaskRule, ...]:
        """Every rule that is tried on validation sheets."""
        amounts = [("deviations", k) for k in self.search.deviations]
        amounts += [("share", share) for share in self.search.shares]
        amounts += [("peak", peak) for peak in self.search.peaks]
        amounts += [("otsu", 0.0)] if self.search.otsu else []
        rules = [
            MaskRule(cut, amount, sigma, self.study.sign)  # type: ignore[arg-type]
            for sigma in self.search.sigmas
            for cut, amount in amounts
        ]
        return tuple(dict.fromkeys(rules))


def load_league_recipe(settings: Sequence[str] = ()) -> LeagueRecipe:
    """The shipped recipe with `section.key=value` overrides; raises BadRecipe, naming the key."""
    shipped = resources.files("steelsight.explanations.benchmark") / "league.toml"
    values = tomllib.loads(shipped.read_text(encoding="utf-8"))
    for setting in settings:
        _put(values, setting)
    try:
        return LeagueRecipe.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise BadRecipe(f"league recipe {key}: {first['msg']}, got {first['input']!r}") from error


def _put(values: dict[str, Any], setting: str) -> None:
    key, equals, text = setting.partition("=")
    section, _, name = key.strip().partition(".")
    if not equals or name not in values.get(section, {}):
        known = ", ".join(f"{part}.{entry}" for part, entries in values.items() for entry in entries)
        raise BadRecipe(f"--set {setting}: expected key=value with a key of {known}")
    try:
        values[section][name] = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        values[section][name] = text.strip()
