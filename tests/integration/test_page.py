"""Does a real browser draw the page: offline, on a phone, in light and dark?"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from atomgraft.compare import page as compare_page
from atomgraft.fidelity import page as fidelity_page
from atomgraft.fidelity.budget import page as budget_page
from atomgraft.label import page as selection_page
from atomgraft.phonons import page as phonon_page
from atomgraft.phonons.campaign import page as campaign_page
from atomgraft.run.page.beside import pair_text
from atomgraft.run.page.document import write_page
from atomgraft.stabilise import page as stabilise_page
from atomgraft.transport.diffusivity import page as diffusivity_page
from atomgraft.transport.distil import page as distil_page
from atomgraft.transport.screening import page as screening_page
from tests.budgets import advised
from tests.comparisons import comparison_of, failed, table_of
from tests.diffusivities import lithium
from tests.example_phonons import (
    LEGS,
    make_labelled,
    make_phonons,
    make_unstable,
)
from tests.example_result import make_failed, make_result, make_unproved, with_phonons
from tests.fidelities import whole_study
from tests.phonon_campaigns import make_campaign
from tests.predictors import barriers, screened
from tests.selections import selection_of
from tests.trees import perovskite

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        CHROMIUM is None or DRIVER is None,
        reason="the page is tested in Chromium: install chromium and chromium-driver",
    ),
]

FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
)

PHONE, DESKTOP = 390, 1440
DRAWING_TIME = 60
"""Seconds; it takes two on an idle machine, more on a busy one."""


def make_with_phonons():
    return with_phonons(make_result(), make_phonons(), make_unstable())


MAKERS = {
    "full": make_result,
    "unproved": make_unproved,
    "failed": make_failed,
    "with phonons": make_with_phonons,
}

PHONON_MAKERS = {
    "phonons": make_phonons,
    "unstable": make_unstable,
    "labelled": make_labelled,
}

OTHERS = (
    "beside",
    "comparison",
    "fidelity",
    "budget",
    "selection",
    "campaign",
    "stabilise",
    "diffusivity",
    "distil",
    "screen",
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in FLAGS.split():
        options.add_argument(flag)
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('profile')}")
    logs = {"browser": "ALL", "performance": "ALL"}
    options.set_capability("goog:loggingPrefs", logs)
    service = webdriver.ChromeService(str(DRIVER))
    driver = webdriver.Chrome(options=options, service=service)
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> dict[str, Path]:
    written = {
        name: write_page(tmp_path_factory.mktemp(name), make())
        for name, make in MAKERS.items()
    }
    comparison = comparison_of([*table_of(), failed("lora", 40, 3)])
    place = tmp_path_factory.mktemp("comparison")
    written["comparison"] = compare_page.write_page(place, comparison)
    place = tmp_path_factory.mktemp("fidelity")
    written["fidelity"] = fidelity_page.write_page(place, whole_study())
    place = tmp_path_factory.mktemp("budget")
    written["budget"] = budget_page.write_page(place, advised())
    for name, make in PHONON_MAKERS.items():
        place = tmp_path_factory.mktemp(name)
        written[name] = phonon_page.write_page(place, make())
    written["beside"] = tmp_path_factory.mktemp("beside") / "beside.html"
    written["beside"].write_text(pair_text((make_result(), make_failed())), "utf-8")
    place = tmp_path_factory.mktemp("selection")
    written["selection"] = selection_page.write_page(place, selection_of())
    place = tmp_path_factory.mktemp("campaign")
    campaign = make_campaign(details=(make_phonons(),), dft_hours=10.0)
    written["campaign"] = campaign_page.write_page(place, campaign)
    place = tmp_path_factory.mktemp("stabilise")
    written["stabilise"] = stabilise_page.write_page(place, perovskite())
    place = tmp_path_factory.mktemp("diffusivity")
    written["diffusivity"] = diffusivity_page.write_page(place, lithium())
    place = tmp_path_factory.mktemp("distil")
    written["distil"] = distil_page.write_page(place, barriers())
    place = tmp_path_factory.mktemp("screen")
    written["screen"] = screening_page.write_page(place, screened())
    return written


@pytest.fixture
def show(browser, pages):
    def showing(name: str = "full", width: int = DESKTOP, scheme: str = "light"):
        size = {"width": width, "height": 900, "deviceScaleFactor": 1}
        browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride", {**size, "mobile": width == PHONE}
        )
        prefer(browser, scheme)
        for log in ("browser", "performance"):
            browser.get_log(log)
        browser.get(pages[name].as_uri())
        wait_for(browser, "document.documentElement.dataset.drawn === 'true'")
        return browser

    return showing


def prefer(browser, scheme: str) -> None:
    feature = {"name": "prefers-color-scheme", "value": scheme}
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"media": "", "features": [feature]}
    )


def wait_for(browser, condition: str) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(browser, DRAWING_TIME).until(
        lambda driver: driver.execute_script(f"return {condition}")
    )


def requests(browser) -> Iterator[str]:
    for entry in browser.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            yield message["params"]["request"]["url"]


def count(browser, selector: str) -> int:
    return browser.execute_script(
        "return document.querySelectorAll(arguments[0]).length", selector
    )


def fill_of(browser, selector: str) -> str:
    return browser.execute_script(
        "return getComputedStyle(document.querySelector(arguments[0])).fill", selector
    )


@pytest.mark.parametrize("name", [*MAKERS, *PHONON_MAKERS, *OTHERS])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_no_error_no_request_no_overflow(show, name, width, scheme) -> None:
    browser = show(name, width, scheme)
    assert browser.get_log("browser") == []
    urls = list(requests(browser))
    assert len(urls) >= 1
    assert all(url.startswith(("file://", "data:")) for url in urls)
    needed = browser.execute_script("return document.documentElement.scrollWidth")
    assert needed <= width


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_every_plot_holds_its_data(show, width) -> None:
    browser = show("full", width)
    n_plots = count(browser, ".plot")
    assert n_plots == 6
    assert count(browser, ".plot .main-svg .plotbg, .plot svg .bglayer") >= n_plots
    assert count(browser, "[data-plot='ratios'] .errorbar") == 9
    assert count(browser, "[data-plot='coverage'] .bars .point") == 12
    assert count(browser, "[data-plot='curve'] .lines .js-line") == 5
    assert count(browser, "[data-plot='parity-energy'] .points .point") == 240
    assert count(browser, "[data-plot='parity-forces'] .points .point") == 2000
    assert count(browser, ".map:not([hidden]) .element:not(.empty)") == 63


def test_plots_stay_inside_their_box(show) -> None:
    browser = show("full", PHONE)
    widths = browser.execute_script(
        "return [...document.querySelectorAll('.plot')].map(d => "
        "[d.clientWidth, d.querySelector('.main-svg').clientWidth])"
    )
    assert all(drawn <= room <= PHONE for room, drawn in widths)


def test_an_unproved_run_draws_what_there_is(show) -> None:
    browser = show("unproved")
    assert count(browser, ".plot") == 2
    assert count(browser, "[data-plot='curve'] .lines .js-line") == 2


def test_models_are_switched_on_and_off(show) -> None:
    browser = show("full")
    points = "[data-plot='parity-energy'] .points .point"
    button = "#figure-parity button[data-key='scratch']"
    shown = count(browser, points)
    old = diagonal(browser)
    browser.execute_script(f'document.querySelector("{button}").click()')
    wait_for(browser, f'document.querySelectorAll("{points}").length === {shown + 120}')
    assert diagonal(browser)[1] >= old[1]
    pressed = f'document.querySelector("{button}").getAttribute("aria-pressed")'
    assert browser.execute_script(f"return {pressed}") == "true"
    browser.execute_script(f'document.querySelector("{button}").click()')
    wait_for(browser, f'document.querySelectorAll("{points}").length === {shown}')
    assert diagonal(browser) == pytest.approx(old)


def diagonal(browser) -> list[float]:
    x, y = browser.execute_script(
        "const layout = document.querySelector(\"[data-plot='parity-energy']\")"
        "._fullLayout; return [layout.xaxis.range, layout.yaxis.range]"
    )
    assert x == pytest.approx(y)
    return x


def test_axes_of_parity_plots_are_equally_long(show) -> None:
    for width in (PHONE, DESKTOP):
        lengths = show("full", width).execute_script(
            "return [...document.querySelectorAll('.several .plot')].map(d => "
            "[d._fullLayout.xaxis._length, d._fullLayout.yaxis._length])"
        )
        for across, up in lengths:
            assert across == pytest.approx(up, abs=1)
            assert across > 150


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_models_have_one_colour_in_legend_and_plots(show, scheme) -> None:
    browser = show("full", DESKTOP, scheme)
    legend = browser.execute_script(
        "return [...document.querySelectorAll('#figure-parity [aria-pressed=true] "
        ".symbol')].map(symbol => getComputedStyle(symbol).fill)"
    )
    drawn = browser.execute_script(
        "return [...new Set([...document.querySelectorAll('.several .points .point')]"
        ".map(point => getComputedStyle(point).fill))]"
    )
    assert len(set(legend)) == 2
    assert sorted(drawn) == sorted(legend)


def test_the_heat_map_changes_its_quantity(show) -> None:
    browser = show("full", PHONE)
    second = "button[data-map='forces-drift']"
    browser.execute_script(f'document.querySelector("{second}").click()')
    shown = browser.execute_script(
        "return [...document.querySelectorAll('.map:not([hidden])')]"
        ".map(map => map.dataset.map)"
    )
    assert shown == ["forces-drift"]
    browser.execute_script(
        "document.querySelector('.map:not([hidden]) [title^=\"Si:\"]').click()"
    )
    picked = browser.execute_script(
        "return document.querySelector('.picked').textContent"
    )
    assert picked.startswith("Si: ")
    assert "meV/Å" in picked


def test_plots_follow_the_scheme_while_open(show) -> None:
    browser = show("full", DESKTOP, "light")
    ticks = "[data-plot='curve'] .xtick text"
    background = "return getComputedStyle(document.body).backgroundColor"
    bright, dark_ink = browser.execute_script(background), fill_of(browser, ticks)
    prefer(browser, "dark")
    changed = (
        f"getComputedStyle(document.querySelector(\"{ticks}\")).fill !== '{dark_ink}'"
    )
    wait_for(browser, changed)
    assert browser.execute_script(background) != bright
    prefer(browser, "light")
    wait_for(browser, changed.replace("!==", "==="))


def test_paper_is_white_and_the_screen_comes_back(show) -> None:
    browser = show("full", DESKTOP, "dark")
    ticks = "[data-plot='curve'] .xtick text"
    before = fill_of(browser, ticks)
    printed = browser.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})
    assert len(printed["data"]) > 10_000
    assert fill_of(browser, ticks) == before
    assert browser.get_log("browser") == []


def test_a_script_in_a_file_name_stays_text(show) -> None:
    browser = show("full")
    assert "owned" not in browser.title
    assert count(browser, "script") == 3


def test_what_is_not_ours_does_not_run(show) -> None:
    browser = show("full")
    browser.execute_script(
        "const script = document.createElement('script');"
        "script.textContent = 'document.title = \"owned\"';"
        "document.body.append(script);"
    )
    assert "owned" not in browser.title
    assert "Content Security Policy" in browser.get_log("browser")[0]["message"]


def test_a_comparison_draws_its_points_laws_and_front(show) -> None:
    browser = show("comparison")
    assert count(browser, ".plot") == 2
    assert count(browser, "[data-plot='learning'] .points .point") == 3 * 4
    assert count(browser, "[data-plot='learning'] .errorbar") == 3 * 4
    assert count(browser, "[data-plot='learning'] .lines .js-line") == 3 + 3 + 1
    assert count(browser, "[data-plot='front'] .points .point") == 4


def test_a_contestant_is_switched_off_with_its_law(show) -> None:
    browser = show("comparison", PHONE)
    lines = "[data-plot='learning'] .lines .js-line"
    button = "#figure-learning button[data-key='lora']"
    browser.execute_script(f'document.querySelector("{button}").click()')
    wait_for(browser, f'document.querySelectorAll("{lines}").length === 5')
    assert count(browser, "[data-plot='front'] .points .point") == 4


def test_a_study_of_levels_draws_points_and_lines(show) -> None:
    browser = show("fidelity", PHONE)
    assert count(browser, ".plot") == 4
    for name in ("full-all", "full-energy", "readout-all"):
        plot = f"[data-plot='line-{name}-10']"
        assert count(browser, f"{plot} .points .point") == 2 * 4
        assert count(browser, f"{plot} .lines .js-line") == 1
    assert count(browser, "[data-plot='sizes-10'] .lines .js-line") == 1 + 9


BANDS = "[data-plot='phonons-bands']"


@pytest.mark.parametrize("width", [400, 1280])
def test_a_page_of_phonons_draws_all_it_has(show, width) -> None:
    browser = show("phonons", width)
    assert count(browser, ".plot") == 1 + 3 + 3 + 1 + 1
    assert count(browser, ".plot .main-svg .plotbg, .plot svg .bglayer") >= 9
    assert count(browser, f"{BANDS} .lines .js-line") == 4 * (2 * len(LEGS) + 1)
    assert count(browser, "[data-plot='phonons-thermal-heat'] .lines .js-line") == 4
    assert count(browser, "[data-plot='phonons-conductivity'] .lines .js-line") == 4
    needed = browser.execute_script("return document.documentElement.scrollWidth")
    assert needed <= width


def test_bands_and_density_share_their_axis(show) -> None:
    browser = show("unstable", 400)
    names, low = browser.execute_script(
        f'const layout = document.querySelector("{BANDS}")._fullLayout;'
        "return [layout.xaxis.ticktext, layout.yaxis.range[0]]"
    )
    assert names == ["Γ", "X", "U|K", "Γ", "L<sub>2</sub>", "W"]
    assert low < -3
    assert count(browser, f"{BANDS} .xtick text") == 6
    assert count(browser, f"{BANDS} .ytick text") > 3


def test_a_contestant_of_phonons_is_switched_off_as_a_whole(show) -> None:
    browser = show("phonons")
    button = "#figure-phonons-bands button[data-key='adapted']"
    browser.execute_script(f'document.querySelector("{button}").click()')
    lines = f"{BANDS} .lines .js-line"
    left = 3 * (2 * len(LEGS) + 1)
    wait_for(browser, f'document.querySelectorAll("{lines}").length === {left}')


def test_settings_unfold(show) -> None:
    browser = show("phonons", PHONE)
    shown = "document.querySelector('.folded dl').checkVisibility()"
    assert not browser.execute_script(f"return {shown}")
    browser.execute_script("document.querySelector('.folded summary').click()")
    assert browser.execute_script(f"return {shown}")


def test_the_map_of_a_selection_shows_the_whole_pool(show) -> None:
    browser = show("selection")
    assert count(browser, "[data-plot='pool'] .points .point") == 14
    browser.execute_script(
        "document.querySelector(\"#figure-pool button[data-key='modes']\").click()"
    )
    points = "document.querySelectorAll(\"[data-plot='pool'] .points .point\")"
    wait_for(browser, f"{points}.length === 10")


def test_a_campaign_draws_a_dot_a_material_and_the_bands_of_the_worst(show) -> None:
    browser = show("campaign", PHONE)
    assert count(browser, ".plot") == 2
    dots = "[data-plot='parity'] .points .point"
    assert count(browser, dots) == 2 * 3
    bands = "[data-plot='detail-1-bands'] .lines .js-line"
    assert count(browser, bands) == 4 * (2 * len(LEGS) + 1)
    button = "#figure-parity button[data-key='lora']"
    browser.execute_script(f'document.querySelector("{button}").click()')
    wait_for(browser, f'document.querySelectorAll("{dots}").length === 3')
    assert count(browser, bands) == 4 * (2 * len(LEGS) + 1)


def test_a_tree_draws_its_crystals_and_its_ways(show) -> None:
    browser = show("stabilise", PHONE)
    tree = "[data-plot='tree']"
    assert count(browser, f"{tree} .points .point") == 4
    assert count(browser, f"{tree} .lines .js-line") == 4
    names = browser.execute_script(
        f'return [...document.querySelectorAll("{tree} .textpoint text")]'
        ".map(one => one.textContent)"
    )
    assert sorted(names) == ["0: Pm-3m", "1: P4mm", "2: Amm2", "3: R<3>m"]


def click(browser, element) -> None:
    """Click where a person would, without waiting for a smooth scroll to end."""
    browser.execute_script("arguments[0].click()", element)


def column_of(browser, place: int) -> list[str]:
    return browser.execute_script(
        "return [...document.querySelectorAll('#list tbody tr')]"
        ".map(row => row.children[arguments[0]].textContent)",
        place,
    )


@pytest.mark.parametrize("width", [480, 1280])
def test_the_list_of_a_screen_is_sorted_by_a_click(show, width) -> None:
    browser = show("screen", width)
    assert column_of(browser, 0) == ["1", "2", "3", "4", "5", "6"]
    heads = browser.find_elements("css selector", "#list thead button")
    assert [one.text for one in heads][3:6] == ["predicted", "68 % interval", "novelty"]
    assert all(one.is_displayed() for one in heads)
    for expected in (["6", "5", "4", "3", "2", "1"], ["1", "2", "3", "4", "5", "6"]):
        click(browser, heads[3])
        assert column_of(browser, 0) == expected
    click(browser, heads[4])  # those without an interval come last
    assert column_of(browser, 4)[-2:] == ["–", "–"]
    click(browser, heads[4])
    assert column_of(browser, 4)[-2:] == ["–", "–"]
    ends = browser.execute_script(
        "return [...document.querySelectorAll('#list thead th')]"
        ".map(head => head.getAttribute('aria-sort'))"
    )
    assert ends == [None] * 4 + ["descending"] + [None] * 2
    needed = browser.execute_script("return document.documentElement.scrollWidth")
    assert needed <= width
    assert browser.get_log("browser") == []


@pytest.mark.parametrize("width", [480, 1280])
def test_the_elements_of_a_screen_are_outlined_where_known(show, width) -> None:
    browser = show("screen", width)
    assert count(browser, "#elements .map:not([hidden]) .element:not(.empty)") == 3
    assert count(browser, "#elements .map:not([hidden]) .element.trained") == 4
    button = "#elements button[data-map='mean']"
    browser.execute_script(f'document.querySelector("{button}").click()')
    shown = browser.execute_script(
        "return document.querySelector('#elements .map:not([hidden])').dataset.map"
    )
    assert shown == "mean"
    cell = "#elements .map:not([hidden]) [title^='P:']"
    click(browser, browser.find_element("css selector", cell))
    picked = browser.execute_script(
        "return document.querySelector('#elements .picked').textContent"
    )
    assert picked.startswith("P: mean log10 of conductivity")
    assert picked.endswith("known to the predictor")
