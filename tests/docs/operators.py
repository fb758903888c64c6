"""Checks that every function and operator is documented and tested.

    operators.py TDSL ROOT

Documented: a meaning, a derivative, and for operators on elements a largest error. Tested: a test or an
example calls it, or the oracle has it.
"""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import harness

# Called by another name or form in tests: the operators of the language, attributes.
SYNTAX = {"mul": "*", "neg": "-", "cast": "cast"}


def texts(root):
    """All that tests and examples call, and the names of the oracle."""
    words = set()
    for folder in ("tests", "examples"):
        for path, _, names in os.walk(os.path.join(root, folder)):
            for name in names:
                if name.endswith((".tdsl", ".tir")):
                    with open(os.path.join(path, name), encoding="utf-8", errors="replace") as file:
                        words |= set(re.findall(r"\b([a-zA-Z_]\w*)\s*\(", file.read()))
    with open(os.path.join(root, "tests", "oracle", "claimed.txt"), encoding="utf-8") as file:
        words |= {line.split()[0] for line in file if line.strip() and line[0] != "#"}
    return words


def main():
    tdsl, root = os.path.abspath(sys.argv[1]), sys.argv[2]
    functions = harness.run([tdsl, "ops", "--json"], code=0).json()
    markdown = harness.run([tdsl, "ops", "--markdown"], code=0).out
    plain = harness.run([tdsl, "ops"], code=0).out
    known, wrong = texts(root), []
    for function in functions:
        name = function["name"]
        if not function["meaning"] or not function["derivative"]:
            wrong.append(f"{name}: the meaning or the derivative is not documented")
        if function["kind"] == "operator" and not (function["error"] and
                                                   function["derivative"].strip()):
            wrong.append(f"{name}: library/facts.def has no error bound for it")
        if f"### {name}\n" not in markdown or f"{name}(" not in plain:
            wrong.append(f"{name}: the lists do not have it")
        if name not in known and name not in SYNTAX:
            wrong.append(f"{name}: no test calls it")
    facts = os.path.join(root, "library", "facts.def")
    with open(facts, encoding="utf-8") as file:
        rows = re.findall(r"^FACT\((\w+),", file.read(), re.M)
    names = {function["name"] for function in functions}
    wrong += [f"library/facts.def: there is no function {row}" for row in rows if row not in names]
    wrong += [f"library/facts.def: two rows of {row}" for row in set(rows) if rows.count(row) > 1]
    if len(functions) < 300 or len(rows) < 60:
        wrong.append("the lists cannot be read any more")
    print("\n".join(wrong) or f"{len(functions)} functions are documented and tested")
    sys.exit(1 if wrong else 0)


main()
