"""Writing, finding, reading and upgrading records of every kind."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from atomgraft.core.errors import BadInputError
from atomgraft.core.json_files import read_json
from atomgraft.core.kernels import Kernels
from atomgraft.core.storage import is_file, is_folder, write_atomically

Upgrade = Callable[[dict[str, Any]], dict[str, Any]]


class Record(BaseModel):
    """What is kept on disk: frozen, unknown keys refused, NaN and infinity as text."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        ser_json_inf_nan="strings",  # JSON has no NaN, and null would not come back
    )


AnyRecord = TypeVar("AnyRecord", bound=BaseModel)


@dataclasses.dataclass(frozen=True, kw_only=True)
class RecordFile(Generic[AnyRecord]):
    """A kind of record, of which a folder has one.

    Parameters
    ----------
    file
        Its name in the folder.
    record
        What it holds.
    version
        Of today's schema.
    upgrades
        Version *n* to the step that makes a version *n* + 1 document of it.
    title
        What people call it.
    command
        What makes it, for messages.
    broken
        What to do where it cannot be read.
    version_key
        Under which a document states its version.
    """

    file: str
    record: type[AnyRecord]
    version: int
    upgrades: Mapping[int, Upgrade]
    title: str
    command: str
    broken: str
    version_key: str = "schema_version"

    def write(self, folder: Path, result: AnyRecord) -> Path:
        """Write a result into its folder, whole or not at all.

        Raises
        ------
        StorageError
            The folder cannot be written; an older file is left as it was.
        """
        path = folder / self.file
        write_atomically(path, result.model_dump_json(indent=1) + "\n")
        return path

    def is_at(self, folder: Path) -> bool:
        """Tell whether a folder, or a file, is a result of this kind."""
        path = self._place(folder)
        return is_file(path) and path.name == self.file

    def read(self, folder: Path) -> AnyRecord:
        """Read a result from its folder or file, upgraded to today's schema.

        Raises
        ------
        BadInputError
            There is none, it is broken, or it comes from a newer atomgraft.
        """
        path = self._place(folder)
        if not is_file(path):
            raise BadInputError(
                f"{folder} holds no {self.file}.",
                f"Expected a folder made by '{self.command}'.",
                f"Check the path, or make one: {self.command} --out NEW_FOLDER",
            )
        document = read_json(path, title=self.title, remedy=self.broken)
        return self.parse(document, str(path))

    def parse(self, document: dict[str, Any], origin: str) -> AnyRecord:
        """Return the record that a document holds, upgraded to today's schema.

        Parameters
        ----------
        document
            As it stands in the file.
        origin
            Where it came from, for messages.

        Raises
        ------
        BadInputError
            It is broken, or comes from a newer atomgraft.
        """
        version = document.get(self.version_key)
        if type(version) is not int or not 1 <= version <= self.version:  # no True
            raise BadInputError(
                f"The {self.title} has schema version {repr(version)[:20]}.",
                f"This atomgraft reads versions 1 to {self.version}.",
                "Update atomgraft: pip install -U atomgraft.",
            )
        try:
            for step in range(version, self.version):
                document = self.upgrades[step](document)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise unfit(origin, self.title, repr(error), self.broken) from error
        return validated(self.record, document, origin, self.title, self.broken)

    def _place(self, folder: Path) -> Path:
        return folder / self.file if is_folder(folder) else folder


def validated(
    record: type[AnyRecord],
    document: dict[str, Any],
    origin: str,
    title: str,
    remedy: str,
) -> AnyRecord:
    """Return the record that a document holds.

    Parameters
    ----------
    record
        What it should be.
    document
        In the schema of today.
    origin, title, remedy
        For messages: where it came from, what it should be, what to do.

    Raises
    ------
    BadInputError
        A key is unknown or missing, or a value is none that it may have.
    """
    try:
        return record.model_validate(document)
    except ValidationError as error:
        [first, *_] = error.errors()
        place = ".".join(str(part) for part in first["loc"]) or "the whole"
        reason = f"'{place[:100]}': {first['msg'].lower()}"
        raise unfit(origin, title, reason, remedy) from error


def unfit(origin: str, title: str, reason: str, remedy: str) -> BadInputError:
    """Return the error for a document of other content than its file should have."""
    return BadInputError(
        f"{origin} is not a readable {title}: {reason[:200]}.",
        "Expected a file as atomgraft wrote it.",
        remedy,
    )


class Provenance(BaseModel):
    """Where the numbers came from."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    verb: str
    """What was done; a run that was interrupted has several entries of one verb."""
    command: str
    started: str
    seconds: float
    versions: dict[str, str]
    machine: dict[str, str | int]
    device: str
    dtype: str
    kernels: Kernels = "ours"
    n_threads: int
