"""What the page says of heads, rehearsal and a solved readout."""

from atomgraft.page.blocks import Facts, Note, Table
from atomgraft.run.page.document import page_text
from atomgraft.run.page.record import stream_blocks
from atomgraft.run.record import (
    HeadRecord,
    RehearsalRecord,
    RidgeRecord,
    StreamRecord,
)
from tests.example_result import HOSTILE, make_result


def stream(name, seconds, share):
    return StreamRecord(
        name=name, n_structures=64, n_seen=1200, seconds=seconds, share=share
    )


def mixed():
    """Return a run with another head and rehearsal."""
    plain = make_result()
    streams = (
        stream("target", 30.0, 0.5),
        stream("pbe", 18.0, 0.3),
        stream("rehearsal", 12.0, 0.2),
    )
    return plain.model_copy(
        update={
            "heads": (
                HeadRecord(
                    name="pbe", ratio=1.0, weight=1.0, reference=plain.reference
                ),
            ),
            "rehearsal": RehearsalRecord(
                kind="pseudo",
                n_structures=64,
                n_by_kind={"crystal": 32, "strained": 32},
                note=f"64 structures, labelled by {HOSTILE} at the start",
            ),
            "training": plain.training.model_copy(update={"streams": streams}),
        }
    )


def solved():
    record = RidgeRecord(
        strength=1e-4,
        degrees_of_freedom=53.8,
        n_directions=128,
        n_rows=250,
        residual_before=0.05,
        residual_after=0.01,
        seconds=12.0,
    )
    return make_result().model_copy(update={"ridge": record})


def test_a_plain_run_says_nothing():
    assert stream_blocks(make_result()) == []


def test_each_stream_has_a_row_with_its_share():
    [table] = [one for one in stream_blocks(mixed()) if isinstance(one, Table)]
    names = [row[0] for row in table.rows]
    assert names == ["your structures", "head pbe", "rehearsed"]
    assert [row[-1] for row in table.rows] == ["50 %", "30 %", "20 %"]
    assert [row[2] for row in table.rows] == ["1,200"] * 3


def test_what_was_rehearsed_is_counted_by_kind():
    notes = [one.text for one in stream_blocks(mixed()) if isinstance(one, Note)]
    assert any("32 crystal, 32 strained" in text for text in notes)
    assert any(text.startswith("Head pbe, reference energies") for text in notes)


def test_a_solved_readout_says_what_the_data_determine():
    [facts] = stream_blocks(solved())
    assert isinstance(facts, Facts)
    pairs = dict(facts.pairs)
    assert pairs["Directions"].startswith("128, of which the data determine 53.8")
    assert pairs["Labels used"] == "250"


def test_the_page_holds_it_as_text():
    page = page_text(mixed())
    assert "<script>document.title='owned'" not in page
    assert "head pbe" in page
    assert "your structures" in page
