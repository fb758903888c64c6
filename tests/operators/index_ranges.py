"""An index out of range is a status that names the operator's line, on every engine; a negative one counts from
the end where PyTorch says so.

    index_ranges.py TDSL
"""

import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import harness

HEAD = """model indices {
    param x: f64[3, 4] = 1
    param v: f64[4] = 2
    input i: i64[2] = [0, 1]
    input m: i64[1, 4] = 0
    input s: i64 = 0
"""
# The call, the size of the axis (None: of all elements), and whether -1 is its last place.
CALLS = [
    ("x[i]", 3, True), ("x[:, i]", 4, True), ("x[s]", 3, True), ("x[i, i]", 3, True), ("v[cast(i, i32)]", 4, True),
    ("gather(x, 0, m)", 3, False), ("gather(x, 1, m)", 4, False), ("scatter(x, 0, m, 1.0)", 3, False),
    ("scatter_add(x, 1, m, x[:1])", 4, False), ("scatter_reduce(x, 0, m, x[:1], \"amax\")", 3, False),
    ("index_select(x, 0, i)", 3, False), ("take(x, i)", 12, True), ("take_along_dim(x, m, 0)", 3, False),
    ("take_along_dim(x, i)", 12, False), ("embedding(i, x)", 3, False), ("index_add(x, 0, i, x[:2])", 3, False),
    ("index_copy(x, 1, i, x[:, :2])", 4, False), ("index_fill(x, 0, i, 1.0)", 3, True), ("put(x, i, v[:2])", 12, True),
    ("index_put(x, [i], x[:2])", 3, True), ("nll_loss(x[:2], i)", 4, False), ("cross_entropy(x[:2], i)", 4, False),
    ("one_hot(i, 3)", 3, False), ("select(x, 1, s)", 4, True), ("searchsorted(v, v, sorter=m[0])", 4, False),
]


def main():
    tdsl = os.path.abspath(sys.argv[1])
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for number, (call, size, wraps) in enumerate(CALLS):
            path = f"case{number}.tdsl"
            with open(path, "w", encoding="utf-8") as file:
                file.write(HEAD + f"    y = {call}\n    output y\n}}\n")
            line = HEAD.count("\n") + 1
            for engine in ("eval", "jit", "c"):
                for index in (-1, size) if engine == "c" else (size - 1, -1, size, -size - 1):
                    result = harness.run([tdsl, "run", path, "--engine", engine, "--set", f"i=[0,{index}]",
                                          "--set", f"s={index}", "--set", f"m=[[0,0,0,{index}]]"])
                    good = 0 <= index < size or index == -1 and wraps
                    named = f"{path}:{line}:" in result.err and "out of range" in result.err
                    if good and result.code != 0 or not good and (result.code != 1 or not named):
                        wrong.append(f"{call} with {index} on {engine}: {result.code} {result.err}")
        os.chdir("/")
    print("\n".join(wrong) or f"{len(CALLS)} operators look at their indices")
    sys.exit(1 if wrong else 0)


main()
