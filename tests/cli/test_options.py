"""Options of the command line from option classes: names, help, defaults, bounds, and what the verb gets."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import pytest
import typer
from typer.testing import CliRunner

from steelsight.cli.options import expand_options
from steelsight.errors import BadRecipe
from steelsight.options import check_options, option, option_fields


@dataclass(frozen=True)
class SampleOptions:
    """Options of every type."""

    count: int = option(3, help="Number of sheets.", min=1, max=9)
    share: float = option(0.5, help="Share of sheets.", min=0)
    epochs: int | None = option(None, help="Maximum number of epochs.", min=1)
    kind: Literal["plain", "grown"] = option("plain", help="Kind of image.")
    start: Path | None = option(None, help="Image to start from.", metavar="FILE")
    names: tuple[str, ...] = option(("a", "b"), help="Networks, joined by commas.", joined=True)
    some: tuple[str, ...] | None = option(None, help="Methods, joined by commas.", joined=True)
    free: tuple[str, ...] = option((), help="Classes, joined by commas.", joined=True)
    settings: tuple[str, ...] = option((), help="Recipe keys.", metavar="KEY=VALUE", flag="--set")
    kernels: tuple[int, ...] = option((3, 5), help="Widths of the blur.", min=1)
    several: bool = option(True, help="Several at once.")
    quick: bool = option(False, help="Minutes instead of hours.", flag="--quick")
    repeats: int = option(40, help="Rounds.", command_line=False)

    def __post_init__(self) -> None:
        check_options(self)


@pytest.fixture
def run():
    """Run a verb with such options; what it got, and the result."""
    got = []

    def verb(
        data: Annotated[Path, typer.Argument(metavar="DATA")],
        options: SampleOptions,
        seed: Annotated[int, typer.Option(min=0, help="Seed.")] = 0,
    ) -> None:
        """Do something."""
        got.append((data, options, seed))

    app = typer.Typer()
    app.command()(expand_options(verb))

    def call(*arguments):
        got.clear()
        result = CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200"})
        return result, (got[0] if got else None)

    return call


def test_defaults_are_those_of_the_class(run):
    result, got = run("sheets")
    assert result.exit_code == 0
    assert got == (Path("sheets"), SampleOptions(), 0)


def test_every_value_reaches_the_class(run):
    given = ["--count=4", "--share=.25", "--epochs=7", "--kind=grown", "--start=a.png", "--names=c,d,c"]
    given += [
        "--some=e",
        "--free=f",
        "--set=x=1",
        "--set=y=2",
        "--kernels=7",
        "--no-several",
        "--quick",
        "--seed=5",
    ]
    _, got = run("sheets", *given)
    assert got == (
        Path("sheets"),
        SampleOptions(
            count=4,
            share=0.25,
            epochs=7,
            kind="grown",
            start=Path("a.png"),
            names=("c", "d"),
            some=("e",),
            free=("f",),
            settings=("x=1", "y=2"),
            kernels=(7,),
            several=False,
            quick=True,
        ),
        5,
    )


def test_help_shows_text_default_choices_and_bounds(run):
    shown = " ".join(run("--help")[0].stdout.split())
    for name, info in option_fields(SampleOptions).items():
        assert (info.help in shown) == (name != "repeats")
    for words in ("[default: 3]", "1<=x<=9", "<plain|grown>", "[default: a,b]", "--no-several", "--set"):
        assert words in shown
    assert "--no-quick" not in shown
    assert "--repeats" not in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--count", "0"], "'--count': Input should be greater than or equal to 1"),
        (["--kind", "other"], "'other' is not one of 'plain', 'grown'"),
        (["--epochs", "0"], "'--epochs': Input should be greater than or equal to 1"),
        (["--kernels", "x"], "'--kernels': Input should be a valid integer"),
    ],
)
def test_a_bad_value_is_refused_with_what_is_expected(run, arguments, message):
    result, got = run("sheets", *arguments)
    assert (result.exit_code, got) == (2, None)
    assert message in " ".join(result.output.replace("│", " ").split())


def test_an_empty_list_is_refused(run):
    result, _ = run("sheets", "--names", " , ")
    assert isinstance(result.exception, BadRecipe)
    assert str(result.exception) == "--names: expected names joined by commas, got none"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"count": 0}, "--count: expected at least 1, got 0"),
        ({"count": 10}, "--count: expected at most 9, got 10"),
        ({"share": float("nan")}, "--share: expected at least 0, got nan"),
        ({"kind": "other"}, "--kind: expected one of plain, grown, got 'other'"),
        ({"kernels": (3, 0)}, "--kernels: expected at least 1, got 0"),
    ],
)
def test_the_class_refuses_the_same_from_python(values, message):
    with pytest.raises(BadRecipe) as refused:
        SampleOptions(**values)
    assert str(refused.value) == message


def test_a_required_option_must_be_given():
    @dataclass(frozen=True)
    class Needed:
        """One required option."""

        out: Path = option(help="Folder to write.")

    def verb(options: Needed) -> None:
        """Do something."""

    verb.__annotations__ = {"options": Needed, "return": None}
    app = typer.Typer()
    app.command()(expand_options(verb))
    result = CliRunner().invoke(app, [])
    assert result.exit_code == 2
    assert "Missing option '--out'" in result.output


def test_two_options_of_one_name_are_refused():
    def verb(count: int, options: SampleOptions) -> None:
        """Do something."""

    with pytest.raises(TypeError, match=r"different names, got \['count'\] twice"):
        expand_options(verb)


def test_a_type_the_command_line_does_not_know_is_refused():
    @dataclass(frozen=True)
    class Odd:
        """An option of a type nobody can type."""

        table: dict = option(None, help="A table.")
        plain: int = field(default=1)

    def verb(options: Odd) -> None:
        """Do something."""

    verb.__annotations__ = {"options": Odd, "return": None}
    with pytest.raises(TypeError, match="type the command line knows, got <class 'dict'>"):
        expand_options(verb)
