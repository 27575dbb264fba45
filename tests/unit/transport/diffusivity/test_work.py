"""From files to a record: what is reused, refused, and written."""

from pathlib import Path

import ase.io
import numpy as np
import pytest

import atomgraft as ag
from atomgraft.core.errors import BadInputError
from atomgraft.transport.diffusivity import work
from atomgraft.transport.diffusivity.record import DIFFUSIVITY
from atomgraft.transport.diffusivity.spec import DiffusivitySpec
from atomgraft.transport.diffusivity.work import diffusivity
from tests.hopping import crystal

OUT = Path("out")

NUMBERS = {"trajectories", "temperatures", "arrhenius", "headline", "notices"}


def spec_of(*files, **changes):
    values = {"mobile": ("Li",), "temperature": (600.0,), "step": (100.0,)}
    return DiffusivitySpec(files=files, **(values | changes))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Trajectories at three temperatures, two runs of one, and a melt."""
    folder = tmp_path_factory.mktemp("made")
    for kelvin, rate in ((600, 0.003), (800, 0.01), (1000, 0.03)):
        frames = crystal(200, rate=rate, seed=kelvin)
        ase.io.write(folder / f"{kelvin}.extxyz", frames)
    ase.io.write(folder / "800b.extxyz", crystal(200, rate=0.01, seed=1))
    ase.io.write(folder / "melt.extxyz", crystal(200, rate=0.01, melting=0.3))
    ase.io.write(folder / "sodium.extxyz", crystal(200, ion="Na"))
    ase.io.write(folder / "larger.extxyz", crystal(200, n_ions=60, size=5))
    return folder


@pytest.fixture(autouse=True)
def place(made, tmp_path, monkeypatch):
    for path in made.iterdir():
        (tmp_path / path.name).symlink_to(path)
    monkeypatch.chdir(tmp_path)


THREE = ("600.extxyz", "800.extxyz", "1000.extxyz")

KELVINS = {"temperature": (600.0, 800.0, 1000.0)}


def test_several_temperatures_give_a_line():
    result = diffusivity(spec_of(*THREE, **KELVINS), OUT)
    assert result.finished
    assert result.formula == "Li6O25"
    assert result.reference == "centre of mass of the framework: O"
    [line] = result.arrhenius
    assert line.temperatures == (600.0, 800.0, 1000.0)
    assert line.is_extrapolation
    assert line.energy.low95 < line.energy.median < line.energy.high95
    assert 0.2 < line.energy.median < 0.4
    assert DIFFUSIVITY.read(OUT) == result


def test_the_order_of_files_does_not_matter():
    first = diffusivity(spec_of(*THREE, **KELVINS), OUT)
    turned = spec_of(*THREE[::-1], temperature=(1000.0, 800.0, 600.0))
    second = diffusivity(turned, Path("turned"))
    assert second.temperatures == first.temperatures
    assert second.arrhenius == first.arrhenius


def test_runs_at_one_temperature_are_put_together():
    result = diffusivity(spec_of("800.extxyz", "800b.extxyz"), OUT)
    [at] = result.temperatures
    assert at.n_runs == 2
    assert len(result.trajectories) == 2
    assert not result.arrhenius


def test_a_stopped_call_goes_on_and_ends_with_the_same_numbers(monkeypatch):
    spec = spec_of(*THREE, **KELVINS)
    whole = diffusivity(spec, Path("whole"))
    real, seen = work.read_motion, []

    def stopping(spec, i):
        if i == 2:
            raise KeyboardInterrupt
        return real(spec, i)

    monkeypatch.setattr(work, "read_motion", stopping)
    with pytest.raises(KeyboardInterrupt):
        diffusivity(spec, OUT)
    part = DIFFUSIVITY.read(OUT)
    assert not part.finished
    assert [one.temperature for one in part.temperatures] == [600.0, 800.0]
    monkeypatch.setattr(
        work, "read_motion", lambda spec, i: (seen.append(i), real(spec, i))[1]
    )
    result = diffusivity(spec, OUT)
    assert seen == [2]
    assert result.model_dump(include=NUMBERS) == whole.model_dump(include=NUMBERS)
    assert len(result.provenance) == 2


def test_a_finished_result_is_returned_and_not_measured_again(monkeypatch):
    spec = spec_of("800.extxyz")
    first = diffusivity(spec, OUT)
    before = (OUT / "diffusivity.json").read_bytes()
    monkeypatch.setattr(work, "read_motion", None)
    assert diffusivity(spec, OUT) == first
    assert (OUT / "diffusivity.json").read_bytes() == before


@pytest.mark.parametrize(
    ("files", "changes"),
    [
        (("800b.extxyz",), {}),
        (("800.extxyz",), {"temperature": (700.0,)}),
        (("800.extxyz",), {"skip": 1.0}),
    ],
)
def test_another_question_does_not_overwrite(files, changes):
    diffusivity(spec_of("800.extxyz"), OUT)
    with pytest.raises(BadInputError, match="holds the diffusivity of other"):
        diffusivity(spec_of(*files, **changes), OUT)


def test_a_molten_run_is_left_out_and_counted():
    result = diffusivity(spec_of("800.extxyz", "melt.extxyz"), OUT)
    assert [one.is_used for one in result.trajectories] == [True, False]
    assert result.temperatures[0].n_runs == 1
    assert any("1 of 2 trajectories has a molten" in one for one in result.notices)
    kept = diffusivity(
        spec_of("800.extxyz", "melt.extxyz", keep_molten=True), Path("kept")
    )
    assert kept.temperatures[0].n_runs == 2
    assert any("analysed nevertheless" in one for one in kept.notices)


def test_a_melt_alone_is_refused_and_leaves_nothing():
    with pytest.raises(BadInputError, match=r"framework of melt\.extxyz is molten"):
        diffusivity(spec_of("melt.extxyz"), OUT)
    assert not OUT.exists()


REFUSED = {
    "another material": (("800.extxyz", "sodium.extxyz"), {}, "has no Li"),
    "another cell": (("800.extxyz", "larger.extxyz"), {}, "one material"),
    "no file": (("nowhere.extxyz",), {}, "nowhere.extxyz"),
    "no step": (("800.extxyz",), {"step": ()}, "--step 100"),
    "no charge": (("800.extxyz",), {"mobile": ("Xe",)}, "--charge Xe=2"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_input_is_refused_before_anything_is_written(name):
    files, changes, words = REFUSED[name]
    with pytest.raises(BadInputError, match=words):
        diffusivity(spec_of(*files, **changes), OUT)
    assert not OUT.exists()


def test_progress_is_told():
    told = []
    diffusivity(spec_of(*THREE, **KELVINS), OUT, progress=lambda *one: told.append(one))
    assert told[0] == ("reading 600.extxyz", 0, 3)
    assert ("reading 1000.extxyz", 2, 3) in told
    assert [one[1] for one in told] == sorted(one[1] for one in told)


def test_a_notebook_takes_files_and_frames():
    from_file = ag.diffusivity(
        "800.extxyz", "Li", temperature=600, step=100, out=OUT, progress=False
    )
    assert from_file.page.exists()
    assert "D* of Li" in from_file._repr_html_()
    frames = ase.io.read("800.extxyz", ":")
    from_frames = ag.diffusivity(
        frames, ["Li"], temperature=600, step=100, out="frames", progress=False
    )
    first, second = (
        one.result.temperatures[0].ions[0].diffusivity.value.median
        for one in (from_file, from_frames)
    )
    assert np.isclose(first, second, rtol=1e-6)


@pytest.mark.parametrize(
    ("trajectories", "options", "words"),
    [
        ("800.extxyz", {"step": 100}, "No temperature was given"),
        ("800.extxyz", {"temperature": 600}, "step="),
        ("800.extxyz", {"temperature": 600, "stride": 1}, "has no argument 'stride'"),
        ([], {"temperature": 600}, "empty list"),
        ([3], {"temperature": 600}, "of type int"),
    ],
)
def test_a_notebook_refuses_in_its_own_words(trajectories, options, words):
    with pytest.raises(BadInputError, match=words) as told:
        ag.diffusivity(trajectories, "Li", out=OUT, progress=False, **options)
    assert "--" not in str(told.value)


def test_a_table_for_pandas():
    pytest.importorskip("pandas")
    found = ag.diffusivity(
        "800.extxyz", "Li", temperature=600, step=100, out=OUT, progress=False
    )
    frame = found.to_frame()
    assert frame["element"].tolist() == ["Li"]
    assert frame["low95"][0] < frame["median"][0] < frame["high95"][0]
