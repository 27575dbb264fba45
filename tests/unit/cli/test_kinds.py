"""Every kind of result has a spec, a record, a page and a screen of the same names."""

import inspect
import io

import pytest
from pydantic import BaseModel
from rich.console import Console

from atomgraft.cli.kinds import KINDS, kind_at
from atomgraft.core.errors import BadInputError
from tests.budgets import advised
from tests.comparisons import comparison_of, table_of
from tests.diffusivities import lithium
from tests.example_phonons import make_phonons
from tests.example_result import make_result
from tests.fidelities import whole_study
from tests.labellings import labelling_of
from tests.phonon_campaigns import make_campaign
from tests.predictors import barriers, screened
from tests.selections import selection_of
from tests.trees import perovskite

RESULTS = {
    "run": make_result,
    "compare": lambda: comparison_of(table_of()),
    "fidelity": whole_study,
    "budget": advised,
    "campaign": make_campaign,
    "select": selection_of,
    "label": labelling_of,
    "phonons": make_phonons,
    "stabilise": perovskite,
    "diffusivity": lithium,
    "distil": barriers,
    "screen": screened,
}


@pytest.mark.parametrize("name", KINDS)
def test_what_is_written_is_found_read_and_shown(name, tmp_path):
    kind, result = KINDS[name], RESULTS[name]()
    file = kind.record.write(tmp_path, result)
    assert kind_at(tmp_path) is kind_at(file) is kind
    assert kind.record.read(tmp_path) == result
    page, text = kind.page(result)
    assert page.endswith(".html")
    assert text.rstrip().endswith("</html>")
    screen = Console(file=io.StringIO(), width=120)
    kind.show(screen, result)
    assert screen.file.getvalue().strip()


@pytest.mark.parametrize("name", KINDS)
def test_its_spec_is_a_frozen_model(name):
    spec = KINDS[name].spec
    assert issubclass(spec, BaseModel)
    assert spec.model_config["frozen"]
    assert spec.model_config["extra"] == "forbid"
    assert not inspect.isabstract(spec)


def test_a_folder_without_a_result_is_refused(tmp_path):
    with pytest.raises(BadInputError, match="holds no result"):
        kind_at(tmp_path)
