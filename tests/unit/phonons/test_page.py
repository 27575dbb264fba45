"""Does the page of phonons say what the file says: in words, in tables, and safely?"""

import json
import subprocess
import sys

import pytest

from atomgraft.phonons.page import (
    BETTER,
    COMPARED,
    DISAGREE,
    NO_BETTER,
    OTHER,
    PAGE,
    PARTLY,
    STABLE,
    UNSTABLE,
    mark_of,
    page_text,
    phonon_sections,
    settings_block,
    write_page,
)
from atomgraft.phonons.record import PhononResult, SoftMode
from atomgraft.phonons.tables import (
    MAX_SOFT_MODES,
    frequency_table,
    labels_table,
    physics_table,
    soft_table,
    spectra_table,
    terminal_table,
    value_at,
)
from atomgraft.phonons.wording import doubts, headline, q_text, sentences
from atomgraft.run.page import page_text as run_page_text
from tests.example_phonons import (
    baselines,
    errors,
    joined_labels,
    make_alone,
    make_labelled,
    make_phonons,
    make_unstable,
    relaxation,
    settings,
    spectrum,
)
from tests.example_result import HOSTILE, make_result, with_phonons
from tests.unit.run.page.test_document import read

MAKERS = (make_phonons, make_unstable, make_alone, make_labelled)


def changed(**changes) -> PhononResult:
    return make_phonons(**changes)


def test_the_headline_compares_adapted_with_base() -> None:
    assert headline(make_phonons()) == (
        "Adapted: 0.045 THz from DFT on average where the base is 0.093; stable, as "
        "in DFT."
    )


@pytest.mark.parametrize(
    ("says", "finds", "words"),
    [
        (True, True, "stable, as in DFT."),
        (True, False, "unstable, but stable in DFT."),
        (False, True, "stable, but unstable in DFT."),
        (False, False, "unstable, as in DFT."),
    ],
)
def test_the_headline_tells_of_stability(says, finds, words) -> None:
    result = changed(
        spectra=(spectrum("reference", is_stable=says), spectrum("adapted")),
        errors=(errors("adapted", 0.1, is_stable=finds),),
    )
    assert headline(result).endswith(words)


def test_without_a_reference_stability_is_the_headline() -> None:
    assert headline(make_alone()) == (
        "Stable under 7net-0: no frequency below −0.1 THz."
    )
    soft = spectrum("7net-0", shift=40.0)
    text = headline(changed(spectra=(soft,), errors=()))
    assert text.startswith("Unstable under 7net-0: down to −")
    assert text.endswith("at q = (1/2 0 1/2).")
    assert headline(changed(spectra=(), errors=())) == "No phonons were computed."


def test_a_model_of_no_run_is_judged_by_its_name() -> None:
    result = changed(
        spectra=(spectrum("reference"), spectrum("7net-0")),
        errors=(errors("7net-0", 0.3),),
    )
    assert headline(result) == (
        "7net-0: 0.30 THz from DFT on average; stable, as in DFT."
    )
    assert mark_of(result) == COMPARED


@pytest.mark.parametrize(
    ("adapted", "word"),
    [
        (0.045, "Frequencies better"),
        (0.061, "Better in part"),
        (0.065, "Better in part"),
        (0.0925, "Frequencies not better"),
        (0.1, "Frequencies not better"),
    ],
)
def test_the_mark_asks_more_than_one_number_does(adapted, word) -> None:
    """The base is at 0.093 THz; times one number of its own it is at 0.062."""
    result = changed(
        errors=(errors("base", 0.093), errors("adapted", adapted), *baselines())
    )
    assert mark_of(result).word == word
    is_beaten = (
        "an adaptation that is not better has learned no more than that factor."
        in sentences(result)[0]
    )
    assert is_beaten is (adapted > 0.062)
    is_close = "it has hardly learned more" in sentences(result)[0]
    assert is_close is (adapted == 0.061)


