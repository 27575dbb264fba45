#!/bin/sh
# Labels of structures, a trajectory from any model, and a model trained on labels of selected structures.
set -e
: "${BASE:=7net-0}"
: "${MD_TIME:=1}"
: "${STEPS:=200}"
atomgraft label shipped:si-test@:3 --engine "model:$BASE" --workers 1 --out runs/labels
atomgraft label shipped:si-test@0 --engine "model:$BASE" --md --temperature 600 --time "$MD_TIME" --settle 0.1 \
  --atoms 8 --workers 1 --out runs/motion
printf 'base: %s\nrecipe: full\ntraining: {steps: %s}\n' "$BASE" "$STEPS" > adapt.yaml
atomgraft label runs/selected/select.extxyz@:2 --engine "model:$BASE" --workers 1 --out runs/selected-labels --then adapt.yaml
