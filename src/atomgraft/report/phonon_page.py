"""The page of a phonon calculation (a placeholder until the page branch lands)."""

from pathlib import Path

from atomgraft.results.phonons import PhononResult


def write_phonon_page(folder: Path, result: PhononResult) -> Path:
    """Write it."""
    path = folder / "phonons.html"
    path.write_text(result.name)
    return path