def test_the_page_of_a_crystal_does_not_say_whether_a_run_took() -> None:
    """The run may have been made for another material."""
    for adapted in (0.045, 0.061, 0.1):
        found = (errors("base", 0.093), errors("adapted", adapted), *baselines())
        text = page_text(changed(errors=found))
        assert "Did not take" not in text


def test_another_stability_is_no_whole_success() -> None:
    found = (errors("base", 0.093), errors("adapted", 0.045, is_stable=False))
    assert mark_of(changed(errors=found)).word == "Better in part"
    alone = changed(errors=(errors("7net-0", 0.1, is_stable=False),))
    assert mark_of(alone) == OTHER


def test_without_a_reference_the_mark_is_stability() -> None:
    stable, soft = spectrum("a"), spectrum("b", shift=40.0)
    assert mark_of(changed(spectra=(stable,), errors=())) == STABLE
    assert mark_of(changed(spectra=(soft,), errors=())) == UNSTABLE
    assert mark_of(changed(spectra=(stable, soft), errors=())) == DISAGREE


def test_contestants_are_rows_and_baselines_stand_apart() -> None:
    for table in (frequency_table(make_phonons()), physics_table(make_phonons())):
        names = [row[0] for row in table.rows]
        assert names[:3] == ["Base", "Adapted", "From scratch"]
        assert table.apart == (3, 4)
        assert all(len(row) == len(table.columns) for row in table.rows)
    frequencies = frequency_table(make_phonons())
    assert frequencies.rows[1][1:4] == ("–", "0.0450", "0.0630")
    assert frequencies.rows[4][1:3] == ("1.17", "0.0620")


def test_baselines_stand_in_the_table_even_unknown() -> None:
    table = frequency_table(changed(errors=(errors("base", 0.093),)))
    assert [row[0] for row in table.rows[1:]] == [
        "Base × global scalar: unknown",
        "Base × own scalar: unknown",
    ]
    assert set(table.rows[1][1:]) == {"–"}
    alone = frequency_table(changed(errors=(errors("7net-0", 0.1),)))
    assert len(alone.rows) == 1


def test_conductivity_has_columns_where_it_was_compared() -> None:
    assert "SRME" not in physics_table(make_phonons()).columns
    found = (errors("base", 0.1, conductivity_error=-0.25, srme=0.4),)
    table = physics_table(changed(errors=found))
    row = dict(zip(table.columns, table.rows[0], strict=True))
    assert row["Conductivity (%)"] == "−25.0"
    assert row["SRME"] == "0.400"


def test_the_terminal_gets_the_numbers_that_matter() -> None:
    table = terminal_table(make_phonons())
    assert table.columns == (
        "Contestant",
        "MAE (THz)",
        "largest error (THz)",
        "highest (THz)",
        "slope",
        "F at 300 K (meV/atom)",
        "stable",
    )
    assert table.rows[1] == (
        "Adapted",
        "0.0450",
        "0.270",
        "−0.0900",
        "0.955",
        "−0.450",
        "yes",
    )
    assert table.apart == (3, 4)


def test_thermal_numbers_of_an_unstable_crystal_are_left_out() -> None:
    rows = spectra_table(make_unstable(), "").rows
    assert rows[0][4:7] == ("–", "–", "–")
    assert "–" not in rows[1]


def test_doubts_name_what_happened() -> None:
    text = " ".join(doubts(make_unstable()))
    assert "DFT: unstable, with frequencies down to −4" in text
    assert "did not converge; after 14 steps" in text
    assert "0.00310 eV/Å" in text
    assert "space group from Fm-3m (225) to R-3m (166)" in text
    assert "no physical meaning" in text
    assert doubts(make_phonons()) == ()
    calm = changed(spectra=(spectrum("base", relaxation=relaxation()),))
    assert doubts(calm) == ()


def test_soft_modes_of_one_frequency_share_a_row() -> None:
    table = soft_table(make_unstable())
    assert table is not None
    assert [row[0] for row in table.rows] == ["DFT", "DFT", "Adapted", "Adapted"]
    assert table.rows[0][2:] == ("3", "(1/2 0 1/2)")
    assert table.rows[1][2:] == ("1", "(1/3 0 0.123)")
    assert soft_table(make_phonons()) is None


