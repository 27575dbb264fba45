"""Studies of levels of theory whose answer is known: errors follow chosen laws."""

import itertools

import numpy as np
import yaml
from ase import Atoms

from atomgraft.fidelity.judge import (
    Errors,
    answered,
    line_claims,
    questions,
    rows_of,
    target_of,
    with_lines,
)
from atomgraft.fidelity.record import Fidelity, LevelCard, Model
from atomgraft.fidelity.wording import headline_of
from tests.comparisons import HOSTILE, base_card, data_card, score, session

SOURCE_SIZES = (10, 20, 40, 80)
SEEDS = (0, 1, 2)
BASE = "7net-0"
ALONE_ERROR = 100.0
"""Of the target alone, meV/Å."""

SOURCES = {"xtb": 1.0, "hf": 1.0}
"""Factors on the error after fine-tuning: one each puts all sources on one line."""

OF_SOURCE = {"xtb": 600.0, "hf": 420.0}
"""Error of the source's model with one structure, meV/Å."""


def scores_of(error, before=None):
    """Return the rows of one model; `before` is its error before this training."""
    rows = [score("adapted", "forces", error), score("adapted", "energy", error / 10)]
    if before is not None:
        rows.append(score("base", "forces", before))
    return tuple(rows)


def model(strategy, error, *, seed=0, status="done", **more):
    """Return one model, on the base and with the recipe that all share."""
    before = more.pop("before", None)
    given = {
        "strategy": strategy,
        "base": BASE,
        "recipe": "full" if strategy == "fine-tuning" else "scratch",
        "n_target": 0 if strategy == "source" else 10,
        "seed": seed,
        "status": status,
        "scores": scores_of(error, before) if status == "done" else (),
        "n_trainable": 1234,
        "seconds": 2.5,
        "device": "cpu",
    }
    given |= more
    told = [given.get(key) for key in ("source", "kept", "n_source", "n_target")]
    parts = [strategy, *map(str, told), given["recipe"], given["base"], str(seed)]
    return Model.model_validate({"name": "-".join(parts), **given})


def source_error(source, n, seed=0):
    """Return the error of a source's model; each seed is a little off."""
    return OF_SOURCE[source] * n**-0.5 * (1.0, 1.03, 0.97)[seed % 3]


def tuned_pair(source, n, seed, *, error, before=300.0, **more):
    """Return the model of a source, and the one that is fine-tuned from it."""
    told = {"source": source, "n_source": n, "seed": seed, **more}
    kept_of_source = {key: told[key] for key in told if key != "recipe"}
    first = model("source", source_error(source, n, seed), **kept_of_source)
    start = {"starts_from": first.name, "before": before}
    return first, model("fine-tuning", error, **told, **start)


def models_of(
    *,
    a=4.0,
    b=0.6,
    floor=0.0,
    factors=None,
    sizes=SOURCE_SIZES,
    seeds=SEEDS,
    noise=0.01,
):
    """Return fine-tuned models with errors ``a * error_of_source**b + floor``.

    Each source has its factor on the first term, and luck a share of `noise`.
    """
    rng = np.random.default_rng(0)
    found = {}
    for seed in seeds:
        one = model("alone", ALONE_ERROR, seed=seed)
        found[one.name] = one
    for (source, factor), n, seed in itertools.product(
        (factors or SOURCES).items(), sizes, seeds
    ):
        luck = float(np.exp(noise * rng.normal()))
        law = factor * a * source_error(source, n, seed) ** b + floor
        for one in tuned_pair(source, n, seed, error=luck * law):
            found[one.name] = one
    return list(found.values())


def with_every_strategy(models, *, seeds=SEEDS, sizes=SOURCE_SIZES):
    """Return models together with others that use both sources in other ways."""
    more = []
    for seed, n in itertools.product(seeds, sizes):
        both = {"seed": seed, "n_source": n}
        for source in SOURCES:
            error = 70.0 * n**-0.1
            more.append(model("multi-head", error, source=source, **both))
        error = 50.0 * n**-0.1
        more.append(model("all-heads", error, source="xtb+hf", **both))
    more += [model("delta", 30.0, source="xtb", seed=seed) for seed in seeds]
    return [*models, *more]


