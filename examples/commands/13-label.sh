#!/bin/sh
# Labels of structures, and a trajectory, from any model.
set -e
: "${BASE:=7net-0}"
: "${MD_TIME:=1}"
atomgraft label shipped:si-test@:3 --engine "model:$BASE" --workers 1 --out runs/labels
atomgraft label shipped:si-test@0 --engine "model:$BASE" --md --temperature 600 --time "$MD_TIME" --settle 0.1 \
  --atoms 8 --workers 1 --out runs/motion
