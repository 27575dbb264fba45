"""What verbs share where they are called from Python: structures, refusals, tables."""

import contextlib
import hashlib
import html
import re
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Unpack

from ase import Atoms

from atomgraft.core.errors import BadInputError
from atomgraft.core.outputs import INPUTS, held
from atomgraft.core.registry import did_you_mean
from atomgraft.core.storage import make_folder, remove_empty, write_atomically
from atomgraft.data.canonical import canonical
from atomgraft.data.exact_files import raw_text
from atomgraft.data.label_keys import LabelKeys, LabelOptions

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
                did_you_mean(str(one), names, "Leave it out."),
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
            "Only to_frame() needs pandas.",
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


N_HASH = 12
"""Characters of a file's SHA-256 in its name: the same structures, the same file."""

Given = str | Path | Atoms | Iterable[str | Path] | Iterable[Atoms]
"""Files, or structures."""


class Frames:
    """Gives structures file names, and writes them once all is known to be usable.

    Parameters
    ----------
    folder
        The folder of what is made from them.
    labels
        How their labels are called, as in :class:`LabelKeys`.
    """

    def __init__(self, folder: Path, **labels: Unpack[LabelOptions]) -> None:
        self.folder, self.keys = folder, LabelKeys(**labels)
        self.texts: dict[Path, str] = {}
        self.arguments: dict[Path, str] = {}

    def named(
        self, given: Given, argument: str, *, stem: str | None = None
    ) -> tuple[str, ...]:
        """Return the files that an argument means.

        Parameters
        ----------
        given
            One file or several, one structure or several.
        argument
            Its name, for messages.
        stem
            Of the file that structures are written to; none is the argument's name.

        Raises
        ------
        BadInputError
            It is neither, or a label or geometry is broken.
        """
        alone = isinstance(given, str | Path | Atoms)
        parts = [given] if alone else list(_iterated(given, argument))
        if not parts:
            raise BadInputError(
                f"{argument} is an empty list.",
                "Expected at least one structure or file.",
                f"Check what {argument} holds.",
            )
        if all(isinstance(one, str | Path) for one in parts):
            return tuple(map(str, parts))
        structures: list[Atoms] = []
        for i, one in enumerate(parts):
            if not isinstance(one, Atoms):
                raise _wrong(one, f"{argument}[{i}]", argument)
            canonical(one, f"{argument}[{i}]", self.keys)
            structures.append(one)
        text = raw_text(structures)
        digest = hashlib.sha256(text.encode()).hexdigest()[:N_HASH]
        path = self.folder / INPUTS / f"{stem or argument}.{digest}.extxyz"
        self.texts[path], self.arguments[path] = text, argument
        return (str(path),)

    def crystal(self, atoms: Atoms, argument: str) -> str:
        """Return the file of one structure, without labels and named after it.

        Parameters
        ----------
        atoms
            Geometry and magnetic moments are kept.
        argument
            As in `named`.

        Raises
        ------
        BadInputError
            The geometry is broken.
        """
        bare = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
        if atoms.has("initial_magmoms"):
            bare.set_initial_magnetic_moments(atoms.get_initial_magnetic_moments())
        [path] = self.named(bare, argument, stem=formula_of(atoms))
        return path

    def options(
        self,
        asked: Mapping[str, Mapping[str, Any]],
        takes_several: Callable[[str, str], bool],
    ) -> dict[str, dict[str, Any]]:
        """Return options of several things, files in place of structures.

        Parameters
        ----------
        asked
            Options by name of the thing, and by key.
        takes_several
            Tells whether a key of a thing takes a list; one value is a list of one.
        """
        return {
            name: {
                key: self._option(key, one, is_list=takes_several(name, key))
                for key, one in options.items()
            }
            for name, options in asked.items()
        }

    def _option(self, key: str, value: Any, *, is_list: bool) -> Any:  # noqa: ANN401 - checked by its owner
        if not is_list:
            return self.crystal(value, key) if isinstance(value, Atoms) else value
        parts = [value] if isinstance(value, str | Path | Atoms) else value
        if not isinstance(parts, list | tuple):
            return value
        several: Sequence[object] = parts
        return [
            self.crystal(one, key) if isinstance(one, Atoms) else str(one)
            for one in several
        ]

    @contextlib.contextmanager
    def written(self, verb: str | None) -> Generator[None]:
        """Write the structures into their folder; what is refused then does not stay.

        A refusal names arguments in place of the files that stand for them.

        Parameters
        ----------
        verb
            Whose folder it is; none where another verb made it.

        Raises
        ------
        BadInputError
            The folder holds what is not ours.
        StorageError
            It cannot be written.
        """
        if not self.texts:
            yield
            return
        new = [path for path in self.texts if not path.exists()]
        with held(self.folder, verb):
            make_folder(self.folder / INPUTS)
            for path, text in self.texts.items():
                write_atomically(path, text)
        try:
            yield
        except BadInputError as error:
            error.reword(self._as_arguments)
            with held(self.folder, verb) as place:
                for path in new:
                    place.remove(f"{INPUTS}/{path.name}")
            remove_empty(self.folder / INPUTS)
            raise

    def _as_arguments(self, text: str) -> str:
        for path, argument in self.arguments.items():
            text = text.replace(str(path), argument)
        return text


def formula_of(atoms: Atoms) -> str:
    """Return a name for a structure."""
    return atoms.get_chemical_formula(empirical=True)


def _iterated(given: object, argument: str) -> Iterable[object]:
    if not isinstance(given, Iterable) or isinstance(given, dict | bytes):
        raise _wrong(given, argument, argument)
    return given


def _wrong(given: object, place: str, argument: str) -> BadInputError:
    return BadInputError(
        f"{place} is of type {type(given).__name__}.",
        "Expected files or structures (ase.Atoms), not both in one list.",
        f"Give {argument}='file.extxyz' or {argument}=[atoms, ...].",
    )
