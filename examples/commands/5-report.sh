#!/bin/sh
# Write the page again, with two figures of summary on the screen.
set -e
atomgraft report runs/si
