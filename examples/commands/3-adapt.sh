#!/bin/sh
# Adapt a model to ten structures; run it again after a stop.
set -e
: "${BASE:=7net-0}"
: "${STEPS:=200}"
atomgraft adapt --base "$BASE" --train shipped:si-train@::10 --recipe full --steps "$STEPS" --out runs/si