def judged(models, wanted="auto"):
    """Return rows, lines and answers by their question."""
    target = target_of(models, wanted)
    errors = Errors(models, target)
    rows, lines = with_lines(rows_of(errors))
    claims = line_claims(rows, lines)
    claims += [one for ask in questions(rows) if (one := answered(ask, errors))]
    return rows, lines, {one.question: one for one in claims}


def fidelity_of(models, *, name="mine", finished=True):
    """Return the whole document of a study."""
    target = target_of(models, "auto")
    rows, lines, claims = judged(models) if target else ([], [], {})
    headline, sentences = headline_of(target, rows, [*claims.values()])
    names = dict.fromkeys(
        source for one in models if one.source for source in one.source.split("+")
    )
    return Fidelity(
        name=name,
        finished=finished,
        spec={"base": [BASE], "train": [HOSTILE], "sources": {"xtb": {}}},
        bases=(base_card(),),
        data=(data_card("train", 40), data_card("test", 12)),
        levels=(
            LevelCard(name="target", n_pool=40, n_test=12, seconds=60.0),
            *(LevelCard(name=one, n_pool=80, n_test=12, seconds=None) for one in names),
        ),
        source_sizes=tuple(sorted({one.n_source for one in models} - {0})),
        sizes=tuple(sorted({one.n_target for one in models} - {0})),
        models=tuple(models),
        target=target,
        rows=tuple(rows),
        lines=tuple(lines),
        claims=tuple(claims.values()),
        headline=headline,
        sentences=sentences,
        provenance=(session().model_copy(update={"verb": "fidelity"}),),
    )


def whole_study():
    """Return a study with every strategy and an answer to every question."""
    models = with_every_strategy(models_of())
    for source, seed, n in itertools.product(SOURCES, SEEDS, SOURCE_SIZES):
        less = tuned_pair(source, n, seed, error=150.0, kept="energy")
        frozen = tuned_pair(source, n, seed, error=120.0, recipe="readout")
        models += [*less, frozen[1]]
    return fidelity_of(models)


# --- structures at several levels of theory

CHEAP = (1.9, 2.12, 19.0)
"""ε (eV), σ (Å) and λ of a Stillinger-Weber potential a little off that of silicon."""


def labelled(structures, parameters=CHEAP):
    """Return copies with energy and forces of a Stillinger-Weber potential."""
    from atomgraft.models.pair import stillinger_weber
    from atomgraft.models.prediction import predict_structures

    potential = stillinger_weber(["Si"], parameters={"Si": parameters})
    bare = [
        Atoms(one.numbers, one.positions, cell=one.cell, pbc=one.pbc)
        for one in structures
    ]
    for atoms, found in zip(bare, predict_structures(potential, bare), strict=True):
        atoms.info["REF_energy"] = float(found.energy)
        atoms.arrays["REF_forces"] = np.asarray(found.forces, dtype=float)
    return bare


def written(path, structures):
    """Write structures with all digits; return the path as text."""
    from atomgraft.data.exact_files import write_exactly

    write_exactly(path, structures)
    return str(path)


def level_files(folder):
    """Write labels of a source at geometries of pool, test set and others."""
    from atomgraft.data.readers import read_structures

    frames = read_structures([POOL, TEST, "shipped:si-train@1::8"])
    return written(folder / "cheap.extxyz", labelled(frames))


POOL, TEST = "shipped:si-train@::8", "shipped:si-test@:6"
"""13 and 6 frames."""

SPEC = {
    "base": "pair:sw-si",
    "train": POOL,
    "test": TEST,
    "pretraining": "full",
    "source_sizes": [4, 8],
    "sizes": [2, 4],
    "seeds": [0],
    "source_training": {"steps": 4, "batch_size": 2},
    "training": {"steps": 3, "batch_size": 2},
}
"""A small study, but for its sources."""


def fidelity_file(folder, **changes):
    """Write a small study; its source is ``cheap``."""
    path = folder / "fidelity.yaml"
    sources = {"sources": {"cheap": level_files(folder)}}
    path.write_text(yaml.safe_dump(SPEC | sources | changes))
    return path
