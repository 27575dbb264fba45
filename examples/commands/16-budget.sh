#!/bin/sh
# How many labels of which level should an hour of processor time buy? More sizes first: a law needs them.
set -e
atomgraft fidelity runs/fidelity --size 4 --size 5 --size 8 --strategy fine-tuning --workers 1
atomgraft budget runs/fidelity --cpu-hours 0.05 --cost target=8 --out runs/budget
