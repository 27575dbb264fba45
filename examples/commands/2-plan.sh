#!/bin/sh
# What would a run do, and what would it cost?
set -e
: "${BASE:=7net-0}"
: "${STEPS:=200}"
atomgraft plan --base "$BASE" --train shipped:si-train@::10 --recipe full --steps "$STEPS"
