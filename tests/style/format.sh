#!/bin/sh
# Is every C source laid out as .clang-format says? Prints what differs.
set -eu
cd "$(dirname "$0")/../.."
find . \( -path './build*' -o -path ./.git \) -prune -o \( -name '*.c' -o -name '*.h' \) -print0 |
    xargs -0 clang-format --dry-run -Werror
