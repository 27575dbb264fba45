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
