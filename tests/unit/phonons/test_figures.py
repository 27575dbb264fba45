"""Would plotly draw the curves of phonons, and do they show the numbers of the file?"""

import itertools

import pytest

from atomgraft.phonons.curves import (
    MAX_SPEEDS,
    conductivity_figure,
    expansion_figure,
    speeds_figure,
    thermal_figure,
)
from atomgraft.phonons.figures import bands_figure
from atomgraft.phonons.wording import (
    colour_of,
    contestants,
    lacks_modes,
    legend_of,
)
from tests.example_phonons import (
    LEGS,
    TEMPERATURES,
    make_alone,
    make_labelled,
    make_phonons,
    make_unstable,
    settings,
    spectrum,
)
from tests.unit.run.page.test_figures import coloured

FIGURES = (
    bands_figure,
    thermal_figure,
    expansion_figure,
    conductivity_figure,
    speeds_figure,
)
MAKERS = (make_phonons, make_unstable, make_alone, make_labelled)


def bands_of(result):
    shown = bands_figure(result)
    assert shown is not None
    return shown.plots[0].figure


def trace_of(plot, key, axis="x"):
    [found] = [
        one
        for one in plot["data"]
        if one["meta"]["key"] == key and one.get("xaxis", "x") == axis
    ]
    return found


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("draw", FIGURES)
def test_plotly_accepts_every_figure(make, draw) -> None:
    from plotly.graph_objects import Figure as Reference

    shown = draw(make())
    for plot in shown.plots if shown else ():
        Reference(coloured(plot.figure))
        assert plot.description


def test_every_figure_of_a_full_result_is_drawn() -> None:
    assert all(draw(make_phonons()) is not None for draw in FIGURES)


def test_nothing_is_drawn_of_nothing() -> None:
    bare = spectrum(
        "base", bands=(), density=None, thermal=None, expansion=None, conductivity=None
    )
    result = make_phonons(spectra=(bare,), errors=())
    assert [draw(result) for draw in FIGURES] == [None] * len(FIGURES)


def test_every_frequency_is_on_the_plot() -> None:
    result = make_phonons()
    plot = bands_of(result)
    for one in result.spectra:
        trace = trace_of(plot, one.contestant)
        drawn = sorted(value for value in trace["y"] if value is not None)
        stored = [f for leg in one.bands for row in leg.frequencies for f in row]
        assert drawn == pytest.approx(sorted(stored), abs=1e-4)


def test_lines_do_not_join_bands_or_legs() -> None:
    trace = trace_of(bands_of(make_phonons()), "base")
    runs = [
        list(run)
        for is_gap, run in itertools.groupby(trace["x"], lambda x: x is None)
        if not is_gap
    ]
    assert len(runs) == 2 * len(LEGS)
    assert all(run == sorted(run) for run in runs)


def test_the_path_has_names_and_jumps() -> None:
    plot = bands_of(make_phonons())
    names = ["Γ", "X", "U|K", "Γ", "L<sub>2</sub>", "W"]
    assert plot["layout"]["xaxis"]["ticktext"] == names
    places = plot["layout"]["xaxis"]["tickvals"]
    assert places == sorted(places)
    assert len(places) == len(names)


def test_density_shares_the_axis_of_the_bands() -> None:
    plot = bands_of(make_phonons())
    densities = [one for one in plot["data"] if one["xaxis"] == "x2"]
    assert len(densities) == 4
    assert all("yaxis" not in one for one in plot["data"])
    ends = plot["layout"]["xaxis"]["domain"][1], plot["layout"]["xaxis2"]["domain"][0]
    assert ends[0] < ends[1]


def test_a_longer_cell_is_drawn_on_the_same_path() -> None:
    """Relaxed cells differ in size; the points of their paths are the same."""
    wide = spectrum("adapted")
    legs = tuple(
        leg.model_copy(update={"distances": tuple(1.1 * d for d in leg.distances)})
        for leg in wide.bands
    )
    wide = wide.model_copy(update={"bands": legs})
    plot = bands_of(make_phonons(spectra=(spectrum("reference"), wide)))
    ours, theirs = trace_of(plot, "adapted")["x"], trace_of(plot, "reference")["x"]
    kept = [(a, b) for a, b in zip(ours, theirs, strict=True) if a is not None]
    assert all(a == pytest.approx(b, abs=2e-5) for a, b in kept)


def test_another_path_is_left_out_and_told() -> None:
    other = spectrum("adapted")
    legs = (other.bands[0].model_copy(update={"labels": ("Γ", "M")}), *other.bands[1:])
    other = other.model_copy(update={"bands": legs})
    shown = bands_figure(make_phonons(spectra=(spectrum("reference"), other)))
    assert shown is not None
    assert "Bands of Adapted are not drawn" in shown.caption
    keys = [
        t["meta"]["key"] for t in shown.plots[0].figure["data"] if t["xaxis"] == "x"
    ]
    assert keys == ["reference"]


def test_imaginary_frequencies_stand_below_zero_on_shaded_ground() -> None:
    plot = bands_of(make_unstable())
    assert plot["layout"]["yaxis"]["range"][0] < -3
    [shade] = plot["layout"]["shapes"]
    assert shade["y1"] == 0
    captions = [bands_figure(make()).caption for make in (make_unstable, make_phonons)]
    assert ["shaded" in caption for caption in captions] == [True, False]
    stable = bands_of(make_phonons())
    assert stable["layout"]["shapes"] == []
    assert stable["layout"]["yaxis"]["range"][0] == 0


