"""Make the predictor of lithium conductivity that ships with atomgraft.

Measured conductivities of OBELiX (its training rows with a number), formulas, cells and
space groups are learned by ``atomgraft distil``, which chooses the method in validation
with whole groups held out; the test rows of the data set are predicted once. The folder
of the package gets settings, trees, and numbers that describe the materials: no
structures, no conductivities and no table. Needs the data folder
(``$ATOMGRAFT_DATA`` or ``../shared/data``)::

    python scripts/ready_predictor.py --work runs/ready
"""

import argparse
import json
import sys
from pathlib import Path

from safetensors.numpy import load_file, save_file

ROOT = Path(__file__).parent.parent
READY = ROOT / "src" / "atomgraft" / "transport" / "ready"
FEATURES = ("composition", "lattice")
"""Every row has them; half of the rows have no structure."""

SOURCE = (
    "measured conductivities of OBELiX (Therrien et al., arXiv:2502.14234, 2025;"
    " https://github.com/NRC-Mila/OBELiX), CC BY 4.0"
)


def main(work: Path) -> None:
    """Learn, and copy what is needed into the package."""
    sys.path.insert(0, str(ROOT / "benchmarks" / "transport"))
    import obelix

    import atomgraft as ag

    work.mkdir(parents=True, exist_ok=True)
    train, test = (obelix.table_of(part, work, {}) for part in ("train", "test"))
    found = ag.distil(
        train,
        obelix.TARGET,
        "Li",
        test=[str(test)],
        **obelix.COLUMNS,
        features=FEATURES,
        methods=["kernel ridge"],
        out=work / "predictor",
    )
    READY.mkdir(exist_ok=True)
    card = json.loads((work / "predictor" / "predictor.json").read_text())
    card |= {"source": SOURCE}
    (READY / "predictor.json").write_text(json.dumps(card, indent=1) + "\n")
    arrays = load_file(work / "predictor" / "predictor.safetensors")
    del arrays["targets"]  # trees are stored as they are, and need none
    save_file(arrays, READY / "predictor.safetensors")
    print(found.result.headline, *found.result.notices, sep="\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--work", type=Path, default=Path("runs/ready"))
    main(parser.parse_args().work)
