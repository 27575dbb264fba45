"""Stands for uv, venv, pip and a first import: what they do, seen from outside."""

from pathlib import Path
from types import SimpleNamespace

from atomgraft.core.environments import add_environment


class Installer:
    """Takes the place of subprocess.run.

    Parameters
    ----------
    fails_at
        Number of the command that fails.
    raises
        What it raises in place of failing.
    """

    def __init__(self, fails_at=None, raises=None):
        self.fails_at, self.raises = fails_at, raises
        self.commands = []

    def __call__(self, command, **_):
        if not self.commands:
            python = Path(command[-1]) / "bin" / "python"
            python.parent.mkdir(parents=True)
            python.touch()
        self.commands.append(command)
        has_failed = len(self.commands) - 1 == self.fails_at
        if has_failed and self.raises:
            raise self.raises
        return SimpleNamespace(returncode=int(has_failed))


def add(monkeypatch, framework="mace", *, fresh=False, **trouble):
    """Add an environment with such an installer; return its folder and commands."""
    installer = Installer(**trouble)
    with monkeypatch.context() as patch:
        patch.setattr("subprocess.run", installer)
        return add_environment(framework, fresh=fresh), installer.commands
