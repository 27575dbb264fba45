"""Can the bundle of plotly that pages carry draw all of them, and is it small?"""

import json
import re

import pytest

from atomgraft.cli.kinds import KINDS
from atomgraft.page.document import TRACES
from tests.budgets import advised
from tests.comparisons import comparison_of, failed, table_of
from tests.diffusivities import lithium
from tests.example_phonons import make_phonons, make_unstable
from tests.example_result import make_result, with_phonons
from tests.fidelities import whole_study
from tests.phonon_campaigns import make_campaign
from tests.predictors import barriers, screened
from tests.selections import selection_of
from tests.trees import perovskite

FIGURES = re.compile(r'<script type="application/json" id="figures">(.*?)</script>')

RESULTS = {
    "run": lambda: with_phonons(make_result(), make_phonons()),
    "compare": lambda: comparison_of([*table_of(), failed("lora", 40, 3)]),
    "fidelity": whole_study,
    "budget": advised,
    "phonons": make_phonons,
    "phonons, unstable": make_unstable,
    "select": selection_of,
    "campaign": lambda: make_campaign(details=(make_phonons(),)),
    "stabilise": perovskite,
    "diffusivity": lithium,
    "distil": barriers,
    "screen": screened,
}


@pytest.mark.parametrize("name", RESULTS)
def test_a_page_draws_what_the_bundle_knows_in_two_megabytes(name: str) -> None:
    _, page = KINDS[name.partition(",")[0]].page(RESULTS[name]())
    found = FIGURES.search(page)
    assert found is not None
    drawn = {
        trace.get("type", "scatter")
        for plot in json.loads(found[1]).values()
        for trace in plot["data"]
    }
    assert drawn
    assert drawn <= TRACES
    assert len(page.encode()) < 2_000_000
