"""Read and write ``campaign.json``; old files are upgraded one version at a time."""

from pathlib import Path
from typing import Any

from atomgraft.results.documents import ResultFile, Upgrade
from atomgraft.results.old_intervals import FEWEST, with_sureness
from atomgraft.results.phonon_campaign import CAMPAIGN_VERSION, PhononCampaign

CAMPAIGN = "campaign.json"


def _with_sureness(known: dict[str, Any]) -> dict[str, Any]:
    """Version 2 has no interval over fewer than five materials."""
    trainings = [
        one | {"drift": with_sureness(one.get("drift", []))}
        for one in known.get("trainings", [])
    ]
    none = {"mean_interval": None, "median_interval": None}
    summaries = [
        row | none if row["n_materials"] < FEWEST else row
        for row in known.get("summaries", [])
    ]
    return known | {
        "schema_version": 2,
        "trainings": trainings,
        "summaries": summaries,
    }


def _with_forgotten(known: dict[str, Any]) -> dict[str, Any]:
    """Version 3 has what was forgotten as a share of what the base predicts."""
    return known | {"schema_version": 3}


UPGRADES: dict[int, Upgrade] = {1: _with_sureness, 2: _with_forgotten}
"""Version *n* to the step that makes a version *n* + 1 document of it."""


def _kind() -> ResultFile[PhononCampaign]:
    return ResultFile(
        file=CAMPAIGN,
        record=PhononCampaign,
        version=CAMPAIGN_VERSION,
        upgrades=UPGRADES,
        title="campaign",
        command="atomgraft campaign phonons",
        broken=(
            "Run the same 'atomgraft campaign phonons' again; finished cells are kept."
        ),
    )


def write_phonon_campaign(folder: Path, campaign: PhononCampaign) -> Path:
    """Write a campaign over materials into a folder, whole or not at all.

    Raises
    ------
    StorageError
        The folder cannot be written; an older file is left as it was.
    """
    return _kind().write(folder, campaign)


def has_phonon_campaign(folder: Path) -> bool:
    """Tell whether a folder, or a file, holds a campaign over materials."""
    return _kind().is_at(folder)


def read_phonon_campaign(folder: Path) -> PhononCampaign:
    """Read a campaign over materials from a folder or file, in today's schema.

    Raises
    ------
    BadInputError
        There is none, it is broken, or it comes from a newer atomgraft.
    """
    return _kind().read(folder)
