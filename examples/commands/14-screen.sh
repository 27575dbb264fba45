#!/bin/sh
# What does the predictor of 13-distil.sh say of other structures?
set -e
atomgraft screen shipped:si-test --predictor runs/metals --mobile Si --out runs/screened
