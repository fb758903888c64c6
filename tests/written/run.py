"""Prints a program's adjoint as a program, and compares what that one computes with the gradients.

    run.py TDSL FILE

For the first `grad` and `run` cases that FILE carries (programs/run.py): the outputs and gradients of
`tdsl grad` must be those that `tdsl run` gives for what `emit --stage=tdsl-adjoint` prints; and
printing what was printed and read changes nothing more.
"""

import json
import os
import re
import shlex
import subprocess
import sys
import tempfile

CASES = 3
TOLERANCE = {"f32": 2e-4, "f64": 1e-9}


def run(tdsl, words, folder):
    return subprocess.run([tdsl] + words, cwd=folder, capture_output=True, text=True, timeout=300)


def cases_of(path):
    cases = []
    with open(path, encoding="utf-8") as file:
        for text in file:
            found = re.match(r"\s*# case:\s*(grad|run)\b(.*)", text)
            if found:
                cases.append((found[1], shlex.split(found[2])))
    return cases


def split_options(words):
    """Options for printing, and those that give values to the printed program."""
    emit, values, grad, kind = [], [], [], []
    i = 0
    while i < len(words):
        word, value = words[i], words[i + 1] if i + 1 < len(words) else ""
        if word in ("--set", "-s", "--in"):
            values += [word, value]
            grad += [word, value]
            i += 2
        elif word == "--seed":
            name, number = value.split("=", 1)
            emit += [word, value]
            values += ["--set", f"seed_{name}={number}"]
            grad += [word, value]
            i += 2
        elif word in ("-D", "--wrt", "--model", "--real"):
            emit += [word, value]
            grad += [word, value]
            kind += [word, value] if word == "--real" else []
            i += 2
        else:
            return None  # --repeat and others, which are not about one gradient
    return emit, values, grad, kind


def flatten(data):
    return [x for part in data for x in flatten(part)] if isinstance(data, list) else [data]


def differs(first, second):
    if first["shape"] != second["shape"] or first["dtype"] != second["dtype"]:
        return True
    tolerance = TOLERANCE.get(first["dtype"], 0)
    first, second = flatten(first["data"]), flatten(second["data"])
    scale = max([abs(x) for x in first if not isinstance(x, str)] + [1])
    return any(
        x != y and (isinstance(x, str) or isinstance(y, str) or abs(x - y) > tolerance * scale)
        for x, y in zip(first, second))


def check_case(tdsl, path, command, words, scratch):
    options = split_options(words)
    folder, name = os.path.split(path)
    if options is None:
        return None
    emit, values, grad, kind = options
    expected = run(tdsl, ["grad", name, "--json"] + grad, folder)
    if expected.returncode != 0:
        return None
    expected = json.loads(expected.stdout)
    printed = run(tdsl, ["emit", name, "--stage=tdsl-adjoint"] + emit, folder)
    if printed.returncode == 1 and "has no value" in printed.stderr:
        return None  # a dimension that the values of the case bind
    if printed.returncode != 0:
        return f"cannot print: {printed.stderr}"
    target = os.path.join(folder, f"written-{os.getpid()}.tdsl") if "import " in printed.stdout \
        else os.path.join(scratch, "written.tdsl")
    try:
        with open(target, "w", encoding="utf-8") as file:
            file.write(printed.stdout)
        result = run(tdsl, ["run", target, "--json"] + values + kind, folder)
        if result.returncode == 1 and "is declared" in result.stderr:
            return None  # as before
        if result.returncode != 0:
            return f"the printed program fails: {result.stderr[:2000]}\n{printed.stdout[:6000]}"
        outputs = json.loads(result.stdout)["outputs"]
        again = run(tdsl, ["emit", target, "--stage=tdsl"] + kind, folder)
        if again.returncode != 0:
            return f"cannot print what was printed: {again.stderr[:2000]}"
        with open(target, "w", encoding="utf-8") as file:
            file.write(again.stdout)
        third = run(tdsl, ["run", target, "--json"] + values + kind, folder)
    finally:
        os.unlink(target)
    if third.returncode != 0:
        return f"printed again, the program fails: {third.stderr[:2000]}\n{again.stdout[:6000]}"
    third = json.loads(third.stdout)["outputs"]
    wanted = dict(expected["outputs"])
    for leaf, gradient in expected["grads"].items():
        if gradient is not None:
            wanted["grad_" + leaf] = gradient
    for key, value in wanted.items():
        for got in (outputs, third):
            if key not in got or differs(value, got[key]):
                return f"{key}: expected {value}, got {got.get(key)}\n{printed.stdout[:6000]}"
    return ""


def main():
    tdsl, path = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    done = 0
    with tempfile.TemporaryDirectory() as scratch:
        for command, words in cases_of(path) or [("grad", [])]:
            mistake = check_case(tdsl, path, command, words, scratch)
            if mistake:
                sys.exit(f"{path}: {command} {' '.join(words)}: FAILED\n{mistake}")
            done += mistake == ""
            if done == CASES:
                break
    print(f"{done} cases")


if __name__ == "__main__":
    main()
