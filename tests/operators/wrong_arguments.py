"""Calls every function of the language with wrong arguments: each call is refused by one error, at its
line, that says which function it is about, or at least the operator or the list it stumbled over.

    wrong_arguments.py TDSL
"""

import collections
import json
import os
import re
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import harness
from harness import Failure

# Functions of functions (tests/errors has them), and those that take anything.
ELSEWHERE = {"error", "grad", "value_and_grad", "vjp", "jvp", "hvp", "jacobian", "hessian", "vmap"}
TAKES_ANYTHING = {"is_tensor", "is_floating_point", "len", "not_equal"}
AXES = {"dim", "dims", "dim0", "dim1", "dim2", "axis0", "axis1", "start_dim", "end_dim"}
AT_ONCE = 12  # errors of one run; more would be left out
# Parts of messages that need no name: the text points to the argument.
SPEAKING = ("this list cannot become a tensor", "needs numbers or tensors, got",
            "a tensor or a number is needed here", "one value is needed here",
            "a number known while compiling")

HEAD = """model wrong {
    input x: f32[4, 3] = 0.5
    input v: f32[7] = 0.5
    input s: f32 = 0.5
"""

Parameter = collections.namedtuple("Parameter", "name rest kind default")


def parameters(signature):
    inner, parts, depth, quoted, word = signature[signature.index("(") + 1:-1], [], 0, False, ""
    for letter in inner + ",":
        quoted ^= letter == '"'
        depth += (letter in "([") - (letter in ")]")
        if letter == "," and depth == 0 and not quoted:
            parts.append(word.strip())
            word = ""
        else:
            word += letter
    for part in filter(None, parts):
        left, _, default = part.partition("=")
        name, _, kind = left.partition(":")
        name = name.strip()
        yield Parameter(name.rstrip("*"), name.endswith("*"), kind.strip(), default.strip() or None)


def wrong_calls(name, taken):
    needed = [p for p in taken if p.default is None]
    if needed:
        yield f"{name}()"
    if not any(p.rest for p in taken):
        yield f"{name}({', '.join(['x'] * (len(taken) + 1))})"
    if not taken:
        return
    yield f"{name}(x, bogus=1)"
    yield f"{name}(x, {taken[0].name}=x)"
    if name in TAKES_ANYTHING:
        return
    others = ["x"] * (len(needed) - 1)
    for first in ('"text"', "none", "fn(a) = a"):
        yield f"{name}({', '.join([first] + others)})"
    for p in taken[1:]:
        rest = [f"{q.name}=x" for q in taken[1:] if q.default is None and q is not p]
        values = []
        if p.default in ("true", "false") or p.kind in ("bool", "int", "size", "axis", "axes"):
            values += ['"nonsense"', "fn(a) = a"]
        elif p.default and re.match(r"-?[0-9.]", p.default):
            values += ["fn(a) = a"]
        elif p.default and p.default.startswith('"') and p.kind == "string":
            values += ["3", "v"]
        if p.kind == "element":
            values += ["3", "v"]
        if p.name in AXES and p.kind in ("axis", "axes"):
            values += ["99", "-99", "1.5", "s"]
        for value in values:
            yield f"{name}({', '.join(['x'] + rest + [f'{p.name}={value}'])})"


def check(tdsl, name, calls):
    """What is wrong with the messages, one text each."""
    with open("wrong.tdsl", "w", encoding="utf-8") as file:
        file.write(HEAD + "".join(f"    r{k} = {call}\n" for k, call in enumerate(calls)) +
                   "    output x\n}\n")
    result = harness.run([tdsl, "check", "wrong.tdsl"], code=1)
    first = HEAD.count("\n") + 1
    found = collections.defaultdict(list)
    for line, text in re.findall(r"^wrong\.tdsl:(\d+):\d+: error: (.*)$", result.err, re.M):
        found[int(line) - first].append(text)
    for k, call in enumerate(calls):
        errors = found.pop(k, [])
        if len(errors) != 1:
            yield f"{call}: {len(errors)} errors: {errors}"
        elif name not in errors[0] and not any(text in errors[0] for text in SPEAKING):
            yield f"{call}: does not say what it is about: {errors[0]}"
    for texts in found.values():
        yield f"{name}: at another line: {texts}"
    if len(re.findall(r": error: ", result.err)) != len(calls):
        yield f"{name}: errors elsewhere: {result.err}"


def main(tdsl):
    tdsl = os.path.abspath(tdsl)
    functions = harness.run([tdsl, "ops", "--json"], code=0).json()
    wrong, tried = [], 0
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for function in functions:
            name = function["name"]
            if name in ELSEWHERE:
                continue
            calls = list(wrong_calls(name, list(parameters(function["signature"]))))
            for start in range(0, len(calls), AT_ONCE):
                wrong += check(tdsl, name, calls[start:start + AT_ONCE])
            tried += len(calls)
        os.chdir("/")
    print("\n".join(wrong))
    print(f"{tried} wrong calls of {len(functions)} functions")
    if wrong or tried < 10 * len(functions) / 2:
        raise Failure(f"{len(wrong)} of them not refused as they should be")


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except Failure as failure:
        sys.exit(str(failure))
