"""The whole program: version, short help, and a start without the lab."""

import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from steelsight.cli import app
from steelsight.version import __version__


def test_version():
    shown = CliRunner().invoke(app, ["--version"])
    assert (shown.exit_code, shown.stdout) == (0, f"steelsight {__version__}\n")


@pytest.mark.parametrize("verb", [[], ["train"], ["shortcuts"], ["shortcuts", "find"], ["bundle", "verify"]])
def test_short_and_long_help_are_the_same(verb):
    short, long = (CliRunner().invoke(app, [*verb, flag]) for flag in ("-h", "--help"))
    assert short.exit_code == long.exit_code == 0
    assert short.stdout == long.stdout


def test_a_word_that_is_no_verb():
    refused = CliRunner().invoke(app, ["tarin"])
    assert refused.exit_code == 2
    assert "No such command 'tarin'" in refused.output


def test_help_loads_neither_torch_nor_the_engines():
    heavy = ("torch", "scipy", "sklearn", "openvino", "matplotlib")
    script = f"import sys, steelsight.cli; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.stdout == "[]\n"
