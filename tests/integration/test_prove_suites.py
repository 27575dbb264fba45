"""What suites have in common: a killed proof goes on, bad input is one paragraph."""

import shutil

import pytest

from atomgraft.core.storage import write_atomically
from atomgraft.dynamics import torch_sim
from atomgraft.lattice import static_properties
from atomgraft.run.prove import Watch, prove
from tests.integration.test_bad_input import run

SHORT = {
    "md": {
        "temperatures": ["300"],
        "time": "0.2",
        "window": "0.1",
        "drift_time": "0.1",
        "supercell": ["1"],
    },
    "motion": {
        "supercell": ["1"],
        "settle": "0.04",
        "time": "0.32",
        "window": "0.16",
    },
}
"""Options of suites that put a crystal in motion."""

FIRST = {"md": "md/base", "motion": "motion/base/settle"}
"""Where they write first."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("suites")
    options = "--train shipped:si-train@:10 --recipe full --steps 5"
    assert run(f"adapt --base pair:sw-si {options} --out {folder / 'run'}") == 0
    return folder / "run"


@pytest.fixture
def place(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "run")


def typed(suite, **more):
    values = SHORT[suite] | more
    return " ".join(
        f"--set {suite}.{key}={one}"
        for key, value in values.items()
        for one in (value if isinstance(value, list) else [value])
    )


class KilledError(Exception):
    """As if by a signal."""


@pytest.mark.parametrize("suite", SHORT)
def test_a_killed_proof_goes_on(suite, place, finished, tmp_path):
    other = shutil.copytree(finished, tmp_path / "whole")
    suites = {suite: SHORT[suite]}
    whole = prove(other, suites=suites)
    seen = []

    def die(what, done, total):
        seen.append(what)
        if what == f"{suite}: adapted" and done >= 1.6 * total / 2:
            raise KilledError

    with pytest.raises(KilledError):
        prove(place, suites=suites, watch=Watch(progress=die))
    n_before = len([one for one in seen if one.startswith(f"{suite}: ")])
    seen.clear()
    again = prove(
        place,
        suites=suites,
        watch=Watch(progress=lambda what, done, total: seen.append(what)),
    )
    steps = [one for one in seen if one.startswith(f"{suite}: ")]
    assert 0 < len(steps) < n_before / 2, "what was done is not done again"
    assert [one.value for one in again.scores if one.suite == suite] == [
        one.value for one in whole.scores if one.suite == suite
    ]
    files = [one for one in sorted((other / suite).rglob("*.*")) if one.is_file()]
    assert files
    for path in files:
        assert path.read_bytes() == (place / path.relative_to(other)).read_bytes()


@pytest.mark.parametrize("suite", SHORT)
def test_a_trajectory_of_others_is_not_overwritten(suite, place, capsys):
    folder = place / FIRST[suite]
    folder.mkdir(parents=True)
    write_atomically(folder / "000.extxyz", "mine")
    assert run(f"prove {place} --suite {suite} {typed(suite)}") == 2
    assert "atomgraft did not write it" in " ".join(capsys.readouterr().err.split())
    assert (folder / "000.extxyz").read_text() == "mine"


IN_MOTION = {
    "too few replicas": ("replicas=2", "{suite}.KEY=VALUE"),
    "no structure": ("structure=nowhere", "nowhere"),
    "unknown reference": ("reference=nobody", "names no potential"),
    "unknown engine": ("engine=openmm", "'atomgraft' or 'torch-sim'"),
    "wrong number": ("time=long", "'time' is 'long'"),
    "two repetitions": ("supercell=2 --set {suite}.supercell=2", "{suite}.supercell=2"),
}

OWN = {
    "motion": {
        "no trajectory": ("reference=aimd.extxyz", "aimd.extxyz"),
        "unknown setting": ("temperature=300", "temperatures"),
        "a cold melt": ("melt=200", "not above the highest temperature"),
        "beyond the cell": ("r_max=9", "holds spheres"),
    },
    "bulk": {
        "no such property": ("properties=hardness", "properties"),
        "no plane": ("surfaces=11", "surfaces"),
        "no crystal file": ("crystal=nowhere", "nowhere"),
        "no reference file": ("reference=nowhere.yaml", "nowhere.yaml"),
    },
}

BAD = [
    *((suite, name, *bad) for suite in SHORT for name, bad in IN_MOTION.items()),
    *((suite, name, *bad) for suite in OWN for name, bad in OWN[suite].items()),
]


@pytest.mark.parametrize(("suite", "name", "option", "told"), BAD)
def test_bad_input_is_one_paragraph(
    suite, name, option, told, place, capsys, monkeypatch
):
    monkeypatch.setattr(
        static_properties.importlib.util, "find_spec", lambda name: name
    )
    before = sorted(path.name for path in place.iterdir())
    asked = option.format(suite=suite)
    assert run(f"prove {place} --suite {suite} --set {suite}.{asked}") == 2
    error = capsys.readouterr().err.strip()
    assert error.count("\n") == 0
    assert told.format(suite=suite) in error
    assert sorted(path.name for path in place.iterdir()) == before


@pytest.mark.parametrize(
    ("suite", "option", "extra"),
    [
        ("md", "--set md.engine=torch-sim", "torch-sim"),
        ("motion", "--set motion.engine=torch-sim", "torch-sim"),
        ("bulk", "", "bulk"),
    ],
)
def test_a_missing_extra_is_named(suite, option, extra, place, capsys, monkeypatch):
    for module in (torch_sim, static_properties):
        monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    assert run(f"prove {place} --suite {suite} {option}") == 2
    said = " ".join(capsys.readouterr().err.split())
    assert f"pip install 'atomgraft[{extra}]'" in said
