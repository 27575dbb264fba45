"""Reading YAML from outside: one document of plain values.

The values are those of YAML 1.1, but dates and times of day stay text, and nothing can
make more of the file than stands in it: no objects, no references that multiply, no
depth that overflows a stack. Documents are built from libyaml's events, which takes a
sixth of the time of yaml's own loaders and an eighth of their memory.
"""

import dataclasses
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import yaml

from atomgraft.core.errors import BadInputError, reason_of
from atomgraft.core.reading import read_text

MAX_BYTES = 128 * 1024**2
"""Largest document; forces of 3,000 supercells of 300 atoms take 70 MB."""

MAX_SETTINGS = 4 * 1024**2
"""Largest file of settings, which lists files and no numbers of its own."""

MAX_DEPTH = 64
"""Lists and mappings inside each other; phonopy's files have six."""

MAX_REPEATED = 10_000
"""Values that references (``*name``) may add to a document."""

MAX_INTEGER = 2**63
"""Whole numbers are below it in size, as everywhere in numpy and torch."""

_TAG = "tag:yaml.org,2002:"
_KINDS: dict[str, type | tuple[type, ...]] = {
    "str": str,
    "int": int,
    "float": (int, float),
    "bool": bool,
    "null": type(None),
}
_MEANINGS: tuple[tuple[str, bool | None], ...] = (
    ("null", None),
    *((word, True) for word in ("true", "yes", "on")),
    *((word, False) for word in ("false", "no", "off")),
)
_WORDS: dict[str, bool | None] = {"~": None, "": None} | {
    spelled: value
    for word, value in _MEANINGS
    for spelled in (word, word.capitalize(), word.upper())
}

_FLOAT = re.compile(r"[-+]?(\d[\d_]*\.[\d_]*|\.\d[\d_]*)([eE][-+]\d+)?")
_INTEGER = re.compile(
    r"[-+]?(0b_*[01][01_]*|0x_*[\da-fA-F][\da-fA-F_]*|0[0-7_]*|[1-9][\d_]*)"
)
_OCTAL = re.compile(r"[-+]?0\d+")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_NO_KEY = object()
_MERGE = object()


def read_yaml(path: Path, *, max_bytes: int = MAX_BYTES) -> Any:  # noqa: ANN401 - YAML
    """Return the one document of a YAML file as plain values.

    Parameters
    ----------
    path
        Plain, or compressed if it ends in .gz, .xz or .bz2.
    max_bytes
        Of text.

    Returns
    -------
    Any
        Mappings with text as keys, lists, text, numbers, booleans and none.

    Raises
    ------
    BadInputError
        The file cannot be read, or holds anything else.
    """
    return parse_yaml(read_text(path, max_bytes=max_bytes), str(path))


def read_settings(path: Path) -> Any:  # noqa: ANN401 - YAML
    """Return what a file of settings says: as `read_yaml`, of up to 4 MiB.

    Raises
    ------
    BadInputError
        The file cannot be read, or holds anything but plain values.
    """
    return read_yaml(path, max_bytes=MAX_SETTINGS)


def parse_yaml(text: str, origin: str) -> Any:  # noqa: ANN401 - YAML
    """Return the one document of a YAML text as plain values.

    Parameters
    ----------
    text
        All of it.
    origin
        Where it came from, for messages.

    Raises
    ------
    BadInputError
        It is no YAML, not one document, or holds more than plain values.

    Examples
    --------
    >>> parse_yaml("{steps: 10, started: 2024-05-01, at: 12:30}", "here")
    {'steps': 10, 'started': '2024-05-01', 'at': '12:30'}
    """
    document = _Document(origin)
    handlers: dict[Any, Callable[[Any], None]] = {
        yaml.ScalarEvent: document.scalar,
        yaml.SequenceStartEvent: lambda event: document.begin(event, []),
        yaml.SequenceEndEvent: document.end,
        yaml.MappingStartEvent: lambda event: document.begin(event, {}),
        yaml.MappingEndEvent: document.end,
        yaml.AliasEvent: document.reference,
        yaml.DocumentStartEvent: document.start,
    }
    try:
        events: Iterator[Any] = cast("Any", yaml).parse(text, Loader=_LOADER)
        for event in events:
            handle = handlers.get(event.__class__)
            if handle is not None:
                handle(event)
    except yaml.YAMLError as error:
        reason = reason_of(error)
        raise _refused(origin, f"is not readable YAML: {reason}") from error
    if not document.roots:
        raise _refused(origin, "holds no YAML document")
    return document.roots[0]


@dataclasses.dataclass(kw_only=True, slots=True)
class _Open:
    """A list or mapping that is being filled."""

    container: Any
    key: Any = _NO_KEY
    anchor: str | None = None
    n_before: int = 0
    merged: list[Any] = dataclasses.field(default_factory=list[Any])


