"""Scripts of the benchmarks import what stands beside them, as when they are run."""

import sys
from pathlib import Path

for _name in ("phonons", "elements"):
    sys.path.append(str(Path(__file__).parents[3] / "benchmarks" / _name))