def test_no_soft_mode_is_left_out_in_silence() -> None:
    modes = tuple(SoftMode(q=(0.0, 0.0, 0.0), frequency=-f) for f in range(1, 31))
    table = soft_table(changed(spectra=(spectrum("base", soft_modes=modes),)))
    assert table is not None
    assert len(table.rows) == MAX_SOFT_MODES + 1
    assert table.rows[0][1] == "−30.0"
    assert table.rows[-1][1:3] == ("higher", str(30 - MAX_SOFT_MODES))


@pytest.mark.parametrize(
    ("q", "text"),
    [
        ((0.0, 0.5, -0.25), "(0 1/2 −1/4)"),
        ((1 / 3, 2 / 3, 1.0), "(1/3 2/3 1)"),
        ((0.1234, 0.0, 0.0), "(0.123 0 0)"),
    ],
)
def test_q_points_are_fractions(q, text) -> None:
    assert q_text(q) == text


def test_every_setting_is_on_the_page() -> None:
    facts = dict(settings_block(make_phonons()).facts.pairs)
    assert facts["Supercell"] == "64 atoms, 2×2×2"
    assert facts["Displacements"] == "2 supercells, one atom at a time, up to 0.01 Å"
    assert facts["Unstable"] == "a frequency below −0.1 THz"
    assert facts["Versions"] == "phonopy 4.10.0, spglib 2.8.0"
    half = ((0.0, 0.5, 0.5), (0.5, 0.0, 0.5), (0.5, 0.5, 0.0))
    other = changed(settings=settings(primitive_matrix=half, has_charges=False))
    facts = dict(settings_block(other).facts.pairs)
    assert facts["Primitive matrix"] == "0 1/2 1/2; 1/2 0 1/2; 1/2 1/2 0"
    assert facts["Non-analytical term"] == "Not included: no Born charges"


@pytest.mark.parametrize(
    ("place", "value"), [(0.0, 1.0), (150.0, 4.0), (200.0, 5.0), (201.0, None)]
)
def test_curves_are_read_between_their_points(place, value) -> None:
    assert value_at((0.0, 100.0, 200.0), (1.0, 3.0, 5.0), place) == value


@pytest.mark.parametrize("make", MAKERS)
def test_the_page_is_written_whole(make, tmp_path) -> None:
    path = write_page(tmp_path, make())
    assert path == tmp_path / PAGE
    assert path.read_text(encoding="utf-8").rstrip().endswith("</html>")


@pytest.mark.parametrize("make", MAKERS)
def test_nothing_is_loaded_and_text_stays_text(make) -> None:
    page = read(page_text(make()))
    assert len(page.scripts) == 3
    for tag, attributes in page.tags:
        assert "src" not in attributes, tag
        assert (attributes.get("href") or "#").startswith(("#", "data:"))
    assert not [tag for tag, _ in page.tags if tag == "b"]


def test_hostile_names_reach_the_page_as_text() -> None:
    page = read(page_text(make_unstable()))
    assert any(HOSTILE in text for text in page.texts)
    assert any("KTaO3<b>" in text for text in page.texts)


@pytest.mark.parametrize("make", MAKERS)
def test_tables_have_heads_and_figures_words(make) -> None:
    page = read(page_text(make()))
    tables = [tag for tag, _ in page.tags if tag == "table"]
    captions = [tag for tag, _ in page.tags if tag == "caption"]
    assert len(tables) == len(captions) > 0
    scopes = {a.get("scope") for tag, a in page.tags if tag == "th"}
    assert scopes == {"col", "row"}
    drawn = [a for _, a in page.tags if "data-plot" in a]
    assert all(attributes["aria-label"] for attributes in drawn)
    assert set(json.loads(page.scripts[0])) == {a["data-plot"] for a in drawn}


def test_warnings_come_before_the_numbers() -> None:
    text = page_text(make_unstable())
    assert text.index("Read with care") < text.index("<table")
    assert "No Born charges were given for" in text
    assert "Read with care" not in page_text(make_phonons())


