"""Runs one program's cases, which it carries in comments, on every engine.

    run.py TDSL FILE

    # case: grad --set x=3.0          a command and its options; lines below belong to it
    # expect: y = 9                   an output, within the tolerance
    # expect: grad.x: f32 = 6         with its type
    # expect: grad.b = null           the outputs do not use b
    # error: text                     instead: this text occurs in the messages, exit code 1
    # exit: 5                         the exit code, where it is neither 0 nor (for errors) 1
    # tolerance: 1e-6                 relative, for the cases below (default 1e-4)
    # agreement: 1e-4                 of the engines on this case, where rounding is magnified
    # engines: jit eval               of this case (default: all)

Results of the engines are compared with each other too, tightly. README.md beside this file's
folder says how to add a test.
"""

import json
import os
import re
import shlex
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import harness
from harness import Failure

COMMANDS = ("check", "run", "grad", "gradcheck")


class Case:
    def __init__(self, line, words, tolerance):
        self.line, self.words, self.tolerance = line, words, tolerance
        self.expected, self.errors = [], []
        self.code = None
        self.agreement = None
        self.engines = harness.ENGINES

    def exit_code(self):
        return self.code if self.code is not None else 1 if self.errors else 0


class Expected:
    def __init__(self, text):
        found = re.fullmatch(r"([\w.]+)\s*(?::\s*(\w+)(\[[\d,\s]*\])?)?\s*=\s*(.*)", text)
        if not found:
            raise Failure(f"cannot read the expectation: {text}")
        self.name, self.dtype = found[1], found[2]
        self.shape = json.loads(found[3] or "[]")
        try:
            self.value = json.loads(found[4])
        except ValueError as why:
            raise Failure(f"cannot read the expected value of {self.name}: {why}")


def read_cases(path):
    cases, tolerance = [], 1e-4
    with open(path, encoding="utf-8") as file:
        for number, text in enumerate(file, 1):
            found = re.match(r"\s*#\s*(case|expect|error|exit|tolerance|agreement|engines):\s*(.*)", text)
            if not found:
                continue
            kind, value = found[1], found[2].strip()
            if kind == "case":
                cases.append(Case(number, shlex.split(value), tolerance))
                if not value or cases[-1].words[0] not in COMMANDS:
                    raise Failure(f"line {number}: a case is one of {', '.join(COMMANDS)}")
            elif kind == "tolerance":
                tolerance = float(value)
            elif not cases:
                raise Failure(f"line {number}: there is no case above")
            elif kind == "expect":
                cases[-1].expected.append(Expected(value))
            elif kind == "error":
                cases[-1].errors.append(value)
            elif kind == "agreement":
                cases[-1].agreement = float(value)
            elif kind == "exit":
                cases[-1].code = int(value)
            else:
                cases[-1].engines = value.split()
    if not cases:
        raise Failure("there is no case")
    for case in cases:
        evaluates = case.words[0] in ("run", "grad")
        if evaluates and not case.errors and not case.expected and not case.exit_code():
            raise Failure(f"line {case.line}: nothing is expected")
    return cases


def find_tensor(result, name):
    part, key = ("grads", name[5:]) if name.startswith("grad.") else ("outputs", name)
    if key not in result[part]:
        raise Failure(f"there is no {name}")
    return result[part][key]


def check_values(case, result):
    for expected in case.expected:
        tensor = find_tensor(result, expected.name)
        if tensor is None or expected.value is None:
            if tensor is not expected.value:
                raise Failure(f"{expected.name} is {tensor}, expected {expected.value}")
            continue
        if expected.dtype and (tensor["dtype"], tensor["shape"]) != (expected.dtype,
                                                                     expected.shape):
            raise Failure(f"{expected.name} is {tensor['dtype']}{tensor['shape']}")
        harness.compare(expected.name, tensor["data"], expected.value, case.tolerance,
                        case.tolerance * 0.01)


def run_case(tdsl, path, case):
    first = None
    for engine in case.engines if case.words[0] != "check" else ("",):
        words = [tdsl, case.words[0], os.path.basename(path), *case.words[1:]]
        if engine:
            words.append("--engine=" + engine)
        if case.words[0] in ("run", "grad"):
            words.append("--json")
        result = harness.run(words, code=case.exit_code(), cwd=os.path.dirname(path) or ".")
        for error in case.errors:
            harness.expect(error in result.err, result, error)
        if case.errors or case.words[0] not in ("run", "grad"):
            continue
        try:
            check_values(case, result.json())
        except Failure as failure:
            raise Failure(f"{result}\n{failure}")
        if first is None:
            first = (engine, result.json())
        else:
            harness.compare_results(f"{first[0]} and {engine}", result.json(), first[1],
                                    case.agreement)


def main():
    tdsl, path = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    failed = 0
    try:
        cases = read_cases(path)
    except Failure as failure:
        sys.exit(f"{path}: {failure}")
    for case in cases:
        try:
            run_case(tdsl, path, case)
        except Failure as failure:
            failed += 1
            print(f"{path}:{case.line}: FAILED\n{failure}\n")
    print(f"{len(cases) - failed} of {len(cases)} cases passed")
    sys.exit(1 if failed else 0)


main()
