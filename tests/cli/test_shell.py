"""The program in a shell: help by its users, completion, --quiet and --verbose, colours, logs of CI."""

from __future__ import annotations

import importlib
import io
import json
import logging
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from steelsight.cli import app
from steelsight.cli.console import _Terminal, console, progress_bar, step_status
from steelsight.cli.progress_lines import ProgressLines
from steelsight.cli.verbosity import verbose_log
from steelsight.cli.verbs import LAB, PLANT, STUDY, TRUST, VERBS

MAIN = "import sys; sys.argv[0] = 'steelsight'; from steelsight.cli import main; main()"
BARE = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR", "TERM")}


def run(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return run_script(MAIN, *words, **variables)


def run_script(script: str, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script, *words],
        capture_output=True,
        text=True,
        check=False,
        env={**BARE, "PYTHONPATH": os.pathsep.join(sys.path), "COLUMNS": "120", **variables},
    )


def invoke(*words: str) -> str:
    done = CliRunner().invoke(app, words, env={"COLUMNS": "120"})
    assert done.exit_code == 0, done.output
    return done.output


def test_help_groups_the_verbs_by_who_uses_them() -> None:
    lines = [line.strip(" │─╭╮╰╯") for line in invoke("--help").splitlines()]
    places = [lines.index(panel) for panel in (PLANT, LAB, TRUST, STUDY)]
    assert places == sorted(places)
    words = [line.split() for line in lines]
    for entry in VERBS:
        (row,) = [number for number, line in enumerate(words) if line[:1] == [entry.name]]
        start = lines.index(entry.panel)
        assert start < row < min([place for place in places if place > start], default=len(lines))


@pytest.mark.parametrize("entry", VERBS, ids=lambda entry: entry.name)
def test_the_table_of_verbs_says_what_the_verbs_say(entry) -> None:
    command = entry.load()
    first = " ".join((command.help or "").split("\n\n")[0].split())
    assert entry.summary == first
    assert command.name == entry.name
    assert command.rich_help_panel == entry.panel
    assert importlib.util.find_spec(f"steelsight.cli.{entry.module}") is not None


