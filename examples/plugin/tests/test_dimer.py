"""The plug-in's verb, called as the command line does."""

import typer
from atomgraft_morse.potential import METALS
from atomgraft_morse.verb import dimer
from typer.testing import CliRunner

APP = typer.Typer()
APP.command()(dimer)


def test_the_lowest_energy_is_that_of_the_well():
    well = METALS["Cu"]
    place = ["--start", str(well.distance), "--stop", str(well.distance + 1)]
    answer = CliRunner().invoke(
        APP, ["Cu", "--model", "morse:Cu", *place, "--points", "3"]
    )
    assert answer.exit_code == 0, answer.output
    energies = [float(line.split()[1]) for line in answer.output.splitlines()[1:]]
    assert len(energies) == 3
    assert min(energies) == energies[0]
    assert abs(energies[0] + well.depth) < 1e-4
