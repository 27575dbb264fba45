#!/bin/sh
# Is it better on other structures, and what did it lose?
set -e
: "${EACH:=1}"
atomgraft prove runs/si --test "shipped:si-test@::$EACH"
