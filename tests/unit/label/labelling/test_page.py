"""Do page, terminal and sentences say what became of every job?"""

import io

from rich.console import Console

from atomgraft.label.labelling.page import (
    headline,
    jobs_table,
    missing_table,
    page_text,
    sentences,
    short_table,
)
from atomgraft.label.labelling.record import LABELS
from atomgraft.label.labelling.screen import print_record
from tests.comparisons import HOSTILE
from tests.labellings import FAILED, MOLTEN, labelling_of, run_of

HALF = "half of them at most 70.0 s"


def test_sentences_count_everything():
    result = labelling_of()
    assert headline(result) == "1 of 3 runs recorded by pmmcs."
    said = " ".join(sentences(result))
    for part in ("1 run with a molten", "1 job failed", "1 structure left out", HALF):
        assert part in said


def test_every_job_and_every_reason_is_in_a_table():
    result = labelling_of()
    assert [row[0] for row in jobs_table(result).rows] == ["Li2O", "Li3PO4", "LiAlO2"]
    [first, *_] = short_table(result, most=1).rows
    assert first[0] == "LiAlO2"  # what failed comes first
    reasons = [row[3] for row in missing_table(result).rows]
    assert len(reasons) == 3
    assert FAILED.reason in reasons
    assert MOLTEN.reason in reasons


def test_labels_have_energies():
    job = run_of("Li2O", energy=-49.8, temperature=None, seed=None)
    result = labelling_of(task="labels", jobs=(job,))
    table = jobs_table(result)
    assert "Energy, eV" in table.columns
    assert "T, K" not in table.columns


def test_the_page_is_whole_and_safe():
    text = page_text(labelling_of())
    assert HOSTILE not in text
    assert "<b>motion</b>" not in text
    assert "Finished in part" in text
    open_job = FAILED.model_copy(update={"status": "open"})
    assert "Not finished" in page_text(labelling_of(jobs=(open_job,), finished=False))
    assert "No result" in page_text(labelling_of(jobs=(FAILED,)))


def test_without_jobs_there_is_still_a_page():
    assert page_text(labelling_of(jobs=())).rstrip().endswith("</html>")


def test_the_terminal_shows_the_table():
    screen = Console(file=io.StringIO(), width=140)
    print_record(screen, labelling_of())
    assert "Framework MSD" in screen.file.getvalue()


def test_the_record_comes_back(tmp_path):
    result = labelling_of()
    LABELS.write(tmp_path, result)
    assert LABELS.read(tmp_path) == result
