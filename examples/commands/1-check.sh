#!/bin/sh
# Are labels, units and splits right?
set -e
: "${BASE:=7net-0}"
atomgraft check shipped:si-train --test shipped:si-test --base "$BASE"
