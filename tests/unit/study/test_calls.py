"""With which code, and which words, does a command with cells leave?"""

import dataclasses
import signal

import pytest
import typer

from atomgraft.core.signals import forget_signals, stopped_by_signal
from atomgraft.core.trust import NO_TRUST
from atomgraft.study.calls import OPEN, Call, Verb
from atomgraft.study.clusters import ClusterPlan


@dataclasses.dataclass(frozen=True)
class Ended:
    finished: bool
    has_numbers: bool = True

    def model_dump_json(self, *, indent=None):
        return "{}"


def left_with(result, folder, capsys, *, told=None):
    """Return the exit code of a call that ends so, and what was printed."""

    def run(plan, place, **_):
        with stopped_by_signal():
            if told is not None:
                signal.raise_signal(told)
        return result

    verb = Verb(
        name="compare",
        inputs=lambda: (),
        plan=lambda: None,
        notices=lambda _: (),
        outline=lambda _: ("", {}),
        run=run,
        show=lambda _screen, place, _result: place / "report.html",
        has_numbers=lambda one: one.has_numbers,
        go_on="Go on with: atomgraft compare runs/a",
    )
    call = Call(
        folder=folder,
        cluster=ClusterPlan(),
        trust=NO_TRUST,
        as_json=False,
        fresh=False,
        retry_failed=False,
        dry_run=False,
    )
    forget_signals()
    code = 0
    try:
        call.run(verb)
    except typer.Exit as error:
        code = error.exit_code
    finally:
        forget_signals()
    return code, " ".join(capsys.readouterr().err.split())


def test_all_is_done(tmp_path, capsys):
    code, said = left_with(Ended(finished=True), tmp_path, capsys)
    assert code == 0
    assert "Go on" not in said


def test_open_cells_without_a_signal_have_a_code_of_their_own(tmp_path, capsys):
    code, said = left_with(Ended(finished=False), tmp_path, capsys)
    assert code == OPEN
    assert "Some cells have no result yet" in said
    assert said.endswith("Go on with: atomgraft compare runs/a")


@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_named_by_its_code(kind, tmp_path, capsys):
    code, said = left_with(Ended(finished=False), tmp_path, capsys, told=kind)
    assert code == 128 + kind
    assert "Stopped by a signal. Go on with" in said


def test_without_a_single_number_it_has_failed(tmp_path, capsys):
    ended = Ended(finished=True, has_numbers=False)
    assert left_with(ended, tmp_path, capsys)[0] == 1
