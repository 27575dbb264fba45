"""Fetch the public data that benchmarks and some tests read, and check its hashes.

    python benchmarks/fetch_data.py ../shared/data

writes into that folder, or into ``$ATOMGRAFT_DATA``. The files belong to the projects
named beside them and keep their licences. A file that is already there with the right
hash is left alone; one that arrives with another hash is thrown away.
"""

import argparse
import dataclasses
import hashlib
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path

GITHUB = "https://raw.githubusercontent.com"
PHONO3PY = f"{GITHUB}/phonopy/phono3py"
PHONOPY = f"{GITHUB}/phonopy/phonopy"


@dataclasses.dataclass(frozen=True, kw_only=True)
class PublicFile:
    """A file, its home, and the hash of the version that results belong to."""

    target: str
    url: str
    sha256: str
    licence: str = "BSD-3-Clause"


FILES = (
    PublicFile(
        target="phonons/phono3py_params_NaCl.yaml.xz",
        url=f"{PHONO3PY}/develop/example/NaCl-rd/phono3py_params_NaCl.yaml.xz",
        sha256="334d355a2a9b3b4ba20a4d8897b6b8f77286ca6cf6a0425a618be2ce9dbd77e9",
    ),
    PublicFile(
        target="phonons/phono3py_params-Si111-rd.yaml.xz",
        url=f"{PHONO3PY}/develop/test/phono3py_params-Si111-rd.yaml.xz",
        sha256="99ee8112d10798cd66c2ee35f4828261dd85c06e3cb60e3302c3ea43509ccdce",
    ),
    PublicFile(
        target="phonons/phono3py_params_MgO-222rd-444rd.yaml.xz",
        url=f"{PHONO3PY}/develop/test/phono3py_params_MgO-222rd-444rd.yaml.xz",
        sha256="8b711db9ca0763ac12fbdf6ff343754eafdbc5251e88fdae31f2fc1b28505dcf",
    ),
    PublicFile(
        target="phonons/phonopy_mlpsscha_params_KCl-120.yaml.xz",
        url=f"{PHONOPY}/develop/example/KCl-SSCHA/"
        "phonopy_mlpsscha_params_KCl-120.yaml.xz",
        sha256="1614ecdc869351600e18d3a2b6737e4208f37d1348e9ada99f42bd39c6fab669",
    ),
)


def fetch(file: PublicFile, folder: Path) -> str:
    """Bring one file and return a word on how it went."""
    target = folder / file.target
    if target.exists() and sha256_of(target.read_bytes()) == file.sha256:
        return "there"
    try:
        with urllib.request.urlopen(file.url, timeout=60) as answer:
            content = answer.read()
    except (urllib.error.URLError, TimeoutError) as error:
        return f"failed: {error}"
    if sha256_of(content) != file.sha256:
        return f"failed: {file.url} holds another version now"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    return f"fetched ({file.licence})"


def sha256_of(content: bytes) -> str:
    """Return the SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def main() -> None:
    """Fetch everything; exit with 1 if a file is missing at the end."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    default = os.environ.get("ATOMGRAFT_DATA", "../shared/data")
    parser.add_argument("folder", type=Path, nargs="?", default=Path(default))
    folder = parser.parse_args().folder
    words = {file.target: fetch(file, folder) for file in FILES}
    for target, word in words.items():
        print(f"{target}: {word}")
    sys.exit(any(word.startswith("failed") for word in words.values()))


if __name__ == "__main__":
    main()
