"""Element types that operands of different types give: PyTorch's table, written down.

    promotion.py TDSL
"""

import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import harness

TYPES = ["bool", "i32", "i64", "f32", "f64"]
# What a tensor with axes (the row) and a scalar (the column) give; two of one kind give the later type.
WITH_SCALAR = {
    "bool": ["bool", "i32", "i64", "f32", "f64"],
    "i32": ["i32", "i32", "i32", "f32", "f64"],
    "i64": ["i64", "i64", "i64", "f32", "f64"],
    "f32": ["f32", "f32", "f32", "f32", "f32"],
    "f64": ["f64", "f64", "f64", "f64", "f64"],
}

INTEGER = ["mul", "add", "pow"]  # of integers they give integers
NAMES = INTEGER + ["div", "xlogy", "logaddexp", "logaddexp2"]


def main():
    tdsl = os.path.abspath(sys.argv[1])
    lines, wanted = ["model promotion {"], {}
    for element in TYPES:
        value = "true" if element == "bool" else "1"
        lines.append(f"    input s_{element}: {element} = {value}")
        lines.append(f"    input v_{element}: {element}[1] = [{value}]")
    for i, x in enumerate(TYPES):
        for k, y in enumerate(TYPES):
            pairs = [(f"s_{x}", f"s_{y}", TYPES[max(i, k)]), (f"v_{x}", f"v_{y}", TYPES[max(i, k)]),
                     (f"v_{x}", f"s_{y}", WITH_SCALAR[x][k]), (f"s_{y}", f"v_{x}", WITH_SCALAR[x][k])]
            for a, b, element in pairs:
                for name in NAMES:
                    if name.startswith("logaddexp") and x[0] + y[0] != "ff" or name == "pow" and element == "bool":
                        continue
                    output = f"r{len(wanted)}"
                    lines.append(f"    output {output} = {name}({a}, {b})")
                    real = element if element[0] == "f" or name in INTEGER else "f32"
                    wanted[output] = (real, f"{name}({a}, {b})")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "promotion.tdsl")
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n}\n")
        outputs = harness.run([tdsl, "run", path, "--json", "--engine", "eval"], code=0).json()["outputs"]
    wrong = [f"{text}: {outputs[output]['dtype']} instead of {element}"
             for output, (element, text) in wanted.items() if outputs[output]["dtype"] != element]
    print("\n".join(wrong) or f"{len(wanted)} results have the right type")
    sys.exit(1 if wrong else 0)


main()
