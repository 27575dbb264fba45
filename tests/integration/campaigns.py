"""A small comparison as a process of its own, and ways to do it harm."""

import json
import time
from pathlib import Path

import psutil
import yaml

from atomgraft.training.checkpoint import METRICS

SMALL = {
    "base": "pair:sw-si",
    "train": "shipped:si-train@::4",
    "test": "shipped:si-test@:6",
    "recipes": ["full", "readout"],
    "sizes": [2, 4],
    "seeds": [0, 1],
    "training": {"steps": 40, "batch_size": 2, "checkpoint_every": 7},
}
"""Eight cells of about a second: two workers are killed with others still open."""

TIMES = ("seconds",)
"""What two runs of one cell may differ in."""


def compare_file(folder, **changes):
    """Write a small comparison."""
    path = Path(folder) / "compare.yaml"
    path.write_text(yaml.safe_dump(SMALL | changes))
    return path


def table(folder):
    """Return everything that a comparison says, but for times and commands."""
    document = json.loads((Path(folder) / "compare.json").read_text())
    del document["provenance"]
    for cell in document["cells"]:
        for key in TIMES:
            del cell[key]
    return document


def workers_of(process):
    """Return the worker processes of a campaign; multiprocessing names them so."""
    children = psutil.Process(process.pid).children(recursive=True)
    return [one for one in children if "spawn_main" in " ".join(one.cmdline())]


def cells_under_way(folder):
    """Return the folders of cells that train and are not done."""
    return [
        path.parent.parent
        for path in (Path(folder) / "cells").glob(f"*/run/{METRICS}")
        if not (path.parent.parent / "cell.json").exists()
        and path.read_bytes().count(b"\n") > 10
    ]


def wait_for_cell(process, folder, n_done=0):
    """Wait until so many cells are done and another one is in the middle."""
    while process.poll() is None:
        under_way = cells_under_way(folder)
        if under_way and n_done <= len(list(Path(folder).glob("cells/*/cell.json"))):
            return under_way
        time.sleep(0.005)
    _, errors = process.communicate()
    raise AssertionError(f"the campaign ended before it could be disturbed: {errors}")


def finished_cells(folder):
    """Return the records of finished cells with the time of their writing."""
    return {
        path: path.stat().st_mtime_ns for path in Path(folder).glob("cells/*/cell.json")
    }
