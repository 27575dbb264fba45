#!/bin/sh
# What do known materials say of others? Here: radii in metals, learned from the formula alone.
set -e
mkdir -p runs
python - > runs/metals.csv <<'TABLE'
from ase.data import chemical_symbols, reference_states

print("name,composition,distance")
for symbol, state in zip(chemical_symbols, reference_states):
    if state and state["symmetry"] in ("fcc", "bcc"):
        share = {"fcc": 0.5, "bcc": 0.75}[state["symmetry"]] ** 0.5
        print(f"{symbol},{symbol},{share * state['a']:.3f}")
TABLE
atomgraft distil runs/metals.csv --target distance --mobile name --unit Å --folds 5 \
  --method trees --out runs/metals
