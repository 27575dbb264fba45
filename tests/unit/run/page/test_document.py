"""Is the page whole, self-contained and safe, whatever the result lacks?"""

import json
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from atomgraft.core.errors import BadInputError
from atomgraft.page.document import embedded_json, script_hash
from atomgraft.records.scores import Score, Verdict
from atomgraft.run.page.document import PAGE, mark_of, page_text, write_page
from atomgraft.run.page.record import record_sections
from atomgraft.run.page.scores import other_sections, score_sections
from atomgraft.run.record import RunResult
from tests.example_result import HOSTILE


class Reader(HTMLParser):
    """Collects what a browser would see."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.texts: list[str] = []
        self._open: str | None = None

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag) -> None:
        self._open = None

    def handle_data(self, data) -> None:
        if self._open == "script":
            self.scripts[-1] += data
        else:
            self.texts.append(data)


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    return reader


@pytest.fixture(scope="module")
def page(full_result: RunResult) -> Reader:
    return read(page_text(full_result))


def test_the_page_is_written_whole(tmp_path: Path, unproved_result) -> None:
    path = write_page(tmp_path, unproved_result)
    assert path == tmp_path / PAGE
    assert path.read_text(encoding="utf-8").rstrip().endswith("</html>")
    assert [entry.name for entry in tmp_path.iterdir()] == [PAGE]


def test_a_missing_folder_is_an_explained_error(tmp_path: Path, full_result) -> None:
    with pytest.raises(BadInputError, match=r"does not exist\."):
        write_page(tmp_path / "absent", full_result)


def test_text_of_the_user_stays_text(page: Reader) -> None:
    assert any(HOSTILE in text for text in page.texts)
    assert len(page.scripts) == 3
    assert any("<b>fast</b>" in text for text in page.texts)


def test_nothing_is_loaded_from_elsewhere(page: Reader) -> None:
    for tag, attributes in page.tags:
        assert "src" not in attributes, tag
        link = attributes.get("href") or "#"
        assert link.startswith(("#", "data:"))


def test_only_our_scripts_are_admitted(page: Reader) -> None:
    (policy,) = [
        attributes["content"]
        for tag, attributes in page.tags
        if tag == "meta" and "http-equiv" in attributes
    ]
    assert policy is not None
    assert "default-src 'none'" in policy
    for script in page.scripts[1:]:
        assert f"'{script_hash(script)}'" in policy
    assert "unsafe-inline" not in policy.partition("style-src")[0]


def test_figures_are_valid_json_with_a_place_each(page: Reader) -> None:
    figures = json.loads(page.scripts[0])
    places = {a["data-plot"] for _, a in page.tags if "data-plot" in a}
    assert set(figures) == places
    assert {"ratios", "coverage", "curve", "parity-forces"} <= places


def test_every_figure_has_words(page: Reader) -> None:
    figures = [a for tag, a in page.tags if tag == "figure"]
    captions = [a for tag, a in page.tags if tag == "figcaption"]
    assert len(figures) == len(captions) > 0
    for _, attributes in page.tags:
        if attributes.get("role") == "img":
            assert attributes["aria-label"]


@pytest.mark.parametrize(
    ("fixture", "word"),
    [
        ("full_result", "Took"),
        ("failed_result", "Did not take"),
        ("unproved_result", "Not judged"),
    ],
)
def test_the_mark_is_a_word(fixture: str, word: str, request) -> None:
    reader = read(page_text(request.getfixturevalue(fixture)))
    assert word in [text.strip() for text in reader.texts]


def test_an_unproved_run_says_what_to_do(unproved_result: RunResult) -> None:
    text = page_text(unproved_result)
    assert "atomgraft prove" in text
    assert "This run has not finished." in text
    assert "The reference energies of the base were kept." in text


def test_a_run_with_nothing_in_it_has_a_page(unproved_result: RunResult) -> None:
    training = unproved_result.training.model_copy(update={"curve": ()})
    bare = unproved_result.model_copy(
        update={
            "data": (),
            "coverage": (),
            "provenance": (),
            "spec": {},
            "training": training,
            "base_bytes": 0,
        }
    )
    assert "There was no training step." in page_text(bare)


def test_no_score_is_left_out(full_result: RunResult) -> None:
    extra = Score(
        model="adapted",
        suite="phonons <b>",
        quantity="frequency",
        metric="mae",
        value=0.1234,
        unit="THz",
        n=1,
    )
    result = full_result.model_copy(update={"scores": (*full_result.scores, extra)})
    (consistency, phonons) = other_sections(result)
    assert consistency.title == "Physical consistency"
    assert phonons.name == "suite-phonons--b-"
    assert "0.123" in page_text(result)


def test_sections_have_names_of_their_own(full_result: RunResult) -> None:
    sections = [*score_sections(full_result), *record_sections(full_result)]
    assert len({section.name for section in sections}) == len(sections)


def test_the_same_result_gives_the_same_page(full_result: RunResult) -> None:
    assert page_text(full_result) == page_text(full_result)


def test_embedded_json_cannot_end_its_script() -> None:
    text = embedded_json({"a": "</script><!--\u2028", "b": [float("inf")]})
    assert "<" not in text
    assert "\u2028" not in text
    assert json.loads(text) == {"a": "</script><!--\u2028", "b": [None]}


def test_the_report_needs_neither_torch_nor_ase() -> None:
    code = (
        "import sys, atomgraft.run.page.document\n"
        "print(sorted({'torch', 'ase', 'plotly'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("told", "word"),
    [
        ({"took": True}, "Took"),
        ({"took": True, "forgetting": "moderate"}, "Took"),
        ({"took": True, "forgetting": "severe"}, "Took, severe forgetting"),
        ({"took": False, "is_partial": True}, "Took in part"),
        ({"took": False, "is_unclear": True}, "Unclear"),
        ({"took": False, "forgetting": "severe"}, "Did not take"),
        ({"took": None}, "Not judged"),
    ],
)
def test_the_mark_says_what_the_verdict_says(told, word) -> None:
    assert mark_of(Verdict(headline="", sentences=(), **told)).word == word
