"""Output folders, in which only files of atomgraft are replaced or removed."""

import contextlib
import hashlib
import os
import re
from collections.abc import Generator, Iterable
from pathlib import Path, PurePosixPath

from atomgraft.core.errors import BadInputError
from atomgraft.core.manifest import (
    MANIFEST,
    Manifest,
    Sums,
    others_in,
    read_manifest,
)
from atomgraft.core.overlap import Input, refuse_inputs, refuse_taken_file
from atomgraft.core.provenance import file_fingerprint
from atomgraft.core.storage import (
    ELSEWHERE,
    LOCK,
    guard_of,
    guarded,
    is_file,
    is_folder,
    locked,
    make_folder,
    refuse_taken_name,
    remove_empty,
    remove_file,
    remove_leftovers,
    write_atomically,
)

N_NAMED = 3
"""Foreign files that a message names."""

INPUTS = "inputs"
"""Folder, in one of ours, of structures that were given as objects: files written here
are read by what is written beside them."""

_KEPT = re.compile(r"(?:.*/)?(?P<name>inputs/[^/]+\.[0-9a-f]{12}\.extxyz)")
"""A file of `INPUTS`, whose name holds its hash; before it, how the folder is spelt."""

OTHER_FOLDER = "Give another folder with --out."


class Outputs:
    """What is ours in a folder that this process holds.

    Parameters
    ----------
    folder
        It is there; no link.
    manifest
        What has been written there.
    """

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder, self.manifest = folder, manifest

    def claim(self, name: str, content: bytes | str | None) -> bool:
        """List a file before it is written.

        Parameters
        ----------
        name
            Its path below the folder.
        content
            What is to be written. Of text the sum is kept, so that nobody's changes
            are lost later; bytes, and none where lines are appended, may change.

        Returns
        -------
        :
            Whether to write: a file that holds this text already is left alone,
            whoever wrote it.

        Raises
        ------
        BadInputError
            A file is there that we did not write, or that was changed since.
        """
        known = self.manifest.files.get(name)
        there = self._sum_there(name, is_needed=known != ())
        text = content.encode() if isinstance(content, str) else content
        new = None if text is None else hashlib.sha256(text).hexdigest()
        if there is not None and not self._is_ours(there, known):
            if there == new:
                return False
            raise _not_ours(self.folder / name, is_changed=known is not None)
        sums = dict.fromkeys((new, there) if isinstance(content, str) else ())
        wanted = tuple(one for one in sums if one)
        if wanted != known:
            self.manifest.files[name] = wanted
            self.save()
        return True

    def _is_ours(self, there: str, known: Sums | None) -> bool:
        return known is not None and (not known or there in known)

    def _sum_there(self, name: str, *, is_needed: bool = True) -> str | None:
        """Return the sum of a file, or none where there is no such file."""
        _refuse_links(self.folder, name)
        path = self.folder / name
        if not os.path.lexists(path):
            return None
        if not path.is_file():
            raise _not_ours(path, is_changed=False)
        try:
            return file_fingerprint(path) if is_needed else ""
        except OSError as error:
            raise _not_ours(path, is_changed=False) from error

    def list_folders(self, folders: Iterable[Path | str]) -> None:
        """List folders that will have a list of their own.

        Parameters
        ----------
        folders
            Their paths below this one.
        """
        new = {PurePosixPath(one).as_posix() for one in folders}
        if not new <= self.manifest.folders:
            self.manifest.folders |= new
            self.save()

    def save(self) -> None:
        """Write the list."""
        self.manifest.write(self.folder)

    def refuse_unclear(self) -> None:
        """Check that everything on the list, here and below, is as we wrote it.

        Raises
        ------
        BadInputError
            A file is a link, or was changed since: it is not ours to remove.
        """
        for name, sums in self.manifest.files.items():
            there = self._sum_there(name, is_needed=bool(sums))
            if there is not None and not self._is_ours(there, sums):
                raise _not_ours(self.folder / name, is_changed=True)
        for one in self._below():
            one.refuse_unclear()

    def clear(self, kept: Iterable[str] = ()) -> None:
        """Remove everything on the list, here and below, and folders left empty.

        Parameters
        ----------
        kept
            Files of this list that stay.

        Raises
        ------
        BadInputError
            Something is not as we wrote it, and nothing has been removed; or another
            process works in a folder below.
        StorageError
            Something cannot be removed.
        """
        self.refuse_unclear()
        below = self._below()
        for one in below:
            with locked(one.folder):
                one.clear()
                if others_in(one.folder) == [MANIFEST]:
                    remove_file(one.folder / MANIFEST)
                    remove_file(one.folder / LOCK)
            remove_empty(one.folder)
        stay = {name: self.manifest.files[name] for name in kept}
        for name in self.manifest.files.keys() - stay.keys():
            if os.path.lexists(self.folder / name):
                remove_file(self.folder / name)
        parents = {
            self.folder / parent
            for name in (*self.manifest.files, *self.manifest.folders)
            for parent in PurePosixPath(name).parents
            if parent.parts
        }
        for one in sorted(parents, key=lambda path: -len(path.parts)):
            remove_empty(one)
        left = {
            one.folder.relative_to(self.folder).as_posix()
            for one in below
            if one.folder.is_dir()
        }
        self.manifest = Manifest(verb=self.manifest.verb, files=stay, folders=left)
        self.save()

    def remove(self, name: str) -> None:
        """Remove one file that is on the list.

        Raises
        ------
        BadInputError
            It is not, or was changed since.
        """
        there, known = self._sum_there(name), self.manifest.files.get(name)
        if there is None:
            return
        if not self._is_ours(there, known):
            raise _not_ours(self.folder / name, is_changed=known is not None)
        remove_file(self.folder / name)

    def places(self) -> list[Path]:
        """Return every file on the list that is there, here and below."""
        own = [self.folder / name for name in self.manifest.files]
        below = [place for one in self._below() for place in one.places()]
        return [place for place in own if place.is_file()] + below

    def kept_inputs(self, inputs: Iterable[Input | None]) -> dict[str, str]:
        """Return inputs that we keep in `INPUTS`, and their names on the list.

        Parameters
        ----------
        inputs
            What a verb reads.
        """
        place = self.folder / INPUTS
        ours = self.manifest.files
        return {
            str(one): name
            for one in inputs
            if one is not None
            and (name := f"{INPUTS}/{Path(one).name}") in ours
            and is_file(Path(one))
            and Path(one).resolve() == place / Path(one).name
        }

    def _below(self) -> list["Outputs"]:
        """Return the listed folders that have a list of their own."""
        found: list[Outputs] = []
        for name in sorted(self.manifest.folders):
            place = self.folder / name
            if _has_link(self.folder, name) or not place.is_dir():
                continue
            manifest = read_manifest(place)
            found += [] if manifest is None else [Outputs(place, manifest)]
        return found


