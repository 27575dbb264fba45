"""One kind of result file: how it is written, found, read and upgraded."""

import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from pydantic import BaseModel, ValidationError

from atomgraft.core.errors import BadInputError
from atomgraft.core.storage import is_file, is_folder, write_atomically

Record = TypeVar("Record", bound=BaseModel)

Upgrade = Callable[[dict[str, Any]], dict[str, Any]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ResultFile(Generic[Record]):
    """A kind of result that lives in a folder of its own.

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
    missing, broken
        What to do where it is not there, and where it cannot be read.
    """

    file: str
    record: type[Record]
    version: int
    upgrades: Mapping[int, Upgrade]
    title: str
    command: str
    missing: str
    broken: str

    def write(self, folder: Path, result: Record) -> Path:
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

    def read(self, folder: Path) -> Record:
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
                f"A folder made by '{self.command}' is needed.",
                self.missing,
            )
        try:
            document = self._upgraded(json.loads(path.read_text()))
            return self.record.model_validate(document)
        except (json.JSONDecodeError, UnicodeDecodeError, ValidationError) as error:
            reason = str(error).splitlines()[0]
            raise BadInputError(
                f"{path} is not a readable {self.title}: {reason}.",
                "A file as atomgraft wrote it is needed.",
                self.broken,
            ) from error

    def _place(self, folder: Path) -> Path:
        return folder / self.file if is_folder(folder) else folder

    def _upgraded(self, document: object) -> dict[str, Any]:
        known: dict[str, Any] = (
            cast("dict[str, Any]", document) if isinstance(document, dict) else {}
        )
        version = known.get("schema_version")
        if type(version) is not int or not 1 <= version <= self.version:  # no True
            raise BadInputError(
                f"The {self.title} has schema version {version!r}.",
                f"This atomgraft reads versions up to {self.version}.",
                "Update atomgraft: pip install -U atomgraft.",
            )
        while version < self.version:
            known = self.upgrades[version](known)
            version += 1
        return known
