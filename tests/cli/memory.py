"""--memory-budget and --stage=memory: what is promised of the workspace, and that nothing else changes."""

import math
import os

from workshop import example, tdsl, write
import harness
from harness import expect

RECURRENT = write("recurrent.tdsl", """\
model recurrent<T = 10000, N = 32> {
    param w: f64[N, N] = normal(0, 0.1)
    input x: f64[T] = 0.1
    h = zeros([N], dtype=f64)
    for t in 0..T { h = tanh(w @ h + x[t]) }
    output loss = sum(h * h)
}
""")
NESTED = write("nested.tdsl", """\
fn energy(p: f64[N], k: f64[N]) = sum(k * p ** 2) + sum(sin(p)) * 0.1

model nested<T = 29, S = 12, N = 50> {
    param k: f64[N] = uniform(0.1, 1)
    input x: f64[N] = 1
    p = x
    m = zeros([N], dtype=f64)
    n = 0
    for t in 0..T {
        m = 0.9 * m + grad(energy)(p, k)
        for s in 0..S {
            if sum(p) > 20 { p = p - 0.01 * tanh(m) * exp(-p * p) } else { p = sin(p) }
        }
    }
    while sum(p * p) > 0.4 limit 300 {
        p = p - 0.01 * (p * k) * cos(p)
        n += 1
    }
    output loss = sum(p * p), n
}
""")
LAYERS = write("layers.tdsl", """\
model layers<N = 4000> {
    param x: f64[N] = 0.3
    h = x
    for factor in [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2] {
        h = cumsum(sin(h) * factor, dim=0) / N + cos(h * factor)
    }
    output loss = sum(h * h)
}
""")
CHECKPOINTS = """\
model blocks<N = 4000> {
    param x: f64[N] = 0.3
    h = x
    for factor in [0.1, 0.2, 0.3, 0.4, 0.5, 0.6] {
        KEEP {
            a = cumsum(sin(h) * factor, dim=0) / N
            b = cumsum(cos(a * h), dim=0) / N
            h = h + a * b
        }
    }
    output loss = sum(h * h)
}
"""


def memory(file, *words):
    """the report on `backward`, checked for what must hold of every report"""
    result = tdsl("emit", file, "--stage=memory", "--json", *words)
    report = [entry for entry in result.json()["entries"] if entry["entry"] == "backward"][0]
    buffers = report["buffers"]
    ends = [buffer["offset"] + buffer["bytes"] for buffer in buffers]
    expect(max(ends, default=0) == report["workspace"], result, "the buffers fill the workspace")
    expect(report["live"] <= report["workspace"], result, "the live minimum is one")
    for i, x in enumerate(buffers):
        for y in buffers[:i]:
            apart = (x["offset"] >= y["offset"] + y["bytes"] or
                     y["offset"] >= x["offset"] + x["bytes"] or
                     x["first"] > y["last"] or y["first"] > x["last"])
            expect(apart, f"{x}\n{y}", "buffers in use at the same time do not overlap")
    return report


def same_gradients(file, budget, *words, engines=harness.ENGINES):
    for engine in engines:
        plain = tdsl("grad", file, "--json", "--engine", engine, *words)
        tight = tdsl("grad", file, "--json", "--engine", engine, "--memory-budget", budget, *words)
        harness.compare_results(f"{engine} {budget}", tight.json(), plain.json(), 1e-12)


def test_table():
    """--stage=memory names, places and explains every buffer"""
    result = tdsl("emit", RECURRENT, "--stage=memory")
    for text in ("backward: workspace of", "h_saved", "f64[10000,32]",
                 "stack of the loop at line 5, saved for the reverse of line 5"):
        expect(text in result.out, result, text)
    kept = memory(RECURRENT)
    expect(kept["workspace"] > 10000 * 32 * 8, kept, "all states are kept")


def test_rows_stay_in_the_cache():
    """the forward and the reverse of chains of rows, and what sums them, need no whole tensor"""
    normalised = example("networks/normalised.tdsl")
    for rows, columns in ((4096, 1024), (521, 1000), (1000, 4000)):
        words = f"-DROWS={rows}", f"-DC={columns}"
        for real, size in (("f32", 4), ("f64", 8)):
            report = memory(normalised, *words, "--real", real)
            whole = [b for b in report["buffers"] if b["bytes"] >= rows * columns * size]
            expect(not whole, whole, f"no tensor of {rows} times {columns} {real}")


