#!/bin/sh
# Is it better on other structures, and what did it lose?
set -e
: "${EACH:=1}"
atomgraft prove runs/si --test "shipped:si-test@::$EACH"
# Do its atoms move as those of the base? In ps; real results need longer runs.
: "${MD_TIME:=0.2}"
atomgraft prove runs/si --suite motion --set motion.reference=base --set "motion.time=$MD_TIME" \
  --set "motion.window=$MD_TIME" --set "motion.settle=$MD_TIME"
