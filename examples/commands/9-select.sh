#!/bin/sh
# Which structures should be labelled next?
set -e
: "${BASE:=7net-0}"
: "${PROPOSALS:=20}"
: "${CELLS:=2}"
atomgraft select shipped:si-phonons --model "$BASE" --count 4 --proposals "$PROPOSALS" --supercell "$CELLS" \
  --inputs gpaw --out runs/selected