def test_root_of_trip_count():
    """a loop of T iterations in the order of sqrt(T) states; with more levels, in fewer"""
    state = 32 * 8
    for trip in (400, 2500, 10000):
        kept = memory(RECURRENT, f"-DT={trip}")["workspace"]
        small = memory(RECURRENT, f"-DT={trip}", "--memory-budget", str(kept // 3))["workspace"]
        others = 3 * 32 * 32 * 8 + 20 * state
        expect(small <= 2.5 * math.sqrt(trip) * state + others, small, f"sqrt({trip}) states")
    few = memory(RECURRENT, "--memory-budget", "24K")["workspace"]
    expect(few <= 24 * 1024, few, "an order below sqrt(T)")


def test_code_size():
    """the size of the code does not grow with the trip count"""
    lines = {}
    for trip in (9000, 90000):
        tdsl("build", RECURRENT, "-o", "recurrent.c", f"-DT={trip}", "--memory-budget", "400K")
        with open("recurrent.c", encoding="utf-8") as file:
            lines[trip] = len(file.readlines())
    expect(abs(lines[9000] - lines[90000]) < 30, lines, "the same code")


def test_same_gradients():
    """gradients with a budget are those without it, on every engine"""
    same_gradients(RECURRENT, "40K", "-DT=301")
    for budget in ("200K", "60K", "25K"):
        same_gradients(NESTED, budget)
    same_gradients(LAYERS, "400K", engines=("jit", "c"))


def test_temporaries_of_threads():
    """before anything is computed again, threads do without temporaries of their own"""
    file = write("images.tdsl", """\
model images {
    input x: f32[64, 1, 28, 28]
    param w1: f32[16, 1, 3, 3] = normal(0, 0.3)
    param w2: f32[32, 16, 3, 3] = normal(0, 0.1)
    y = max_pool2d(relu(conv2d(x, w1, padding=1)), 2)
    y = max_pool2d(relu(conv2d(y, w2, padding=1)), 2)
    output loss = mean(tanh(y) * y)
}
""")
    kept = memory(file)["workspace"]
    result = tdsl("emit", file, "--stage=memory", "--memory-budget", str(kept * 2 // 3))
    expect("temporaries of each thread's own" in result.err, result, "what was given up")
    expect("computed again" not in result.err, result, "nothing is computed again")


def test_products_and_training():
    """build reports what it reached; the manifest has it; gradcheck takes a budget too"""
    result = tdsl("build", RECURRENT, "-o", "small.c", "--memory-budget", "100KiB")
    expect("note: the gradient's workspace has" in result.err, result, "a note")
    expect("line 5: the loop is computed again in segments of" in result.err, result, "the loop")
    with open("small.json", encoding="utf-8") as file:
        expect('"workspace_bytes"' in file.read(), result, "a manifest")
    tdsl("gradcheck", NESTED, "--memory-budget", "60K", "-DN=3", "-DT=5")


def test_instructions():
    """instructions outside of loops are computed again in parts"""
    kept = memory(LAYERS)["workspace"]
    result = tdsl("grad", LAYERS, "--memory-budget", str(kept * 2 // 3), "--out", "g.npz")
    expect("is computed again in" in result.err, result, "parts")


def test_blocks():
    """checkpoint blocks lower the workspace, and change no gradient"""
    blocks = write("blocks.tdsl", CHECKPOINTS.replace("KEEP", "checkpoint"))
    plain = write("plain.tdsl", CHECKPOINTS.replace("KEEP", "if true"))
    less, more = memory(blocks)["workspace"], memory(plain)["workspace"]
    expect(less < 0.7 * more, (less, more), "a smaller workspace")
    for engine in harness.ENGINES:
        words = ["--json", "--engine", engine, "-DN=30"]
        got, want = tdsl("grad", blocks, *words), tdsl("grad", plain, *words)
        harness.compare_results(engine, got.json(), want.json(), 1e-12)


def test_refusals():
    """what cannot be done is refused, with the largest values and their lines"""
    result = tdsl("grad", RECURRENT, "--memory-budget", "4K", code=1)
    for text in ("memory budget is 4096", "line 5:", "f64[32,32]", "hint:", "--memory-budget="):
        expect(text in result.err, result, text)
    enough = result.err.rsplit("--memory-budget=", 1)[1].split(",")[0]
    tdsl("grad", RECURRENT, "--memory-budget", enough)
    result = tdsl("run", LAYERS, "--memory-budget", "64", code=1)
    expect("'forward' needs a workspace of" in result.err, result, "forward counts too")
    for wrong in ("0", "-5", "12X", "K", "1.5M", "99999999999999999999G"):
        tdsl("grad", RECURRENT, f"--memory-budget={wrong}", code=2)


harness.main(harness.tests_of(globals()))
