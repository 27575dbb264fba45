"""Installed distributions, as far as importlib.metadata can see."""

from pathlib import Path


def install(folder: Path, name: str, version="1.0", modules=None, **entries) -> Path:
    """Write a distribution into a folder that is on the path.

    `entries` has one mapping of names to objects for each group, without the
    "atomgraft." that all groups begin with.
    """
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    about = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    (info / "METADATA").write_text(about)
    lines = []
    for group, offers in entries.items():
        lines.append(f"[atomgraft.{group}]")
        lines += [f"{key} = {place}" for key, place in offers.items()]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    for module, text in (modules or {}).items():
        (folder / f"{module}.py").write_text(text)
    return folder
