"""Does the script of each verb run, one after the other, on a small model?"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from atomgraft.cli.verbs import VERBS
from tests.conftest import REPOSITORY

FOLDER = REPOSITORY / "examples" / "commands"
SCRIPTS = sorted(FOLDER.glob("*.sh"), key=lambda one: int(one.name.partition("-")[0]))

SMALL = {
    "BASE": "pair:sw-si",
    "STEPS": "3",
    "EACH": "10",
    "MESH": "2",
    "PROPOSALS": "1",
    "CELLS": "1",
    "MD_TIME": "0.1",
}
"""In place of 7net-0 and of the numbers that one would use."""

WITHOUT = {"demo", "env", "init", "schema"}
"""Verbs that need no script."""


def test_every_verb_has_a_script():
    shown = {one.stem.partition("-")[2] for one in SCRIPTS}
    assert shown == set(VERBS) - WITHOUT


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_scripts_run(tmp_path):
    beside = Path(sys.executable).parent
    settings = {**os.environ, **SMALL, "NO_COLOR": "1"}
    settings["PATH"] = os.pathsep.join([str(beside), os.environ["PATH"]])
    for script in SCRIPTS:
        done = subprocess.run(
            ["sh", str(script)],
            cwd=tmp_path,
            env=settings,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{script.name}: {done.stderr[-1000:]}"
    pages = {str(one.relative_to(tmp_path)) for one in tmp_path.rglob("*.html")}
    assert len(pages) >= 6
