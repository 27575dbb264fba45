#!/bin/sh
# Which structures should be labelled next?
set -e
: "${BASE:=7net-0}"
: "${PROPOSALS:=20}"
atomgraft select shipped:si-phonons --model "$BASE" --count 4 --proposals "$PROPOSALS" --supercell 2 \
  --inputs gpaw --out runs/selected
