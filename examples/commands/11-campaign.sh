#!/bin/sh
# Phonons of many materials: here two crystals of silicon.
set -e
: "${BASE:=7net-0}"
: "${MESH:=20}"
mkdir -p crystals
ase build Si crystals/Si.cif -x diamond -a 5.43
ase build Si crystals/Si-expanded.cif -x diamond -a 5.50
atomgraft campaign phonons crystals --model "$BASE" --mesh "$MESH" --workers 1 --out runs/campaign
