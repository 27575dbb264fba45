"""A teacher on disk, for students of other materials; weights and names, no code."""

import json
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from atomgraft.core.errors import BadInputError, reason_of
from atomgraft.core.storage import is_file, write_atomically
from atomgraft.transport.predictors.networks import DECODER, Scaling
from atomgraft.transport.predictors.teaching import Teacher

TEACHER = "teacher.safetensors"


def save_teacher(folder: Path, teacher: Teacher, model_hash: str) -> None:
    """Write a teacher into a folder.

    Parameters
    ----------
    folder
        Of the result.
    teacher
        Its weights.
    model_hash
        Of the model whose features it sees; empty without one.
    """
    arrays = {
        "encoder": teacher.encoder,
        **{f"decoder.{name}": one for name, one in teacher.decoder.items()},
        "scaling.mean": teacher.scaling.mean,
        "scaling.spread": teacher.scaling.spread,
    }
    about = {"columns": json.dumps(teacher.columns), "model_hash": model_hash}
    arrays = {name: np.ascontiguousarray(one) for name, one in arrays.items()}
    write_atomically(folder / TEACHER, save(arrays, metadata=about))


def load_teacher(folder: Path, model_hash: str) -> Teacher:
    """Read a teacher.

    Parameters
    ----------
    folder
        Of a result whose materials have motion.
    model_hash
        Of the model whose features students see.

    Raises
    ------
    BadInputError
        There is none, it is broken, or it sees features of another model.
    """
    path = folder / TEACHER
    if not is_file(path):
        raise BadInputError(
            f"{folder} holds no {TEACHER}.",
            "Expected a folder of 'atomgraft distil' whose materials have motion, with"
            " the method taught.",
            "Make one from materials with trajectories.",
        )
    try:
        with safe_open(path, framework="np") as file:
            about = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        teacher = Teacher(
            encoder=arrays["encoder"],
            decoder={name: arrays[f"decoder.{name}"] for name in DECODER},
            scaling=Scaling(
                mean=arrays["scaling.mean"], spread=arrays["scaling.spread"]
            ),
            columns=tuple(json.loads(about["columns"])),
        )
        seen = about["model_hash"]
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise BadInputError(
            f"{path} cannot be read: {reason_of(error)}.",
            "Expected the file as 'atomgraft distil' wrote it.",
            "Copy it again, or make it again.",
        ) from error
    if seen != model_hash:
        which = "those of a model" if seen else "distances and bond valence"
        raise BadInputError(
            f"The teacher in {folder} sees other features of ions: {which}.",
            "Expected features of the same kind, and of the same model.",
            "Give --model as where the teacher was made.",
        )
    return teacher
