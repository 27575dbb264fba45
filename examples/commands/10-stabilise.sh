#!/bin/sh
# Where do the unstable modes of a crystal lead?
set -e
: "${BASE:=7net-0}"
: "${CELLS:=2}"
atomgraft stabilise shipped:si-phonons --model "$BASE" --depth 1 --supercell "$CELLS" --out runs/tree
