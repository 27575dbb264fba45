"""The entry point: collects the verbs and turns failures into one paragraph."""

import json
import sys

import typer

from atomgraft import __version__
from atomgraft.cli import adapt, check, demo, merge, prove, report, schema
from atomgraft.core.errors import AtomgraftError, BadInputError

app = typer.Typer(
    name="atomgraft",
    help="Graft a pretrained atomistic model onto your material, and prove that it "
    "took.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

for verb in (check, adapt, prove, report, merge, demo, schema):
    app.command(verb.NAME)(verb.command)


def _show_version(value: bool) -> None:
    if value:
        print(f"atomgraft {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_show_version, is_eager=True, help="Print version."
    ),
) -> None:
    """Graft a pretrained atomistic model onto your material; prove that it took."""


def main() -> None:
    """Run the command line; exit with 2 where the input cannot be used."""
    try:
        app()
    except AtomgraftError as error:
        if "--json" in sys.argv:
            parts = {
                "came": error.came,
                "needed": error.needed,
                "remedy": error.remedy,
            }
            print(json.dumps({"error": parts}))
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, BadInputError) else 1)
    except BrokenPipeError:
        sys.exit(0)