def test_a_crystal_without_density_or_bands_fills_the_width() -> None:
    plot = bands_of(make_alone())
    assert plot["layout"]["xaxis"]["domain"] == (0.0, 1.0)
    only = spectrum("base", bands=())
    plot = bands_of(make_phonons(spectra=(only,), errors=()))
    assert plot["layout"]["xaxis"]["domain"] == (0.0, 1.0)
    assert "xaxis2" not in plot["layout"]


def test_thermal_curves_are_those_of_the_file() -> None:
    result = make_phonons()
    shown = thermal_figure(result)
    assert shown is not None
    stored = result.spectra[1].thermal
    assert stored is not None
    curves = (stored.free_energy, stored.entropy, stored.heat_capacity)
    for plot, curve in zip(shown.plots, curves, strict=True):
        trace = trace_of(plot.figure, "base")
        assert trace["x"] == list(TEMPERATURES)
        assert trace["y"] == pytest.approx(list(curve), rel=1e-5)


def test_thermal_curves_of_an_unstable_crystal_are_marked() -> None:
    shown = thermal_figure(make_unstable())
    assert shown is not None
    assert "no physical meaning" in shown.caption
    for plot in shown.plots:
        unstable, stable = (trace_of(plot.figure, key) for key in ("adapted", "base"))
        assert unstable["line"]["dash"] == "dot"
        assert unstable["opacity"] < 1 == stable["opacity"]
        assert "unstable" in unstable["hovertemplate"]
    clean = thermal_figure(make_phonons())
    assert clean is not None
    assert "no physical meaning" not in clean.caption


@pytest.mark.parametrize(("n_left", "is_marked"), [(3, False), (4, True)])
def test_modes_beyond_the_acoustic_ones_are_missed(n_left, is_marked) -> None:
    one = spectrum("base")
    assert one.thermal is not None
    thermal = one.thermal.model_copy(update={"share_left_out": n_left / 48_000})
    assert lacks_modes(one.model_copy(update={"thermal": thermal}), settings()) is (
        is_marked
    )


def test_conductivity_is_the_mean_of_three_directions_on_a_log_axis() -> None:
    shown = conductivity_figure(make_phonons())
    assert shown is not None
    plot = shown.plots[0].figure
    assert plot["layout"]["yaxis"]["type"] == "log"
    trace = trace_of(plot, "reference")
    warm = dict(zip(trace["x"], trace["y"], strict=True))
    assert warm[300.0] == pytest.approx((2e2 + 2e2 + 3e2) / 3 * 30 / 300, rel=1e-5)
    assert shown.table is not None
    assert shown.table.rows[0][2:5] == ("20.0", "20.0", "30.0")


def test_a_note_that_all_share_is_said_once() -> None:
    shown = expansion_figure(make_phonons())
    assert shown is not None
    assert shown.caption.count("Volumes from minus") == 1


def test_speeds_are_a_sample() -> None:
    shown = speeds_figure(make_phonons())
    assert shown is not None
    for trace in shown.plots[0].figure["data"]:
        assert 0 < len(trace["x"]) <= MAX_SPEEDS
        assert max(trace["y"]) <= 6.0


def test_a_switch_holds_all_that_is_a_contestant_s() -> None:
    result = make_phonons()
    keys = [entry.key for entry in legend_of(result)]
    assert keys == ["reference", "base", "adapted", "scratch"]
    for draw in FIGURES:
        shown = draw(result)
        assert shown is not None
        for plot in shown.plots:
            drawn = {trace["meta"]["key"] for trace in plot.figure["data"]}
            assert drawn == {entry.key for entry in shown.legend}


def test_colours_are_the_project_s_and_all_different() -> None:
    result = make_phonons(
        spectra=tuple(
            spectrum(name)
            for name in ("7net-0", "adapted", "mace", "reference", "base", "scratch")
        )
    )
    colours = [colour_of(result, one.contestant) for one in contestants(result)]
    assert colours[:4] == ["ink", "base", "adapted", "scratch"]
    assert len(set(colours)) == 6
    assert not {"series-0", "series-1"} & set(colours)  # those of the run


def test_a_base_alone_is_no_background() -> None:
    """Grey and dashed is for what an adapted model is compared with."""
    alone = make_phonons(spectra=(spectrum("reference"), spectrum("base")))
    for result, colour, dash in (
        (make_phonons(), "@base", "6px,3px"),
        (alone, "@series-0", "solid"),
    ):
        line = trace_of(bands_of(result), "base")["line"]
        assert (line["color"], line["dash"]) == (colour, dash)
        [entry] = [one for one in legend_of(result) if one.key == "base"]
        assert f"@{entry.colour}" == colour
        assert entry.symbol == ("line" if dash == "solid" else "dashes")


def test_markup_in_a_title_is_text_for_plotly() -> None:
    for draw in FIGURES:
        shown = draw(make_unstable())
        for plot in shown.plots if shown else ():
            for trace in plot.figure["data"]:
                assert "<script" not in trace["name"] + trace["hovertemplate"]


def test_deviations_are_areas_of_two_on_each_side() -> None:
    plot = bands_of(make_labelled())
    areas = [one for one in plot["data"] if one.get("fill") == "toself"]
    assert [one["meta"]["key"] for one in areas] == ["base+labels"]
    [line] = [
        one
        for one in plot["data"]
        if one["meta"]["key"] == "base+labels"
        and one["xaxis"] == "x"
        and "fill" not in one
    ]
    n = line["y"].index(None)
    m = areas[0]["y"].index(None)
    assert m == 2 * n
    above, below = areas[0]["y"][:n], areas[0]["y"][n:m][::-1]
    assert above == pytest.approx([one + 0.2 for one in line["y"][:n]], abs=2e-4)
    assert below == pytest.approx([one - 0.2 for one in line["y"][:n]], abs=2e-4)
    assert not any(one.get("fill") for one in bands_of(make_phonons())["data"])
