"""A run whose graft was deleted writes it again, without another step."""

from atomgraft.adaptation.graft import GRAFT
from atomgraft.run.record import RESULT
from tests.integration.test_bad_input import run


def test_a_deleted_graft_comes_back(tmp_path, capsys):
    folder = tmp_path / "run"
    asked = "--base pair:sw-si --train shipped:si-train@:3 --recipe full --steps 3"
    assert run(f"adapt {asked} --out {folder}") == 0
    before = (folder / GRAFT).read_bytes()
    (folder / GRAFT).unlink()
    capsys.readouterr()
    assert run(f"adapt {folder}") == 0
    assert "nothing to do" not in capsys.readouterr().err
    assert (folder / GRAFT).read_bytes() == before
    assert RESULT.read(folder).training.n_steps_done == 3
    assert run(f"adapt {folder}") == 0  # negative control: now it is finished
    assert "nothing to do" in capsys.readouterr().err


def test_a_damaged_graft_is_told_and_comes_back(tmp_path, capsys):
    folder = tmp_path / "run"
    asked = "--base pair:sw-si --train shipped:si-train@:2 --recipe full --steps 1"
    assert run(f"adapt {asked} --out {folder}") == 0
    before = (folder / GRAFT).read_bytes()
    (folder / GRAFT).write_bytes(b"garbage")
    capsys.readouterr()
    assert run(f"adapt {folder}") == 2
    said = " ".join(capsys.readouterr().err.split())
    assert f"Delete {folder} (it is trained again)" in said
    (folder / GRAFT).unlink()
    assert run(f"adapt {folder}") == 0
    assert (folder / GRAFT).read_bytes() == before


def test_a_run_that_names_itself_as_its_base_is_refused(tmp_path, capsys):
    folder = tmp_path / "run"
    asked = f"--base {folder} --train shipped:si-train@:2 --recipe full --steps 1"
    assert run(f"adapt {asked} --out {folder}") == 2
    assert "names itself as its base" in " ".join(capsys.readouterr().err.split())
    assert not folder.exists()
