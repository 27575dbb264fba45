"""Can the bundle of plotly that pages carry draw all of them, and is it small?"""

import json
import re

import pytest

from atomgraft.compare.page import compare_page_text
from atomgraft.label.page import selection_page_text
from atomgraft.page.document import TRACES
from atomgraft.phonons.campaign.page import campaign_page_text
from atomgraft.phonons.page import phonon_page_text
from atomgraft.run.page.document import page_text
from atomgraft.stabilise.page import stabilise_page_text
from tests.comparisons import comparison_of, failed, table_of
from tests.example_phonons import make_phonons, make_unstable
from tests.example_result import make_result, with_phonons
from tests.phonon_campaigns import make_campaign
from tests.selections import selection_of
from tests.trees import perovskite

FIGURES = re.compile(r'<script type="application/json" id="figures">(.*?)</script>')

MAKERS = {
    "run": lambda: page_text(with_phonons(make_result(), make_phonons())),
    "comparison": lambda: compare_page_text(
        comparison_of([*table_of(), failed("lora", 40, 3)])
    ),
    "phonons": lambda: phonon_page_text(make_phonons()),
    "unstable": lambda: phonon_page_text(make_unstable()),
    "selection": lambda: selection_page_text(selection_of()),
    "campaign": lambda: campaign_page_text(make_campaign(details=(make_phonons(),))),
    "stabilise": lambda: stabilise_page_text(perovskite()),
}


@pytest.mark.parametrize("kind", MAKERS)
def test_a_page_draws_what_the_bundle_knows_in_two_megabytes(kind: str) -> None:
    page = MAKERS[kind]()
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
