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

CHAINS = {
    ("1-check", "2-plan", "7-compare"): {"compared"},
    ("3-adapt", "4-prove", "5-report", "6-merge", "8-phonons"): {"si", "phonons"},
    ("9-select", "13-label"): {"selected", "labels", "motion", "selected-labels"},
    ("10-stabilise", "11-campaign", "12-diffusivity"): {"tree", "campaign", "hops"},
    ("13-distil", "14-screen"): {"metals", "screened"},
    ("15-fidelity", "16-budget"): {"cheap", "fidelity", "budget"},
}
"""Scripts that follow one another, and the folders of the pages that they leave."""

WITHOUT = {"demo", "env", "init", "schema"}
"""Verbs that need no script."""


def test_every_verb_has_a_script():
    shown = {one.stem.partition("-")[2] for one in SCRIPTS}
    assert shown == set(VERBS) - WITHOUT


def test_every_script_is_in_a_chain():
    named = [one for chain in CHAINS for one in chain]
    assert sorted(named) == sorted(one.stem for one in SCRIPTS)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("chain", CHAINS, ids=" ".join)
def test_the_scripts_run(chain, tmp_path):
    beside = Path(sys.executable).parent
    settings = {**os.environ, **SMALL, "NO_COLOR": "1"}
    settings["PATH"] = os.pathsep.join([str(beside), os.environ["PATH"]])
    for script in (FOLDER / f"{one}.sh" for one in chain):
        done = subprocess.run(
            ["sh", str(script)],
            cwd=tmp_path,
            env=settings,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{script.name}: {done.stderr[-1000:]}"
    pages = {one.parent.name for one in (tmp_path / "runs").glob("*/*.html")}
    assert pages == CHAINS[chain]
