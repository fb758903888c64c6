"""Threads: --threads changes nothing but time; products that are given threads, used from C."""

import json
import os

from workshop import tdsl
import harness
from harness import expect

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ROWS = os.path.join(ROOT, "tests", "threads", "programs", "rows.tdsl")
MIXTURE = os.path.join(ROOT, "examples", "suite", "gaussian_mixture.tdsl")
KMEANS = os.path.join(ROOT, "examples", "suite", "kmeans.tdsl")
SUMS = os.path.join(ROOT, "tests", "threads", "programs", "sums.tdsl")
STRICT = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wshadow", "-Werror"]
USER = [os.path.join(ROOT, "tests", "threads", "product.c"),
        os.path.join(ROOT, "runtime", "threads.c"), f"-I{ROOT}", "-I.", "-std=c11",
        "-D_POSIX_C_SOURCE=200809L", "-O2", "-pthread"]


def test_any_number():
    """--threads 1, 2, 3, 0: the same bytes"""
    one = tdsl("grad", SUMS, "--json")
    for count in ("2", "3", "0"):
        expect(tdsl("grad", SUMS, "--json", "--threads", count).out == one.out, one, "the same")


def test_stage_shows_them():
    """the loop form shows parallel loops; the header and the manifest the entry that has them"""
    result = tdsl("emit", ROWS, "--stage=loops")
    expect("parallel loop chunk" in result.out, result, "parallel loops")
    tdsl("build", ROWS, "-o", "rows.c")
    with open("rows.h", encoding="utf-8") as file:
        header = file.read()
    expect("int rows_backward_parallel(" in header, result, "the entry in the header")
    with open("rows.json", encoding="utf-8") as file:
        manifest = file.read()
    expect('"parallel_symbol": "rows_backward_parallel"' in manifest, result, "the symbol")


def test_extremes():
    """the largest or smallest of many elements is found in chunks, of every element type"""
    for element in ("f32", "f64", "i32", "i64"):
        for function in ("amax", "amin"):
            with open("extreme.tdsl", "w", encoding="utf-8") as file:
                file.write("model extreme {\n    input x: %s[3000007]\n    output y = %s(x)\n}\n"
                           % (element, function))
            result = tdsl("emit", "extreme.tdsl", "--stage=loops")
            expect("parallel loop chunk" in result.out, result, f"chunks of {element}")


def test_loops_of_rows():
    """a mixture of Gaussians: blocks of rows are chunks; any number of threads gives the same bytes"""
    sizes = [MIXTURE, "--real=f64", "-D", "N=2000", "-D", "D=10", "-D", "K=25"]
    result = tdsl("emit", *sizes, "--stage=loops")
    gradient = result.out[result.out.index("entry gradient"):]
    expect("loop k < 25" not in gradient, result, "loops inside of the chunks")
    one = tdsl("grad", *sizes, "--json")
    expect(tdsl("grad", *sizes, "--json", "--threads", "3").out == one.out, one, "the same")
    exact = json.loads(tdsl("grad", *sizes, "--json", "-O1").out)["grads"]
    for name, leaf in json.loads(one.out)["grads"].items():
        pairs = list(zip(numbers(leaf["data"]), numbers(exact[name]["data"])))
        largest = max(abs(x) for _, x in pairs)
        expect(all(abs(x - y) <= 1e-10 * largest for x, y in pairs), one, f"the gradient of {name}")


def test_tiles_of_two_shapes():
    """blocks of rows whose tiles of C do not fill all columns alike are chunks, too, as wholes"""
    result = tdsl("emit", KMEANS, "--stage=c", "--real=f64", "-D", "N=10000", "-D", "K=1000",
                  "-D", "D=16")
    entry = result.out[result.out.index("int kmeans_forward_parallel("):]
    entry = entry[:entry.index("\n}\n")]
    expect("run_chunks(" in entry, result, "chunks")
    expect("for (" not in entry, result, "no loop of the entry's around chunks")


def numbers(data):
    """the numbers in lists of lists"""
    return [x for part in data for x in numbers(part)] if isinstance(data, list) else [data]


def build_and_run(product, extra):
    harness.run(["cc", *USER, *extra, product, "-o", "user", "-lm"], code=0)
    result = harness.run(["./user"], code=0)
    expect("0 failures" in result.out, result, "no failures")


def test_c_product():
    """rows.c, strict C99, by several threads with a pool of 1 to 8"""
    tdsl("build", ROWS, "-o", "rows.c")
    harness.run(["cc", *STRICT, "-O2", "-c", "rows.c", "-o", "rows_c.o"], code=0)
    build_and_run("rows_c.o", [])


def test_object():
    """rows.o likewise"""
    tdsl("build", ROWS, "-o", "rows.o")
    build_and_run("rows.o", [])


def test_races():
    """rows.c under ThreadSanitizer, where the compiler has it"""
    with open("empty.c", "w", encoding="utf-8") as file:
        file.write("int main(void) { return 0; }\n")
    probe = harness.run(["cc", "-fsanitize=thread", "empty.c", "-o", "empty"])
    if probe.code != 0:
        return
    tdsl("build", ROWS, "-o", "rows.c")
    build_and_run("rows.c", ["-fsanitize=thread", "-g"])


harness.main(harness.tests_of(globals()))
