"""What versions without a list of their files have left, recognised by content."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

LARGEST = 64 * 2**20
"""Bytes of a file that is looked into."""

Mark = tuple[str, tuple[str, ...]]
"""A file, and keys that it holds on its highest level."""

RUN = (
    "spec.yaml",
    "checkpoint.pt",
    "metrics.jsonl",
    "graft.safetensors",
    "result.json",
    "report.html",
    "merged.pth",
    "merged.safetensors",
)

SPEC: Mark = ("spec.yaml", ("base", "train", "recipe", "axes", "training"))

MARKS: dict[str, Sequence[Sequence[Mark]]] = {
    "adapt": (
        (SPEC, ("result.json", ("schema_version", "spec", "training", "verdict"))),
        (SPEC, ("checkpoint.pt", ()), (".lock", ())),
    ),
    "compare": (
        (
            ("compare.yaml", ("base", "train", "test", "recipes", "training")),
            ("data/fingerprint", ()),
        ),
    ),
    "campaign": (
        (("campaign.yaml", ("folder", "base", "recipes")), (".lock", ())),
        (
            ("campaign.yaml", ("folder", "base", "recipes")),
            ("campaign.json", ("schema_version", "rows")),
        ),
    ),
    "phonons": (
        (
            ("phonons.yaml", ("identity", "crystal", "models")),
            ("phonons.json", ("schema_version", "spectra")),
        ),
    ),
    "stabilise": ((("stabilise.json", ("schema_version", "identity", "crystals")),),),
    "select": (
        (
            ("select.json", ("schema_version", "crystal", "chosen")),
            ("select.extxyz", ()),
        ),
    ),
    "cell": (
        (("cell.json", ("identity", "outcome")),),
        ((".lock", ()), ("run/spec.yaml", SPEC[1])),
        ((".lock", ()), ("identity", ())),
    ),
}
"""Any one line of marks, all of them there, says which verb wrote a folder."""

FILES: dict[str, Sequence[str]] = {
    "adapt": RUN,
    "compare": (
        "compare.yaml",
        "compare.json",
        "report.html",
        "data/fingerprint",
        "data/train-n*-s*.extxyz",
    ),
    "campaign": ("campaign.yaml", "campaign.json", "report.html"),
    "phonons": ("phonons.yaml", "phonons.json", "phonons.html", "phonopy-*.yaml"),
    "stabilise": (
        "stabilise.json",
        "report.html",
        "memory/*-*.json",
        "structures/[0-9][0-9]-*.extxyz",
        "structures/[0-9][0-9]-*.vasp",
    ),
    "select": ("select.json", "select.extxyz", "report.html"),
    "cell": ("cell.json", "identity", "forces.npy", "pseudo_labels.extxyz"),
}
"""Files that were written, and whose names alone say so in a folder of that verb."""

FOLDERS: dict[str, Sequence[str]] = {
    "adapt": ("scratch",),
    "compare": ("cells/*",),
    "campaign": ("cells/*",),
    "cell": ("run",),
}
"""Folders below that were written by a verb of their own."""

GENERATOR = '<meta name="generator" content="atomgraft">'
"""What every page of ours holds near its beginning."""

HEAD = 65536
"""Characters of a page in which that stands."""


def earlier_verb(folder: Path, verb: str | None = None) -> str | None:
    """Return which verb wrote a folder without a list, or none.

    Parameters
    ----------
    folder
        It is there.
    verb
        Look for this one alone; else for any that a user calls.
    """
    asked = [verb] if verb is not None else [one for one in MARKS if one != "cell"]
    for one in asked:
        for marks in MARKS.get(one, ()):
            if all(_has(folder, mark) for mark in marks):
                return one
    return None


def earlier_files(folder: Path, verb: str) -> list[str]:
    """Return the files that a verb has left in a folder, by their paths below it.

    Parameters
    ----------
    folder
        As :func:`earlier_verb` recognises it.
    verb
        Which one.
    """
    found = [
        path.relative_to(folder).as_posix()
        for pattern in FILES[verb]
        for path in sorted(folder.glob(pattern))
        if _is_plain(folder, path)
    ]
    return [one for one in found if not one.endswith(".html") or _is_page(folder / one)]


def earlier_folders(folder: Path, verb: str) -> list[str]:
    """Return folders below that a verb of their own has written."""
    return [
        path.relative_to(folder).as_posix()
        for pattern in FOLDERS.get(verb, ())
        for path in sorted(folder.glob(pattern))
        if path.is_dir() and not path.is_symlink()
    ]


def _has(folder: Path, mark: Mark) -> bool:
    name, keys = mark
    path = folder / name
    if not _is_plain(folder, path):
        return False
    return not keys or set(keys) <= _keys_of(path)


def _is_plain(folder: Path, path: Path) -> bool:
    """Tell whether a path is a file and no part of it below a folder is a link."""
    parts = [path, *path.parents]
    below = parts[: parts.index(folder)]
    return path.is_file() and not any(one.is_symlink() for one in below)


def _keys_of(path: Path) -> set[str]:
    """Return the keys on the highest level of a file of ours, JSON or YAML."""
    try:
        if path.stat().st_size > LARGEST:
            return set()
        text = path.read_text()
        if path.suffix == ".yaml":  # as we write it: a key a line, nothing before it
            return set(re.findall(r"^([a-z_]+):", text, flags=re.MULTILINE))
        return set(dict[str, object](json.loads(text)))
    except (OSError, TypeError, ValueError, RecursionError):
        return set()


def _is_page(path: Path) -> bool:
    with path.open(errors="replace") as stream:
        return GENERATOR in stream.read(HEAD)
