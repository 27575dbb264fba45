"""Spec files: templates, schemas, and files combined with options."""

import ast
import inspect
import json
import re
import textwrap
from pathlib import Path
from typing import Any

import typer
import yaml
from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from atomgraft.core.errors import BadInputError
from atomgraft.core.yaml_files import read_settings

WIDTH = 88

EXAMPLES: dict[str, dict[str, Any]] = {
    "RunSpec": {"base": "7net-0", "train": ["train.extxyz"], "recipe": "lora"},
    "CompareSpec": {
        "base": "7net-0",
        "train": ["train.extxyz"],
        "test": ["test.extxyz"],
    },
    "FidelitySpec": {
        "base": "7net-0",
        "train": ["train.extxyz"],
        "test": ["test.extxyz"],
        "sources": {"xtb": {"train": ["xtb.extxyz"]}},
    },
    "BudgetSpec": {"study": "runs/levels", "cpu_hours": 10.0},
    "PhononCampaignSpec": {"folder": "crystals", "base": "7net-0"},
    "SelectSpec": {"structure": "POSCAR", "model": "7net-0"},
    "LabelSpec": {"structures": ["cifs"], "engine": "pmmcs"},
    "PhononSpec": {"crystal": "POSCAR", "models": ["7net-0"]},
    "StabiliseSpec": {"crystal": "POSCAR", "model": "7net-0"},
    "DiffusivitySpec": {
        "files": ["run.extxyz"],
        "mobile": ["Li"],
        "temperature": [600.0],
    },
    "DistilSpec": {
        "materials": ["known.csv"],
        "target": "conductivity",
        "mobile": "Li",
    },
    "ScreenSpec": {"structures": ["cifs"]},
}
"""What stands in a starting file for keys without a default, by spec and key: one key
may mean something else in another spec."""


def starting_text(spec: type[BaseModel], use: str) -> str:
    """Return a spec file to start from: needed keys, and all others as comments.

    A line that begins with ``#`` and a key shows a default; without the ``#`` it is a
    setting.

    Parameters
    ----------
    spec
        The model of the file.
    use
        The command that reads it.
    """
    needed = EXAMPLES[spec.__name__]
    filled = spec.model_validate(needed)
    head = (
        f"Read by: {use}",
        'Lines like "#key: value" show defaults; remove the "#" to change one.',
    )
    lines = [f"# {one}" for one in head]
    for name, part in _parts(filled):
        mark = "" if name in needed else "#"
        lines += ["", *(f"{'' if _is_note(one) else mark}{one}" for one in part)]
    return "\n".join(lines) + "\n"


def _parts(filled: BaseModel) -> list[tuple[str, list[str]]]:
    """Return each key with its lines: what it means, then its value."""
    meanings = meanings_of(type(filled))
    document = filled.model_dump(mode="json")
    return [
        (name, [*_note(meanings.get(name, "")), *_lines(name, value, plain)])
        for name, value in filled
        for plain in [document.get(name, value)]  # a default may be left out
    ]


def _lines(name: str, value: object, plain: object) -> list[str]:
    if not isinstance(value, BaseModel):
        text = yaml.safe_dump(
            {name: plain}, sort_keys=False, allow_unicode=True, width=WIDTH
        )
        return text.splitlines()
    inner = [line for _, part in _parts(value) for line in part]
    return [f"{name}:", *(f"  {line}" for line in inner)]


def _note(meaning: str) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(meaning, WIDTH - 6)]


def _is_note(line: str) -> bool:
    return line.startswith("# ")


def meanings_of(spec: type[BaseModel]) -> dict[str, str]:
    """Return what the source says of each key of a model, in one line.

    Examples
    --------
    >>> from atomgraft.training.plan import Plan
    >>> meanings_of(Plan)["batch_size"]
    'Structures a step, on each device.'
    """
    [body] = ast.parse(textwrap.dedent(inspect.getsource(spec))).body
    assert isinstance(body, ast.ClassDef)
    found: dict[str, str] = {}
    for field, text in zip(body.body, body.body[1:], strict=False):
        match field, text:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(said))),
            ):
                found[name] = re.sub(r"``|`", "", " ".join(said.split()))
    return found


class _WithMeanings(GenerateJsonSchema):
    """A JSON schema whose keys carry what the source says of them."""

    def model_schema(self, schema: Any) -> dict[str, Any]:  # noqa: ANN401 - pydantic's
        made = super().model_schema(schema)
        for name, said in meanings_of(schema["cls"]).items():
            if name in made.get("properties", {}):
                made["properties"][name]["description"] = said
        return made


def schema_of(spec: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON schema of a spec file, each key with its meaning.

    A spec that may hold one of its own kind refers to the whole schema, ``#``.
    """
    made = spec.model_json_schema(schema_generator=_WithMeanings)
    whole = made.pop("$ref", None)
    if whole is None:
        return made
    top = made["$defs"].pop(whole.rpartition("/")[2])
    text = json.dumps({**top, "$defs": made["$defs"]})
    return json.loads(text.replace(json.dumps(whole), '"#"'))


def with_file(
    path: Path | None, call: typer.Context, given: dict[str, Any], **names: str
) -> dict[str, Any]:
    """Return what options and a spec file say together; options that were typed win.

    Parameters
    ----------
    path
        The file; none has nothing to say.
    call
        Of the verb.
    given
        Values of its options, by keys of the spec.
    names
        Option behind a key, where it is called otherwise.

    Raises
    ------
    BadInputError
        The file cannot be read.
    """
    if path is None:
        return given
    document = read_settings(path)
    if not isinstance(document, dict):
        raise BadInputError(
            f"{path} holds {type(document).__name__} where settings are needed.",
            "Expected a YAML mapping of keys to values.",
            "See the keys: atomgraft init --help",
        )
    typed = {key: value for key, value in given.items() if _typed(call, key, names)}
    return {**given, **document, **typed}


def _typed(call: typer.Context, key: str, names: dict[str, str]) -> bool:
    source = call.get_parameter_source(names.get(key, key))
    return source is not None and source.name == "COMMANDLINE"
