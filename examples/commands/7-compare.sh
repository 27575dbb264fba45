#!/bin/sh
# Which recipe, and how many labels?
set -e
: "${BASE:=7net-0}"
: "${STEPS:=200}"
: "${EACH:=1}"
atomgraft compare --base "$BASE" --train shipped:si-train@::4 --test "shipped:si-test@::$EACH" \
  --recipe full --recipe readout --size 2 --size 4 --seed 0 --steps "$STEPS" --workers 1 --out runs/compared
