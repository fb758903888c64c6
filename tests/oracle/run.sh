#!/bin/sh
# run.sh RUNNER ENGINE FOLDER ORACLE_FILE: one file of the oracle on one engine; 77 if it is missing.
if [ ! -r "$4" ]; then
    echo "the oracle's file $(basename "$4") is missing (it lies beside the checkout, in shared/oracle): skipped"
    exit 77
fi
exec "$1" --engine "$2" --claimed "$3/claimed.txt" --differences "$3/differences.txt" "$4"