def test_baselines_are_set_apart_on_the_page() -> None:
    page = read(page_text(make_phonons()))
    assert sum(a.get("class") == "apart" for tag, a in page.tags if tag == "tr") == 4


def test_without_a_reference_the_page_says_so() -> None:
    assert "There is no reference, so the accuracy of these phonons is unknown." in str(
        phonon_sections([make_alone()])
    )
    assert (
        "There is no reference, so the accuracy of these phonons is unknown."
        in page_text(make_alone())
    )


def test_names_on_the_page_are_unique() -> None:
    text = run_page_text(with_phonons(make_result(), make_phonons(), make_unstable()))
    page = read(text)
    ids = [a["id"] for _, a in page.tags if "id" in a]
    assert len(set(ids)) == len(ids)
    places = [a["data-plot"] for _, a in page.tags if "data-plot" in a]
    assert len(set(places)) == len(places)
    assert {"phonons-1-bands", "phonons-2-bands"} <= set(places)


def test_a_run_has_a_section_for_each_crystal() -> None:
    assert phonon_sections(()) == []
    [one] = phonon_sections((make_phonons(),))
    assert one.title == "Phonons of MgO, Fm-3m (225)"
    overview, *both = phonon_sections((make_phonons(), make_unstable()))
    assert len(both) == 2
    assert "0.0930" in str(overview.blocks)
    assert "0.0450" in str(overview.blocks)


def test_a_run_without_phonons_has_none_on_its_page() -> None:
    assert "Phonons" not in read(run_page_text(make_result())).texts


def test_the_page_needs_neither_torch_nor_phonopy() -> None:
    code = (
        "import sys, atomgraft.phonons.page\n"
        "heavy = {'torch', 'ase', 'phonopy', 'plotly', 'numpy'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]"


def test_a_combination_with_labels_is_what_the_page_is_about() -> None:
    result = make_labelled()
    assert headline(result) == (
        "Base + 2 labels: 0.012 THz from DFT on average where the base is 0.093; "
        "stable, as in DFT."
    )
    told = " ".join(sentences(result))
    assert "fitted without a model, have an error of 0.060 THz; the combination" in told
    assert "expected error of the frequencies 0.014 THz on average" in told
    assert "of the free energy at 300 K 0.050 meV/atom" in told
    table = labels_table(result)
    assert table is not None
    assert [row[0] for row in table.rows] == ["2 labels, no model", "Base + 2 labels"]
    assert table.rows[0][1:4] == ("2", "40", "3")
    assert table.rows[1][4:] == (
        "blocks", "1.07", "2.10", "0.0140", "0.0500", "2 %",
    )  # fmt: skip
    assert labels_table(make_phonons()) is None


@pytest.mark.parametrize(
    ("base", "alone", "joined", "mark"),
    [
        (0.093, 0.06, 0.012, BETTER),
        (0.093, 0.012, 0.012, PARTLY),
        (0.093, 0.005, 0.012, PARTLY),
        (0.012, 0.06, 0.012, NO_BETTER),
    ],
)
def test_a_combination_must_beat_the_labels_alone(base, alone, joined, mark) -> None:
    rows = (
        errors("base", base),
        errors("labels", alone),
        errors("base+labels", joined),
    )
    assert mark_of(make_labelled(errors=rows)) == mark


def test_labels_without_a_model_to_beat_them_say_so() -> None:
    rows = (errors("base", 0.09), errors("labels", 0.01), errors("base+labels", 0.01))
    assert "combination is not better by 10 %" in " ".join(
        sentences(make_labelled(errors=rows))
    )


def test_without_a_reference_the_combination_is_said_to_be_stable() -> None:
    unstable = spectrum("base", shift=40.0)
    joined = spectrum("base+labels", title="Base + 2 labels", labels=joined_labels())
    result = make_labelled(spectra=(unstable, joined), errors=())
    assert headline(result).startswith("Stable under Base + 2 labels")
    assert "0.014 THz" in " ".join(sentences(result))
