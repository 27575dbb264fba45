#!/bin/sh
# What do labels of an empirical potential buy in labels of DFT?
set -e
: "${BASE:=7net-0}"
: "${STEPS:=200}"
: "${EACH:=1}"
atomgraft label shipped:si-train@::4 "shipped:si-test@::$EACH" --engine model:pair:sw-si --workers 1 --out runs/cheap
atomgraft fidelity --base "$BASE" --train shipped:si-train@::8 --test "shipped:si-test@::$EACH" \
  --source cheap=runs/cheap/labels.extxyz --source-size 10 --source-size 20 --size 5 --recipe full \
  --strategy fine-tuning --strategy delta --seed 0 --source-steps "$STEPS" --steps "$STEPS" \
  --workers 1 --out runs/fidelity
