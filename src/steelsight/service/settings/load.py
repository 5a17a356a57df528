"""All settings in one model, read from flags, the environment, one TOML file, and defaults, in this order."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from steelsight.errors import BadInput
from steelsight.reading import read_regular
from steelsight.service.settings.access import AccessSettings
from steelsight.service.settings.events import EventSettings
from steelsight.service.settings.pages import PageSettings
from steelsight.service.settings.server import ServerSettings

__all__ = ["PREFIX", "Settings", "load_settings"]

PREFIX: Final = "STEELSIGHT_SERVE_"  # of environment variables: STEELSIGHT_SERVE_PORT=8080
MOST_BYTES: Final = 2**20  # of the TOML file


class Settings(PageSettings, EventSettings, AccessSettings, ServerSettings, BaseSettings):
    """Every setting of the service, those of the server first. Values given come before the environment."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix=PREFIX, case_sensitive=False)


def load_settings(flags: Mapping[str, Any] | None = None, *, config: Path | None = None) -> Settings:
    """Read the settings.

    flags   values that come before everything else; None in it = not given
    config  TOML file with keys named as the settings; its relative paths are of the current folder
    raises  BadInput, naming the setting, what it expects, and where it may be set
    """
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    _refuse_unknown(given, "options")
    names = [key for key in os.environ if key.upper().startswith(PREFIX)]
    _refuse_unknown({key[len(PREFIX) :].lower(): key for key in names}, f"environment ({PREFIX}…)")
    stored = {} if config is None else _read_toml(config)
    _refuse_unknown(stored, str(config))

    class Sourced(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
            file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return init_settings, env_settings, InitSettingsSource(settings_cls, stored)

    try:
        read = Sourced(**given)
    except SettingsError as error:
        raise BadInput(f"environment: {error}") from error
    except ValidationError as error:
        raise _refused(error) from error
    return Settings.model_construct(**dict(read))


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_regular(path, most_bytes=MOST_BYTES).decode())
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror or error})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: expected settings in TOML, got {error}") from error


def _refuse_unknown(values: Mapping[str, Any], where: str) -> None:
    unknown = sorted(set(values) - set(Settings.model_fields))
    if unknown:
        raise BadInput(
            f"{where}: unknown setting {unknown[0]!r:.80}; expected one of {', '.join(Settings.model_fields)}"
        )


def _refused(error: ValidationError) -> BadInput:
    first = error.errors()[0]
    # pydantic adds what it tried, such as function-plain[…], to the path of a value
    name = ".".join(str(each) for each in first["loc"] if "[" not in str(each)) or "settings"
    top = str(first["loc"][0]) if first["loc"] else "…"
    came = "" if "secret" in name or "password" in name else f", got {first.get('input')!r:.80}"
    return BadInput(
        f"setting {name}: {first['msg']}{came}; set it by --{top.replace('_', '-')} or --set {top}=…, "
        f"{PREFIX}{top.upper()}, or {top} in the TOML file"
    )
