#!/bin/sh
# run.sh RUNNER ENGINE FOLDER NAME: one file of the corpus on one engine.
set -eu
plain=$(mktemp)
trap 'rm -f "$plain"' EXIT
xz -dc "$3/corpus/$4.txt.xz" >"$plain"
"$1" --engine "$2" --claimed "$3/claimed.txt" --differences "$3/differences.txt" --library "$3/programs.tdsl" "$plain"