def _has_link(folder: Path, name: str) -> bool:
    parts = PurePosixPath(name).parts
    return any(
        folder.joinpath(*parts[:n]).is_symlink() for n in range(1, len(parts) + 1)
    )


def _refuse_links(folder: Path, name: str) -> None:
    if _has_link(folder, name):
        raise BadInputError(
            f"{folder / name} is, or lies behind, a symbolic link.",
            "atomgraft follows no link inside a folder that it writes.",
            "Put a plain file or folder there, or give another folder with --out.",
        )


def _not_ours(path: Path, *, is_changed: bool) -> BadInputError:
    if is_changed:
        return BadInputError(
            f"{path} was changed after atomgraft wrote it.",
            "atomgraft does not overwrite or remove changes made by others.",
            "Move the file if you need it, or remove it; then run the command again.",
        )
    return BadInputError(
        f"{path} exists, and atomgraft did not write it.",
        "atomgraft replaces only its own files.",
        "Move it elsewhere, or give another folder with --out.",
    )


def examine(
    folder: Path,
    verb: str | None,
    *,
    inputs: Iterable[Input | None] = (),
    fresh: bool = False,
) -> Outputs | None:
    """Check that a verb may write into a folder; nothing is written.

    Parameters
    ----------
    folder
        Where it would write.
    verb
        Which verb; none where it adds to what another wrote.
    inputs
        What it reads: files, folders, or names of anything else.
    fresh
        What is there is to be removed first.

    Returns
    -------
    :
        What is ours there; none where the folder is empty or not there.

    Raises
    ------
    BadInputError
        The folder holds something else, an input lies in it, or what was written
        there has been changed since.
    """
    inputs = tuple(inputs)
    _refuse_dangling(folder)
    refuse_taken_name(folder)
    found = _found(folder, verb)
    ours = [] if found is None else found.places()
    own = {} if found is None else found.kept_inputs(inputs)
    others = (one for one in inputs if str(one) not in own)
    refuse_inputs(folder, others, ours, may_be_inside=verb is None)
    if fresh and found is not None:
        found.refuse_unclear()
    return found


def _refuse_dangling(folder: Path) -> None:
    if folder.is_symlink() and not folder.exists():
        raise BadInputError(
            f"{folder} is a link to a missing folder.",
            "Expected an existing folder, or one that can be created.",
            OTHER_FOLDER,
        )


