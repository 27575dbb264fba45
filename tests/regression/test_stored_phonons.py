"""Phonon files of older versions stay readable, and mean what they meant."""

import json
from pathlib import Path

import pytest

from atomgraft.phonons.page import write_page
from atomgraft.phonons.record import PHONONS, PHONONS_VERSION

STORED = Path(__file__).parent / "stored"
FILES = sorted(STORED.glob("phonons-*.json"))


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def stored(request):
    return request.param


def test_every_version_has_a_stored_file():
    versions = [json.loads(path.read_text())["schema_version"] for path in FILES]
    assert versions == list(range(1, PHONONS_VERSION + 1))


def test_a_stored_file_keeps_its_numbers(stored):
    """No upgrade touches a number that was computed."""
    document, result = json.loads(stored.read_text()), PHONONS.read(stored)
    assert result.schema_version == PHONONS_VERSION
    base, kept = document["spectra"][1], result.spectrum("base")
    assert kept is not None
    assert kept.maximum == base["maximum"]
    assert kept.thermal is not None
    assert list(kept.thermal.free_energy) == base["thermal"]["free_energy"]
    bands = [list(row) for leg in kept.bands for row in leg.frequencies]
    assert bands == [row for leg in base["bands"] for row in leg["frequencies"]]
    maes = [row["frequency_mae"] for row in document["errors"]]
    assert [row.frequency_mae for row in result.errors] == maes


def test_stillinger_weber_silicon_is_too_stiff_in_it(stored):
    """What everybody knows of this potential must be what the file says."""
    result = PHONONS.read(stored)
    base, own = result.errors
    assert base.slope is not None
    assert base.slope > 1.1
    assert own.baseline == "own scalar"
    assert own.frequency_mae < base.frequency_mae / 3
    assert all(one.is_stable for one in result.spectra)


def test_a_stored_file_has_a_page(stored, tmp_path):
    page = write_page(tmp_path, PHONONS.read(stored)).read_text()
    assert "pair:sw-si: 1.5 THz from DFT on average; stable, as in DFT." in page


def test_a_stored_file_can_be_written_again(stored, tmp_path):
    PHONONS.write(tmp_path, PHONONS.read(stored))
    assert PHONONS.read(tmp_path) == PHONONS.read(stored)


def test_stored_files_do_not_tell_where_they_were_made(stored):
    text = stored.read_text()
    assert not any(word in text for word in ("/home", "/tmp", "/root", "host"))
