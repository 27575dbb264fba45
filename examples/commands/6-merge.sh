#!/bin/sh
# Write a plain model for ASE and LAMMPS.
set -e
atomgraft merge runs/si