class _Document:
    """Builds plain values from events."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.roots: list[Any] = []
        self.stack = [_Open(container=self.roots)]
        self.anchors: dict[str, tuple[Any, int]] = {}
        self.n_values = 0
        self.n_repeated = 0
        self.n_documents = 0

    def start(self, event: Any) -> None:  # noqa: ANN401 - yaml has no types
        self.n_documents += 1
        if self.n_documents > 1:
            raise self._wrong(event, "a second document begins; one is needed")

    def scalar(self, event: Any) -> None:  # noqa: ANN401
        text = event.value
        is_plain = event.implicit[0] and event.tag is None
        top = self.stack[-1]
        if is_plain and text == "<<" and top.key is _NO_KEY and _is_mapping(top):
            top.key = _MERGE
            return
        value = self._value(text, event) if is_plain else self._tagged(event)
        self.n_values += 1
        if event.anchor is not None:
            self.anchors[event.anchor] = (value, 1)
        self._add(value, event)

    def begin(self, event: Any, container: Any) -> None:  # noqa: ANN401
        top = self.stack[-1]
        if len(self.stack) > MAX_DEPTH:
            raise self._wrong(event, f"more than {MAX_DEPTH} levels")
        if event.tag not in {None, "!", f"{_TAG}seq", f"{_TAG}map"}:
            raise self._wrong(event, f"the tag {event.tag} is none of plain values")
        if top.key is _NO_KEY and _is_mapping(top):
            raise self._wrong(event, "a list or mapping is used as a key")
        self.stack.append(
            _Open(container=container, anchor=event.anchor, n_before=self.n_values)
        )

    def end(self, event: Any) -> None:  # noqa: ANN401
        done = self.stack.pop()
        for one in done.merged:
            for key, value in one.items():
                done.container.setdefault(key, value)
        self.n_values += 1
        if done.anchor is not None:
            n_inside = self.n_values - done.n_before
            self.anchors[done.anchor] = (done.container, n_inside)
        self._add(done.container, event)

    def reference(self, event: Any) -> None:  # noqa: ANN401
        if event.anchor not in self.anchors:
            raise self._wrong(event, f"*{event.anchor} refers to nothing complete")
        value, n_inside = self.anchors[event.anchor]
        self.n_values += n_inside
        self.n_repeated += n_inside
        if self.n_repeated > MAX_REPEATED:
            raise self._wrong(event, f"references add over {MAX_REPEATED} values")
        self._add(value, event)

    def _add(self, value: Any, event: Any) -> None:  # noqa: ANN401
        top = self.stack[-1]
        if not _is_mapping(top):
            top.container.append(value)
        elif top.key is _NO_KEY:
            self._take_key(value, event)
        elif top.key is _MERGE:
            top.merged += self._mappings(value, event)
            top.key = _NO_KEY
        else:
            top.container[top.key] = value
            top.key = _NO_KEY

    def _take_key(self, value: Any, event: Any) -> None:  # noqa: ANN401
        top = self.stack[-1]
        if not isinstance(value, str):
            raise self._wrong(
                event, f"the key {event.value[:20]!r} is {value!r}: quote it"
            )
        if value in top.container:
            raise self._wrong(event, f"the key {value[:60]!r} comes twice")
        top.key = value

    def _mappings(self, value: Any, event: Any) -> list[Any]:  # noqa: ANN401
        """Return what ``<<`` takes over, the first one strongest."""
        found = cast("list[Any]", value) if isinstance(value, list) else [value]
        if not all(isinstance(one, dict) for one in found):
            raise self._wrong(event, "'<<' takes over something that is no mapping")
        return found

    def _value(self, text: str, event: Any) -> Any:  # noqa: ANN401
        """Return what plain text means."""
        if text in _WORDS:
            return _WORDS[text]
        if text[0] not in "0123456789+-.":
            return text
        if _FLOAT.fullmatch(text):
            value = float(text.replace("_", ""))
            if math.isfinite(value):
                return value
            raise self._wrong(event, f"{text[:60]} is no finite number")
        if _INTEGER.fullmatch(text):
            return self._integer(text, event)
        if _NOT_FINITE.fullmatch(text):
            raise self._wrong(event, f"{text} is no finite number")
        return text

    def _integer(self, text: str, event: Any) -> int:  # noqa: ANN401
        digits = text.replace("_", "")
        if len(digits) <= 66:  # 64 bits, a sign and 0b
            value = int(digits, 8 if _OCTAL.fullmatch(digits) else 0)
            if abs(value) < MAX_INTEGER:
                return value
        raise self._wrong(event, f"{text[:30]}... has more than 63 bits")

    def _tagged(self, event: Any) -> Any:  # noqa: ANN401
        """Return what quoted text, or text with a tag, means."""
        if event.tag in {None, "!", f"{_TAG}str"}:
            if "\0" in event.value:
                raise self._wrong(event, "text with a zero byte")
            return event.value
        kind = event.tag.removeprefix(_TAG)
        if kind not in _KINDS:
            raise self._wrong(event, f"the tag {event.tag} is none of plain values")
        value = self._value(event.value, event)
        if not isinstance(value, _KINDS[kind]):
            raise self._wrong(event, f"{event.value[:60]!r} is no {kind}")
        return float(value) if kind == "float" else value

    def _wrong(self, event: Any, reason: str) -> BadInputError:  # noqa: ANN401
        line = event.start_mark.line + 1
        return _refused(self.origin, f"cannot be used, line {line}: {reason}")


def _is_mapping(one: _Open) -> bool:
    return type(one.container) is dict


def _refused(origin: str, what: str) -> BadInputError:
    return BadInputError(
        f"{origin} {what}.",
        "Expected one YAML document of mappings, lists, text and finite numbers.",
        "Correct that place; check indentation and quotes.",
    )
