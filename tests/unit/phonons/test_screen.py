"""What people read of phonons on the screen, and the page written again."""

import json

import pytest
from rich.console import Console
from typer.testing import CliRunner

from atomgraft.cli.main import app
from atomgraft.phonons.record import PHONONS
from atomgraft.phonons.screen import print_record
from tests.example_phonons import make_alone, make_phonons, make_unstable
from tests.example_result import HOSTILE


def printed(result) -> str:
    screen = Console(record=True, width=160)
    print_record(screen, result)
    return screen.export_text()


def test_errors_stand_beside_spectra() -> None:
    text = printed(make_phonons())
    assert "MgO, Fm-3m (225): 2 supercells of 64 atoms, geometry reference" in text
    assert "Against DFT, on the same supercells" in text
    [adapted] = [line for line in text.splitlines() if "0.0450" in line]
    assert adapted.split()[:3] == ["Adapted", "0.0450", "0.270"]
    assert text.rstrip().endswith("stable, as in DFT.")


def test_without_a_reference_there_are_no_errors() -> None:
    text = printed(make_alone())
    assert "Against" not in text
    assert "Stable under 7net-0" in text


def test_doubts_and_notices_are_printed_and_brackets_are_text() -> None:
    result = make_unstable().model_copy(update={"notices": ("see [red]file[/red]",)})
    text = printed(result)
    assert "did not converge" in text
    assert "changed the space group" in text.replace("\n", " ")
    assert "see [red]file[/red]" in text
    assert HOSTILE[:20] in text


@pytest.mark.parametrize("is_file", [False, True])
def test_the_page_is_written_again_from_its_file(is_file, tmp_path) -> None:
    path = PHONONS.write(tmp_path, make_phonons())
    place = str(path if is_file else tmp_path)
    done = CliRunner().invoke(app, ["report", place, "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["formula"] == "MgO"
    assert (tmp_path / "phonons.html").read_text().rstrip().endswith("</html>")
