"""Asking another Python: answers, failures, and ends with who asked."""

import json
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from atomgraft.compare import cell as compared_cell
from atomgraft.core import errors
from atomgraft.core.errors import AtomgraftError, BadInputError
from atomgraft.study.processes import answer_request, call_elsewhere

HERE = Path(sys.executable)

ECHO = "study.processes:repeated"


def test_an_answer_comes_back():
    request = {"text": "Å and\nlines", "numbers": [1, 0.1, None]}
    assert call_elsewhere(HERE, ECHO, request) == request


def test_a_failure_comes_back_as_what_it_was():
    with pytest.raises(BadInputError, match="no valid description of a run") as caught:
        call_elsewhere(
            HERE,
            "compare.cell:do_requested_cell",
            {
                "folder": "/nowhere",
                "payload": {"run": {}, "test": [], "framework": "pair", "trust": {}},
            },
        )
    assert caught.value.remedy.startswith("See 'atomgraft schema run'")


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, one in vars(errors).items()
        if isinstance(one, type) and issubclass(one, AtomgraftError)
    ],
)
def test_every_kind_of_failure_has_a_name(name, monkeypatch):
    def fail(_request):
        raise getattr(errors, name)("Came.", "Needed.", "Remedy.")

    monkeypatch.setattr("atomgraft.study.processes.repeated", fail)
    assert answer_request(ECHO, {}) == {
        "error": [name, ["Came.", "Needed.", "Remedy."]]
    }


def test_a_python_without_atomgraft_is_told(tmp_path):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 'No module named atomgraft' >&2\nexit 1\n")
    python.chmod(0o755)
    with pytest.raises(AtomgraftError, match="No module named atomgraft"):
        call_elsewhere(python, ECHO, {})


def test_it_ends_with_who_asked(tmp_path):
    """Killed without a word, the one who asked leaves nobody behind."""
    script = tmp_path / "ask.py"
    script.write_text(
        textwrap.dedent(
            """
            import json, subprocess, sys
            command = [sys.executable, "-m", "atomgraft.study.processes",
                       "time:sleep", "answer"]
            code = "import sys, threading, time;" \\
                "from atomgraft.study import processes;" \\
                "threading.Thread(target=processes._end_with_parent).start();" \\
                "print('ready', flush=True); time.sleep(60)"
            child = subprocess.Popen([sys.executable, "-c", code],
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            child.stdout.readline()
            print(child.pid, flush=True)
            child.wait()
            """
        )
    )
    asking = subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, text=True, env=os.environ
    )
    child = psutil.Process(int(asking.stdout.readline()))
    assert child.is_running()
    asking.kill()
    asking.communicate()
    deadline = time.monotonic() + 30
    while child.is_running() and child.status() != "zombie":
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_cell_runs_where_its_framework_is(tmp_path, monkeypatch):
    asked = {}

    def call(python, function, request, *, n_threads):
        asked.update(python=python, function=function, request=request)
        return {"answer": "from there"}

    monkeypatch.setattr(compared_cell, "call_elsewhere", call)
    monkeypatch.setattr(compared_cell, "python_for", lambda name: Path("/env", name))
    payload = {"framework": "mace", "run": {}, "test": (), "trust": {}}
    assert compared_cell.do_cell(tmp_path, payload) == {"answer": "from there"}
    assert asked["python"] == Path("/env/mace")
    assert json.loads(json.dumps(asked["request"]))["folder"] == str(tmp_path)


def test_a_cell_runs_here_where_it_can(tmp_path, monkeypatch):
    monkeypatch.setattr(
        compared_cell, "adapted_and_proved", lambda folder, payload: {"here": True}
    )
    assert compared_cell.do_cell(tmp_path, {"framework": "pair"}) == {"here": True}