def test_help_imports_neither_numpy_nor_pydantic() -> None:
    heavy = ("numpy", "pydantic", "jaxtyping", "pyarrow", "rich.progress")
    script = (
        "import sys; from typer.testing import CliRunner; from steelsight.cli import app;"
        f"CliRunner().invoke(app, ['--help']); print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={**BARE, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("tra", {"train"}),
        ("runs ", {"list", "show", "rm"}),
        ("bundle show f", {"fast"}),
        ("train --reci", {"--recipe"}),
        ("train --split gr", {"groups"}),
        ("scan --qui", {"--quiet"}),
    ],
)
def test_bash_completes_verbs_options_and_values(typed: str, wanted: set[str]) -> None:
    words = ["steelsight", *typed.split()] + [""] * typed.endswith(" ")
    done = run(
        _STEELSIGHT_COMPLETE="complete_bash", COMP_WORDS=" ".join(words), COMP_CWORD=str(len(words) - 1)
    )
    assert set(done.stdout.split()) == wanted, done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_a_script_for_each_shell_is_shown(shell: str) -> None:
    done = run("--show-completion", shell, _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1")
    assert done.returncode == 0, done.stderr
    assert "_STEELSIGHT_COMPLETE" in done.stdout
    assert f"complete_{'pwsh' if shell == 'pwsh' else shell}" in done.stdout


@pytest.mark.parametrize("words", [["--quiet", "runs", "list"], ["runs", "list", "-q"]])
def test_quiet_prints_nothing_but_results(words: list[str], tmp_path: Path) -> None:
    done = CliRunner().invoke(app, [*words, str(tmp_path)])
    assert (done.exit_code, done.stderr, done.stdout) == (0, "", "")
    assert json.loads(CliRunner().invoke(app, [*words, str(tmp_path), "--json"]).stdout)["runs"] == []
    assert "no RUN folder" in CliRunner().invoke(app, ["runs", "list", str(tmp_path)]).stderr


def test_quiet_prints_errors(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["-q", "runs", "show", str(tmp_path)])
    assert done.exit_code == 2
    assert done.stderr.startswith(f"error BadInput: {tmp_path}: expected a RUN folder")


@pytest.mark.parametrize("words", [["--verbose", "runs", "list"], ["runs", "list", "-v"]])
def test_verbose_prints_versions_and_times(words: list[str], tmp_path: Path) -> None:
    done = CliRunner().invoke(app, [*words, str(tmp_path)])
    assert done.exit_code == 0, done.output
    lines = done.stderr.splitlines()
    assert lines[0].startswith("steelsight ")
    assert ", Python 3." in lines[0]
    assert lines[-1].startswith("took ")


def test_verbose_prints_the_log_of_libraries_while_a_verb_runs(capsys: pytest.CaptureFixture[str]) -> None:
    console.set_verbosity(verbose=True)
    try:
        with verbose_log("steelsight scan"):
            logging.getLogger("somebody.reader").info("read %d rows", 3)
        logging.getLogger("somebody.reader").info("afterwards")
    finally:
        console.set_verbosity()
    shown = capsys.readouterr().err
    assert "somebody.reader: read 3 rows" in shown
    assert "afterwards" not in shown


def test_verbose_prints_the_traceback_of_an_error(tmp_path: Path) -> None:
    words = ["runs", "show", str(tmp_path)]
    assert "Traceback (most recent call last)" in CliRunner().invoke(app, [*words, "--verbose"]).stderr
    assert "Traceback" not in CliRunner().invoke(app, words).stderr


def test_quiet_and_verbose_exclude_each_other(tmp_path: Path) -> None:
    for words in (["-q", "-v", "recipes"], ["-q", "recipes", "-v"], ["recipes", "-q", "-v"]):
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 2
        assert "expected --quiet or --verbose, got both" in " ".join(done.output.replace("│", " ").split())


@pytest.mark.parametrize("entry", VERBS, ids=lambda entry: entry.name)
def test_every_verb_has_both(entry) -> None:
    found = entry.load()
    for command in getattr(found, "commands", {"": found}).values():
        context = typer.Context(command) if not hasattr(command, "context_class") else None
        context = context or command.context_class(command)
        flags = {flag for each in command.get_params(context) for flag in each.opts}
        assert {"--quiet", "-q", "--verbose", "-v"} <= flags, command.name


def test_no_color_takes_colours_away() -> None:
    coloured = run("--help", FORCE_COLOR="1").stdout
    plain = run("--help", FORCE_COLOR="1", NO_COLOR="1").stdout
    assert "\x1b[1;33m" in coloured or "\x1b[33m" in coloured or "\x1b[1;36m" in coloured
    for colour in range(30, 38):
        assert f"\x1b[{colour}m" not in plain
        assert f"\x1b[1;{colour}m" not in plain
    assert "\x1b" not in run("--help").stdout
    assert "\x1b" not in run("--help", NO_COLOR="1").stdout


LOGGING = """
from steelsight.cli.console import console, progress_bar, step_status
with step_status("opening") as say:
    say("predicting")
with console.status("scanning"), progress_bar("reading") as report:
    for done in range(100):
        report(done, 100)
"""


@pytest.mark.parametrize("variables", [{}, {"FORCE_COLOR": "1"}, {"TERM": "xterm-256color", "CI": "true"}])
def test_a_log_has_lines_and_no_movement_of_the_cursor(variables: dict[str, str]) -> None:
    done = run_script(LOGGING, **variables)
    assert done.stderr == "opening\npredicting\nscanning\n"


def test_a_terminal_has_a_bar() -> None:
    script = (
        "from steelsight.cli.console import console, progress_bar\n"
        "print(console.is_interactive, flush=True)\n"
        "with progress_bar('drawing') as report: report(1, 2)\n"
    )
    master, slave = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=slave,
        text=True,
        check=True,
        env={**BARE, "TERM": "xterm", "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    os.close(slave)
    shown = os.read(master, 65536).decode()
    os.close(master)
    assert done.stdout == "True\n"
    assert "drawing" in shown
    assert "\r" in shown


def test_progress_lines_are_as_far_apart_as_they_should_be() -> None:
    lines: list[str] = []
    clock = iter([0.0, 10.0, 31.0, 31.0, 40.0, 62.0, 62.0])
    lines_of = ProgressLines("reading", lines.append, now=lambda: next(clock))
    for done in (1, 1200, 1300):
        lines_of.report(done, 2400)
    lines_of.report(2000, None)
    assert lines == ["reading: 1,200 of 2,400 (50%)", "reading: 2,000"]


def test_steps_are_lines_in_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    console.set_verbosity()
    with step_status("opening [red]") as say:
        say("predicting")
    with progress_bar("reading") as report:
        report(1, 2)
    assert capsys.readouterr().err == "opening [red]\npredicting\n"


def test_steps_have_their_time_with_verbose() -> None:
    written = io.StringIO()
    terminal = _Terminal(file=written, force_terminal=True, markup=False, highlight=False, width=80)
    terminal.set_verbosity(verbose=True)
    assert not terminal.is_interactive
    with terminal.status("opening"):
        pass
    seconds, _, text = written.getvalue().partition(" s  ")
    assert float(seconds) >= 0
    assert text == "opening\n"
