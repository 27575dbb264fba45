#!/bin/sh
# Phonons of a crystal under both models.
set -e
: "${BASE:=7net-0}"
: "${MESH:=20}"
atomgraft phonons shipped:si-phonons --model "$BASE" --model runs/si --mesh "$MESH" --out runs/phonons