def _found(folder: Path, verb: str | None) -> Outputs | None:
    """Return what is ours in a folder, as its list says."""
    if not is_folder(folder):
        return None
    try:
        others = others_in(folder)
    except OSError as error:
        raise BadInputError(
            f"{folder} cannot be listed: {error.strerror or error}.",
            "Expected a folder that this user may read and write.",
            OTHER_FOLDER,
        ) from error
    if not others:
        return None
    place = folder.resolve()
    manifest = read_manifest(place)
    if manifest is None:
        raise _foreign(folder, others)
    if verb not in {None, manifest.verb}:
        raise BadInputError(
            f"{folder} holds what 'atomgraft {manifest.verb}' wrote.",
            f"'atomgraft {verb}' needs a folder of its own.",
            OTHER_FOLDER,
        )
    return Outputs(place, manifest)


def _foreign(folder: Path, others: list[str]) -> BadInputError:
    more = ", ..." if len(others) > N_NAMED else ""
    return BadInputError(
        f"{folder} holds files that atomgraft did not write: "
        f"{', '.join(others[:N_NAMED])}{more}.",
        "Expected a folder that is new, empty, or made by atomgraft.",
        f"Give another folder with --out, for example --out {folder / 'atomgraft'}; "
        f"beside results that were copied here, copy {MANIFEST} too.",
    )


@contextlib.contextmanager
def held(
    folder: Path,
    verb: str | None,
    *,
    inputs: Iterable[Input | None] = (),
    fresh: bool = False,
    remedy: str = ELSEWHERE,
    patience: float = 0.0,
) -> Generator[Outputs]:
    """Hold a folder to write into it; made if it is not there.

    Parameters
    ----------
    folder, verb, inputs
        As in :func:`examine`.
    fresh
        Remove what an earlier call of this verb wrote there.
    remedy, patience
        As in :func:`atomgraft.core.storage.locked`.

    Raises
    ------
    BadInputError
        As in :func:`examine`, or another process holds the folder.
    StorageError
        The folder cannot be written.
    """
    inputs = tuple(inputs)
    examine(folder, verb, inputs=inputs, fresh=fresh)
    make_folder(folder)
    with locked(folder, remedy=remedy, patience=patience):
        found = examine(folder, verb, inputs=inputs, fresh=fresh)
        place = folder.resolve()
        outputs = found or Outputs(place, Manifest(verb=verb or "report"))
        if fresh:
            outputs.clear(outputs.kept_inputs(inputs).values())
        list_folder(folder)
        outputs.save()
        for one in {place, *(path.parent for path in outputs.places())}:
            remove_leftovers(one)
        with guarded(place, outputs):
            yield outputs


def list_folder(*folders: Path) -> None:
    """List folders with the folder around them, where this process holds that one.

    Parameters
    ----------
    folders
        Each will have a list of its own.
    """
    for folder in folders:
        found = guard_of(folder)
        if found is not None and isinstance(found[0], Outputs):
            found[0].list_folders([found[1]])


def identity_of(name: str) -> str:
    """Return a file's name without the folder where it was kept.

    Parameters
    ----------
    name
        Of a file. One of `INPUTS` names its content, so that the folder, which may be
        moved or spelt otherwise, does not matter; any other stays as it is.

    Examples
    --------
    >>> identity_of("./runs/si/inputs/train.0123456789ab.extxyz")
    'inputs/train.0123456789ab.extxyz'
    >>> identity_of("data/train.extxyz")
    'data/train.extxyz'
    """
    match = _KEPT.fullmatch(name)
    return match["name"] if match else name


def is_ours(folder: Path) -> bool:
    """Tell whether a folder holds what atomgraft wrote, and is no other's besides."""
    return read_manifest(folder.resolve()) is not None


def write_beside(path: Path, text: str, *, overwrite: bool = False) -> None:
    """Write a file beside others that atomgraft wrote, or on its own.

    Parameters
    ----------
    path
        In a folder of ours it is listed there; elsewhere it must be new.
    text
        What it will hold.
    overwrite
        Elsewhere, replace a file that is there.

    Raises
    ------
    BadInputError
        A file is there that is not ours to replace.
    StorageError
        The folder cannot be written.
    """
    if guard_of(path) is None and is_ours(path.parent):
        with held(path.parent, None):
            write_atomically(path, text)
        return
    if guard_of(path) is None and not _holds(path, text):
        refuse_taken_file(path, overwrite=overwrite)
    write_atomically(path, text)


def write_alone(
    path: Path,
    content: bytes | str,
    *,
    overwrite: bool = False,
    inputs: Iterable[Input | None] = (),
) -> None:
    """Write a file that a user named, and that belongs to no folder of ours.

    Parameters
    ----------
    path, overwrite, inputs
        As in :func:`atomgraft.core.overlap.refuse_taken_file`.
    content
        What it will hold.

    Raises
    ------
    BadInputError
        It is there already, or is an input.
    StorageError
        The folder cannot be written.
    """
    refuse_taken_file(path, overwrite=overwrite, inputs=inputs)
    write_atomically(path, content)


def _holds(path: Path, text: str) -> bool:
    sums = hashlib.sha256(text.encode()).hexdigest()
    return path.is_file() and file_fingerprint(path) == sums
