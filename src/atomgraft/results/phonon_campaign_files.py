"""Read and write ``campaign.json``; old files are upgraded one version at a time."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from atomgraft.core.errors import BadInputError
from atomgraft.core.storage import is_file, is_folder, write_atomically
from atomgraft.results.phonon_campaign import CAMPAIGN_VERSION, PhononCampaign

CAMPAIGN = "campaign.json"

UPGRADES: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}
"""Version *n* to the step that makes a version *n* + 1 document of it."""


def write_phonon_campaign(folder: Path, campaign: PhononCampaign) -> Path:
    """Write a campaign into its folder, whole or not at all.

    Raises
    ------
    StorageError
        The folder cannot be written; an older file is left as it was.
    """
    path = folder / CAMPAIGN
    write_atomically(path, campaign.model_dump_json(indent=1) + "\n")
    return path


def has_phonon_campaign(folder: Path) -> bool:
    """Tell whether a folder, or a file, is a campaign over materials."""
    return is_file(_place(folder)) and _place(folder).name == CAMPAIGN


def read_phonon_campaign(folder: Path) -> PhononCampaign:
    """Read the campaign of a folder, upgraded to today's schema.

    Raises
    ------
    BadInputError
        There is none, it is broken, or it comes from a newer atomgraft.
    """
    path = _place(folder)
    if not is_file(path):
        raise BadInputError(
            f"{folder} holds no {CAMPAIGN}.",
            "A folder made by 'atomgraft campaign phonons' is needed.",
            "Run 'atomgraft campaign phonons' or check the path.",
        )
    try:
        return PhononCampaign.model_validate(_upgraded(json.loads(path.read_text())))
    except (json.JSONDecodeError, UnicodeDecodeError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise BadInputError(
            f"{path} is not a readable campaign: {reason}.",
            "A file as atomgraft wrote it is needed.",
            "Run the same 'atomgraft campaign phonons' again; finished cells are kept.",
        ) from error


def _place(folder: Path) -> Path:
    return folder / CAMPAIGN if is_folder(folder) else folder


def _upgraded(document: object) -> dict[str, Any]:
    known: dict[str, Any] = (
        cast("dict[str, Any]", document) if isinstance(document, dict) else {}
    )
    version = known.get("schema_version")
    if type(version) is not int or not 1 <= version <= CAMPAIGN_VERSION:  # no True
        raise BadInputError(
            f"The campaign has schema version {version!r}.",
            f"This atomgraft reads versions up to {CAMPAIGN_VERSION}.",
            "Update atomgraft: pip install -U atomgraft.",
        )
    while version < CAMPAIGN_VERSION:
        known = UPGRADES[version](known)
        version += 1
    return known
