"""Files of campaigns, trees and selections stay readable, and mean what they meant."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from atomgraft.core.errors import BadInputError
from atomgraft.label import page as selection_page
from atomgraft.label.record import SELECTION, SELECTION_VERSION
from atomgraft.phonons.campaign import page as campaign_page
from atomgraft.phonons.campaign.record import CAMPAIGN, CAMPAIGN_VERSION
from atomgraft.phonons.campaign.wording import headline
from atomgraft.stabilise import page as stabilise_page
from atomgraft.stabilise.record import INSTABILITIES_VERSION, STABILISE
from atomgraft.stabilise.tree import headline as tree_headline
from atomgraft.stabilise.tree import notices_of
from atomgraft.transport.diffusivity import page as diffusivity_page
from atomgraft.transport.diffusivity.record import DIFFUSIVITY, DIFFUSIVITY_VERSION
from atomgraft.transport.distil import page as distil_page
from atomgraft.transport.distil.record import DISTIL, DISTIL_VERSION
from atomgraft.transport.screening import page as screening_page
from atomgraft.transport.screening.record import SCREEN, SCREEN_VERSION
from tests.comparisons import session
from tests.diffusivities import lithium
from tests.phonon_campaigns import BASE_ERRORS, LORA_ERRORS, make_campaign
from tests.predictors import barriers, screened
from tests.selections import selection_of
from tests.trees import perovskite

STORED = Path(__file__).parent / "stored"

LARGEST = 60_000
"""Bytes; the repository keeps them for ever."""


class Kind(NamedTuple):
    """One kind of file: how it is called, read, written and shown."""

    file: str
    key: str
    version: int
    has: Callable[[Path], bool]
    read: Callable[[Path], Any]
    write: Callable[[Path, Any], Path]
    page: Callable[[Path, Any], Path]
    make: Callable[[], Any]


def make_tree():
    return perovskite().model_copy(update={"provenance": (session(),)})


KINDS = {
    "campaign": Kind(
        CAMPAIGN.file,
        "schema_version",
        CAMPAIGN_VERSION,
        CAMPAIGN.is_at,
        CAMPAIGN.read,
        CAMPAIGN.write,
        campaign_page.write_page,
        lambda: make_campaign(dft_hours=10.0),
    ),
    "stabilise": Kind(
        STABILISE.file,
        "schema_version",
        INSTABILITIES_VERSION,
        STABILISE.is_at,
        STABILISE.read,
        STABILISE.write,
        stabilise_page.write_page,
        make_tree,
    ),
    "diffusivity": Kind(
        DIFFUSIVITY.file,
        "schema_version",
        DIFFUSIVITY_VERSION,
        DIFFUSIVITY.is_at,
        DIFFUSIVITY.read,
        DIFFUSIVITY.write,
        diffusivity_page.write_page,
        lithium,
    ),
    "distil": Kind(
        DISTIL.file,
        "schema_version",
        DISTIL_VERSION,
        DISTIL.is_at,
        DISTIL.read,
        DISTIL.write,
        distil_page.write_page,
        barriers,
    ),
    "screen": Kind(
        SCREEN.file,
        "schema_version",
        SCREEN_VERSION,
        SCREEN.is_at,
        SCREEN.read,
        SCREEN.write,
        screening_page.write_page,
        screened,
    ),
    "select": Kind(
        SELECTION.file,
        "selection_version",
        SELECTION_VERSION,
        SELECTION.is_at,
        SELECTION.read,
        SELECTION.write,
        selection_page.write_page,
        selection_of,
    ),
}

FILES = [path for name in KINDS for path in sorted(STORED.glob(f"{name}-*.json"))]


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def stored(request, tmp_path):
    """A kind, and a folder that holds a stored file under its own name."""
    path: Path = request.param
    kind = KINDS[path.stem.partition("-")[0]]
    (tmp_path / kind.file).write_bytes(path.read_bytes())
    return kind, tmp_path


@pytest.mark.parametrize("name", KINDS)
def test_every_version_has_a_stored_file(name):
    kind = KINDS[name]
    paths = sorted(STORED.glob(f"{name}-*.json"))
    versions = [json.loads(path.read_text())[kind.key] for path in paths]
    assert versions == list(range(1, kind.version + 1))


def test_a_stored_file_is_recognised_and_read(stored):
    kind, folder = stored
    assert kind.has(folder)
    assert [other.has(folder) for other in KINDS.values()].count(True) == 1
    assert kind.read(folder) == kind.read(folder / kind.file)


def lost(old, new, place="", *, but=""):
    """Return where a document no longer says what it said; new keys may come."""
    if isinstance(old, dict):
        return [
            one
            for key, value in old.items()
            if key != but
            for one in lost(value, new.get(key), f"{place}/{key}")
        ]
    if isinstance(old, list):
        pairs = zip(old, new or (), strict=False)
        short = [] if len(old) == len(new or ()) else [place]
        return short + [
            x for i, one in enumerate(pairs) for x in lost(*one, f"{place}/{i}")
        ]
    return [] if old == new else [place]


def test_a_stored_file_keeps_all_it_says(stored):
    """No upgrade touches a number that was computed, but intervals over too few."""
    kind, folder = stored
    document = json.loads((folder / kind.file).read_text())
    for row in document.get("summaries", []) if kind.file == CAMPAIGN.file else []:
        assert row["n_materials"] == 3
        row |= {"mean_interval": None, "median_interval": None}
    again = json.loads(kind.read(folder).model_dump_json())
    assert lost(document, again, but=kind.key) == []


def test_what_is_lost_is_seen():
    """Negative control: a number that changed, a row that went, a key that is gone."""
    old = {"a": [1.0, {"b": 2}], "c": None, "v": 1}
    assert lost(old, {**old, "d": 3}) == []
    assert lost(old, old | {"v": 2}, but="v") == []
    assert lost(old, old | {"a": [1.0, {"b": 3}]}) == ["/a/1/b"]
    assert lost(old, old | {"a": [1.0]}) == ["/a"]
    assert lost(old, {"a": [2.0, {}]}) == ["/a/0", "/a/1/b", "/v"]


def test_a_stored_file_can_be_written_again(stored):
    kind, folder = stored
    before = kind.read(folder)
    kind.write(folder, before)
    assert kind.read(folder) == before


def test_a_stored_file_has_a_page(stored):
    kind, folder = stored
    text = kind.page(folder, kind.read(folder)).read_text()
    assert text.rstrip().endswith("</html>")
    assert f"{kind.file}" in text  # it says where its numbers are


def test_a_later_version_is_refused_and_never_guessed_at(stored):
    kind, folder = stored
    path = folder / kind.file
    document = json.loads(path.read_text())
    path.write_text(json.dumps(document | {kind.key: kind.version + 1}))
    with pytest.raises(BadInputError):
        kind.read(folder)


def test_a_key_that_nobody_knows_is_refused(stored):
    kind, folder = stored
    path = folder / kind.file
    path.write_text(json.dumps(json.loads(path.read_text()) | {"colour": "red"}))
    with pytest.raises(BadInputError):
        kind.read(folder)


def test_a_file_that_was_cut_is_refused(stored):
    kind, folder = stored
    path = folder / kind.file
    text = path.read_text()
    path.write_text(text[: len(text) // 2])
    with pytest.raises(BadInputError):
        kind.read(folder)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_stored_files_are_small_and_do_not_tell_where_they_were_made(path):
    text = path.read_text()
    assert len(text.encode()) < LARGEST
    assert not any(word in text for word in ("/home", "/tmp", "/root", "host"))


@pytest.mark.parametrize("path", FILES[:1], ids=lambda path: path.stem)
def test_the_campaign_says_what_its_rows_say(path):
    """Its summaries, by hand from the errors of each material."""
    result = CAMPAIGN.read(path)
    means = {one.contestant: one.mean_mae for one in result.summaries}
    for name, errors in (("base", BASE_ERRORS), ("lora", LORA_ERRORS)):
        assert means[name] == pytest.approx(sum(errors.values()) / len(errors))
    assert "60 % less than the base" in headline(result)
    [bill] = [one for one in result.bills if one.contestant == "lora"]
    assert bill.supercells_saved == pytest.approx(1 - 3 / 10)


def test_the_tree_says_what_its_crystals_say():
    result = STABILISE.read(STORED / "stabilise-1.json")
    assert tree_headline(result).endswith("Amm2, 13.0 meV/atom below it.")
    assert notices_of(result) == (
        "Not converged, and not followed further: crystal 3 (R<3>m).",
    )


def test_the_selection_keeps_its_order():
    result = SELECTION.read(STORED / "select-1.json")
    assert [one.number for one in result.chosen] == [1, 2, 3]
    assert [point.number for point in result.map.points if point.number] == [1, 2, 3]


if __name__ == "__main__":
    for name, kind in KINDS.items():
        path = kind.write(Path(sys.argv[1]), kind.make())
        path.rename(path.with_name(f"{name}-{kind.version}.json"))
