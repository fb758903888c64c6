"""Random programs with nested control flow, in the language: loops with dependent bounds, indexed
assignment, comprehensions, while, if on data. Of each it is checked that the gradient agrees with
central differences; that forward and reverse mode agree, to first and second order; that engines
agree; and that the adjoint printed as a program computes the same.

    run.py TDSL FIRST COUNT        programs number FIRST to FIRST + COUNT - 1; the number is the seed
"""

import json
import os
import random
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "written"))
import run as written

N = 4
BOUNDS = ["0..{i}", "{i} + 1..N", "max(0, {i} - 1)..min(N, {i} + 2)", "{i}..N step 2",
          "{i}..-1 step -1", "0..counts[{i}] limit N"]


class Program:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.indices = []
        self.fresh = 0

    def choose(self, *items):
        return self.random.choice(items)

    def index(self):
        return self.choose(*self.indices) if self.indices else str(self.random.randrange(N))

    def scalar(self, depth=2):
        if depth == 0 or self.random.random() < 0.2:
            return self.choose("s", "t", f"v[{self.index()}]", f"x[{self.index()}]",
                               f"w[{self.index()}, {self.index()}]",
                               f"{self.random.uniform(-1, 1):.2f}")
        a, b = self.scalar(depth - 1), self.scalar(depth - 1)
        return self.choose(f"tanh({a} + {b})", f"({a} - {b})", f"sin({a}) * {b}",
                           f"{a} / (1 + {b} ** 2)", f"cos({a} * {b})",
                           self.reduction(depth - 1))

    def reduction(self, depth):
        self.fresh += 1
        k = f"k{self.fresh}"
        over = f"{k} in {self.plain_bounds()}"
        self.indices.append(k)
        if self.random.random() < 0.3:
            self.fresh += 1
            over += f", m{self.fresh} in {self.plain_bounds()}"
            self.indices.append(f"m{self.fresh}")
            body = self.scalar(depth)
            self.indices.pop()
        else:
            body = self.scalar(depth)
        self.indices.pop()
        return f"0.3 * sum(for {over}: {body})"

    def bounds(self):
        if not self.indices:
            return "0..N"
        return self.choose(*BOUNDS).format(i=self.indices[-1])

    def plain_bounds(self):
        bounds = self.bounds()
        return f"0..min({bounds[3:-8]}, N)" if bounds.endswith("limit N") else bounds

    def block(self, depth, indent):
        return "".join(self.statement(depth, indent) for _ in range(self.random.randint(1, 3)))

    def statement(self, depth, indent):
        pad = "    " * indent
        kind = self.choose("scalar", "store", "add", "vector", "for", "for", "if", "while")
        if depth == 0 and kind in ("for", "if", "while"):
            kind = "store"
        if kind == "scalar":
            return f"{pad}{self.choose('s', 't')} = tanh({self.scalar()})\n"
        if kind == "store":
            return f"{pad}v[{self.index()}] = tanh({self.scalar()})\n"
        if kind == "add":
            return f"{pad}v[{self.index()}] += 0.2 * sin({self.scalar()})\n"
        if kind == "vector":
            self.fresh += 1
            self.indices.append(f"c{self.fresh}")
            text = f"{pad}v = [for c{self.fresh} in 0..N: tanh({self.scalar()})]\n"
            self.indices.pop()
            return text
        if kind == "for":
            self.fresh += 1
            index, bounds = f"i{self.fresh}", self.bounds()
            self.indices.append(index)
            body = self.block(depth - 1, indent + 1)
            self.indices.pop()
            return f"{pad}for {index} in {bounds} {{\n{body}{pad}}}\n"
        if kind == "if":
            then, other = self.block(depth - 1, indent + 1), self.block(depth - 1, indent + 1)
            return f"{pad}if {self.scalar(1)} > 0.1 {{\n{then}{pad}}} else {{\n{other}{pad}}}\n"
        self.fresh += 1
        r = f"r{self.fresh}"
        body = self.block(depth - 1, indent + 1)
        return (f"{pad}{r} = 1.0 + s * s\n{pad}while {r} > 0.3 limit 20 {{\n{body}"
                f"{pad}    {r} = {r} * (0.5 + 0.1 * sin(t))\n{pad}}}\n{pad}s = s + 0.1 * {r}\n")

    def text(self):
        body = "".join(self.statement(2, 1) for _ in range(3))
        numbers = [f"{self.random.uniform(-1, 1):.3f}" for _ in range(N + N * N + 2 * N)]
        rows = [", ".join(numbers[N + N * i:2 * N + N * i]) for i in range(N)]
        counts = ", ".join(str(self.random.randrange(N + 1)) for _ in range(N))
        return f"""fn body(x: f64[N], w: f64[N, N], counts) {{
    s = 0.3 * x[0]
    t = w[1, 1]
    v = x * 0.5
{body}    return sum(v * v) + s * t + s
}}

model nested<N = {N}> {{
    input counts: i64[N] = [{counts}]
    param x: f64[N] = [{", ".join(numbers[:N])}]
    param w: f64[N, N] = [[{"], [".join(rows)}]]
    input d: f64[N] = [{", ".join(numbers[-2 * N:-N])}]
    input e: f64[N] = [{", ".join(numbers[-N:])}]
    output y = body(x, w, counts)
    backward = sum(grad(body)(x, w, counts) * d)
    _, forward = jvp(body)(x, w, counts, d)
    one = sum(hvp(body)(x, w, counts, d) * e)
    other = sum(hvp(body)(x, w, counts, e) * d)
    output backward, forward, one, other
}}
"""


def close(a, b, tolerance=1e-9):
    return abs(a - b) <= tolerance * max(1, abs(a), abs(b))


def check(tdsl, path, scratch):
    results = {}
    for engine in ("jit", "eval"):
        done = written.run(tdsl, ["grad", path, "--json", "--real", "f64", "--engine", engine], scratch)
        if done.returncode != 0:
            return f"grad --engine {engine}: {done.stderr}"
        results[engine] = json.loads(done.stdout)
    outputs = {name: value["data"] for name, value in results["jit"]["outputs"].items()}
    for name, value in outputs.items():
        if not close(value, results["eval"]["outputs"][name]["data"]):
            return f"the engines disagree about {name}"
    if not close(outputs["backward"], outputs["forward"]):
        return f"forward {outputs['forward']}, reverse {outputs['backward']}"
    if not close(outputs["one"], outputs["other"]):
        return f"the Hessian is not symmetric: {outputs['one']}, {outputs['other']}"
    done = written.run(tdsl, ["gradcheck", path, "--real", "f64"], scratch)
    if done.returncode != 0:
        return done.stdout + done.stderr
    return written.check_case(tdsl, path, "grad", ["--real", "f64"], scratch)


def main():
    tdsl, first, count = os.path.abspath(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    failed = 0
    with tempfile.TemporaryDirectory() as scratch:
        for seed in range(first, first + count):
            path = os.path.join(scratch, f"nested_{seed}.tdsl")
            text = Program(seed).text()
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            mistake = check(tdsl, path, scratch)
            if mistake:
                failed += 1
                print(f"program {seed}: {mistake}\n{text}")
    print(f"{count} programs, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
