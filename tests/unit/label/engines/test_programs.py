"""Does a program run in its folder, and is it killed in time?"""

import os
import sys
import time

import psutil
import pytest

from atomgraft.label.engines.base import EngineFailureError
from atomgraft.label.engines.programs import run_program


def python(folder, text, **more):
    command = (sys.executable, "-c", text)
    return run_program(command, folder, "this test", variables=os.environ, **more)


def test_code_and_words_come_back(tmp_path):
    text = "import os, sys; print(os.getcwd()); sys.exit('b c')"
    ended = python(tmp_path, text)
    assert ended.code == 1
    assert str(tmp_path) in ended.printed
    assert ended.last_words.endswith("b c")


def test_silence_has_words_too(tmp_path):
    assert python(tmp_path, "").last_words == "it printed nothing"


def test_wall_time_kills_it(tmp_path):
    (tmp_path / "job").mkdir()
    text = (
        "import os, pathlib, time; "
        f"pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(os.getpid())); "
        "time.sleep(60)"
    )
    started = time.monotonic()
    with pytest.raises(EngineFailureError, match="took longer than 4 s"):
        python(tmp_path / "job", text, wall_time=4.0)
    assert time.monotonic() - started < 50
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))


def test_what_the_program_has_started_is_killed_with_it(tmp_path):
    (tmp_path / "job").mkdir()
    text = (
        "import pathlib, subprocess; "
        "other = subprocess.Popen(['sleep', '60']); "
        f"pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(other.pid)); "
        "other.wait()"
    )
    with pytest.raises(EngineFailureError, match="took longer than 4 s"):
        python(tmp_path / "job", text, wall_time=4.0)
    other = int((tmp_path / "pid").read_text())
    deadline = time.monotonic() + 30
    while psutil.pid_exists(other):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_it_is_watched(tmp_path, monkeypatch):
    monkeypatch.setattr("atomgraft.label.engines.programs.LOUD", 0.0)
    seen = []
    python(tmp_path, "import time; time.sleep(1)", watch=lambda: seen.append(1))
    assert seen
