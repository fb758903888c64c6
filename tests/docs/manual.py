"""Checks that the manual page and the option table name the same commands, options and stages.

    manual.py TDSL ROOT
"""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import harness


def main():
    tdsl, root = os.path.abspath(sys.argv[1]), sys.argv[2]
    with open(os.path.join(root, "docs", "tdsl.1"), encoding="utf-8") as file:
        manual = file.read().replace("\\-", "-").replace("\\(aq", "'")
    with open(os.path.join(root, "cli", "options.def"), encoding="utf-8") as file:
        options = re.findall(r'^OPTION\("([\w-]+)", (0|\'\w\')', file.read(), re.M)
    wrong = []
    if len(options) < 20:
        wrong.append("cli/options.def cannot be read any more")
    for name, letter in options:
        shown = f"-{letter[1]}" if letter != "0" else f"--{name}"
        if not re.search(rf"^\.(BR?|BI|TP|OP).*{re.escape(shown)}(?![a-z-])", manual, re.M):
            wrong.append(f"the manual does not describe {shown}")
    known = {f"--{name}" for name, _ in options}
    for name in set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", manual)) - known:
        wrong.append(f"the manual describes {name}, which does not exist")
    for command in re.findall(r"^  ([a-z]+) ", harness.run([tdsl, "--help"], code=0).out, re.M):
        if not re.search(rf"^\.(BR?|BI) .*\b{command}\b", manual, re.M):
            wrong.append(f"the manual does not describe the command {command}")
    print("\n".join(wrong) or f"{len(options)} options are described")
    sys.exit(1 if wrong else 0)


main()
