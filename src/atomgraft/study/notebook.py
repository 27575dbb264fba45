"""What verbs share where they are called from Python: refusals, and tables in HTML."""

import contextlib
import html
import re
from collections.abc import Generator, Iterable, Sequence
from typing import Any

from atomgraft.core.errors import BadInputError
from atomgraft.core.registry import did_you_mean

_OPTION = re.compile(
    r"(?<![\w-])--(?P<name>[a-z][a-z-]+)"
    r"(?: (?:(?P<value>[\w./@:-]*[./]\w[\w./@:-]*\b)|(?=[A-Z]{2}|cpu|cuda)))?"
)
_SETTING = re.compile(r"--set (?P<suite>\w+)\.(?P<key>\w+)=(?P<value>[\w./-]*\w)")
_SUITE = re.compile(r"--suite (?P<suite>\w+)")
_COMMAND = re.compile(r"'?\batomgraft [a-z]+\b[^,;:)']*'?")

FLAGS = frozenset({"fresh", "overwrite", "trust"})

OTHER_NAMES = {"trust_file": "trust", "crystal": "suites", "tmax": "temperature_max"}
"""Arguments that are called otherwise than the option."""


@contextlib.contextmanager
def about_arguments() -> Generator[None]:
    """Name arguments in refusals, in place of options, and hide what lies behind them.

    Commands in a message stay commands.

    Examples
    --------
    >>> with about_arguments():
    ...     raise BadInputError("It is there.", "A new one.", "Give another --out.")
    Traceback (most recent call last):
    ...
    atomgraft.core.errors.BadInputError: It is there. A new one. Give another out=.
    """
    try:
        yield
    except BadInputError as error:
        error.reword(_in_python)
        raise error.with_traceback(None) from None


def _in_python(text: str) -> str:
    """Write options as arguments, but not those of commands that are named."""
    commands = [*_COMMAND.finditer(text)]
    ends = [0, *(one.end() for one in commands)]
    starts = [*(one.start() for one in commands), len(text)]
    between = [_with_arguments(text[a:b]) for a, b in zip(ends, starts, strict=True)]
    kept = [*(one[0] for one in commands), ""]
    return "".join(part for both in zip(between, kept, strict=True) for part in both)


def _with_arguments(text: str) -> str:
    text = _SETTING.sub(r'suites={"\g<suite>": {"\g<key>": "\g<value>"}}', text)
    text = _SUITE.sub(r'suites=["\g<suite>"]', text)
    return _OPTION.sub(_argument, text)


def _argument(match: re.Match[str]) -> str:
    name = match["name"].replace("-", "_")
    value = match["value"]
    given = repr(value) if value else "True" if name in FLAGS else ""
    return f"{OTHER_NAMES.get(name, name)}={given}"


def refuse_unknown(verb: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Check the names of arguments.

    Parameters
    ----------
    verb
        Which function was called.
    given, known
        Names.

    Raises
    ------
    BadInputError
        One is not known; the message names the nearest that is.
    """
    names = sorted(known)
    for one in given:
        if one not in names:
            raise BadInputError(
                f"{verb} has no argument {one!r}.",
                f"It takes {', '.join(names)}.",
                did_you_mean(one, names, "Leave it out."),
            )


def frame_of(records: Sequence[dict[str, Any]]) -> Any:  # noqa: ANN401 - a DataFrame
    """Return rows as a table of pandas.

    Raises
    ------
    BadInputError
        pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError:
        raise BadInputError(
            "pandas is not installed.",
            "Only to_frame() needs it.",
            "Install it: pip install pandas",
        ) from None
    return pd.DataFrame(list(records))


def card(
    headline: str,
    sentences: Iterable[str] = (),
    columns: Sequence[str] = (),
    rows: Iterable[Sequence[str]] = (),
) -> str:
    """Return a headline, sentences and a table in HTML; all text is escaped.

    Examples
    --------
    >>> card("a < b")
    '<p><b>a &lt; b</b></p>'
    """
    lines = [f"<p><b>{html.escape(headline)}</b></p>"]
    said = "<br>".join(html.escape(one) for one in sentences)
    lines += [f"<p>{said}</p>"] if said else []
    body = "".join(_row(row, "td") for row in rows)
    if body:
        head = f"<thead>{_row(columns, 'th')}</thead>" if columns else ""
        lines.append(f"<table>{head}<tbody>{body}</tbody></table>")
    return "\n".join(lines)


def _row(cells: Iterable[str], tag: str) -> str:
    inside = "".join(f"<{tag}>{html.escape(one)}</{tag}>" for one in cells)
    return f"<tr>{inside}</tr>"
