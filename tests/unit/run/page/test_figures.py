"""Would plotly draw our figures, and do they show the numbers of the result?"""

import json
from typing import Any

import pytest

from atomgraft.page.axes import log_axis
from atomgraft.page.blocks import Figure, PlotlyFigure
from atomgraft.run.page.curve import MAX_CURVE_POINTS, coverage_figure, curve_figure
from atomgraft.run.page.figures import ratio_figure
from atomgraft.run.page.parity import MAX_PARITY_POINTS, parity_figure
from atomgraft.run.record import CurvePoint, RunResult, parity_of
from tests.example_result import drawn

MAKERS = (ratio_figure, parity_figure, coverage_figure, curve_figure)


def coloured(value: Any) -> Any:
    """Put a real colour where the page puts that of its style sheet."""
    if isinstance(value, str) and value.startswith("@"):
        return "#123456"
    if isinstance(value, list):
        return [coloured(part) for part in value]
    if isinstance(value, dict):
        return {key: coloured(part) for key, part in value.items()}
    return value


def figures_of(result: RunResult) -> list[PlotlyFigure]:
    made: list[Figure | None] = [make(result) for make in MAKERS]
    return [plot.figure for figure in made if figure for plot in figure.plots]


@pytest.mark.parametrize("fixture", ["full_result", "failed_result", "unproved_result"])
def test_plotly_accepts_every_figure(fixture, request) -> None:
    from plotly.graph_objects import Figure as Reference

    for figure in figures_of(request.getfixturevalue(fixture)):
        Reference(coloured(figure))


def test_plotly_refuses_what_it_does_not_know(full_result: RunResult) -> None:
    from plotly.graph_objects import Figure as Reference

    figure = figures_of(full_result)[0]
    with pytest.raises(ValueError, match="Invalid property"):
        Reference({**coloured(figure), "layout": {"no_such_key": 1}})


def test_ratios_are_those_of_the_scores(full_result: RunResult) -> None:
    figure = ratio_figure(full_result)
    assert figure is not None
    (plot,) = figure.plots
    (adapted,) = [t for t in plot.figure["data"] if t["meta"]["key"] == "adapted"]
    assert adapted["x"] == pytest.approx([0.913 / 6.81, 11.24 / 34.3, 0.1038 / 0.412])
    assert plot.figure["layout"]["yaxis"]["ticktext"][0] == "Energy, aligned"


def test_without_scores_there_is_no_ratio_and_no_parity(unproved_result) -> None:
    assert ratio_figure(unproved_result) is None
    assert parity_figure(unproved_result) is None


def test_parity_is_thinned_and_square(full_result: RunResult) -> None:
    figure = parity_figure(full_result)
    assert figure is not None
    for plot in figure.plots:
        layout = plot.figure["layout"]
        assert layout["xaxis"]["range"] == layout["yaxis"]["range"]
        assert layout["yaxis"]["scaleanchor"] == "x"
        for trace in plot.figure["data"]:
            assert len(trace["x"]) == len(trace["y"]) <= MAX_PARITY_POINTS


def test_a_lone_scratch_model_is_shown(full_result: RunResult) -> None:
    alone = [one for one in parity_of(full_result) if one.model == "scratch"]
    result = full_result.model_copy(update={"details": drawn(alone)})
    figure = parity_figure(result)
    assert figure is not None
    assert figure.legend[0].is_shown


def test_points_that_are_not_finite_are_left_out(full_result: RunResult) -> None:
    first = parity_of(full_result)[0]
    broken = first.model_copy(
        update={
            "reference": (float("nan"), 1.0, 2.0),
            "predicted": (1.0, float("inf"), 2.5),
        }
    )
    result = full_result.model_copy(update={"details": drawn([broken])})
    figure = parity_figure(result)
    assert figure is not None
    assert figure.plots[0].figure["data"][0]["x"] == [2.0]


def test_a_long_curve_is_thinned_with_its_ends(full_result: RunResult) -> None:
    figure = curve_figure(full_result)
    assert figure is not None
    loss = figure.plots[0].figure["data"][0]
    assert len(loss["x"]) == MAX_CURVE_POINTS
    assert (loss["x"][0], loss["x"][-1]) == (0, 2400)


def test_validation_points_survive_the_thinning(full_result: RunResult) -> None:
    figure = curve_figure(full_result)
    assert figure is not None
    traces = figure.plots[0].figure["data"][2:]
    assert [trace["meta"]["key"] for trace in traces] == ["energy", "forces", "stress"]
    assert all(len(trace["x"]) == 25 for trace in traces)


def test_without_validation_the_caption_says_so(unproved_result: RunResult) -> None:
    figure = curve_figure(unproved_result)
    assert figure is not None
    assert "Training loss and learning rate. There is no validation" in figure.caption
    assert "yaxis3" not in figure.plots[0].figure["layout"]


@pytest.mark.parametrize("loss", [0.0, -1.0, float("nan"), 0.5])
def test_one_odd_point_makes_a_curve(full_result: RunResult, loss: float) -> None:
    point = CurvePoint(step=0, learning_rate=0.0, loss=loss)
    training = full_result.training.model_copy(update={"curve": (point,)})
    figure = curve_figure(full_result.model_copy(update={"training": training}))
    assert figure is not None
    json.dumps(figure.plots[0].figure, allow_nan=False)


def test_no_step_makes_no_curve(full_result: RunResult) -> None:
    training = full_result.training.model_copy(update={"curve": ()})
    assert curve_figure(full_result.model_copy(update={"training": training})) is None


def test_the_coverage_table_ends_with_the_sum(full_result: RunResult) -> None:
    table = coverage_figure(full_result).table
    assert table is not None
    assert table.rows[-1][:2] == ("All", "24 of 28")
    assert table.rows[-1][-2:] == ("66,122", "7.86 %")


@pytest.mark.parametrize(
    ("low", "high"), [(1.0, 1.0), (0.3, 4.0), (1e-9, 1e9), (5e-5, 6e-5), (99.0, 101.0)]
)
def test_a_logarithmic_axis_has_ticks_in_sight(low: float, high: float) -> None:
    axis = log_axis("", [low, high])
    ends = [10**end for end in axis["range"]]
    seen = [tick for tick in axis["tickvals"] if ends[0] <= tick <= ends[1]]
    assert ends[0] <= low <= high <= ends[1]
    assert 2 <= len(seen) <= 10
