"""Compilers make of emitted C, without any flag, what it is written for: tiles in wide registers."""

import os
import platform
import re
import shutil
import subprocess

from workshop import example, tdsl, write
import harness
from harness import expect

PRODUCT = """model product {
    input x: f32[64, 96]
    param w: f32[96, 64]
    output y = x @ w
}
"""
OLDEST = {"gcc": 12, "clang": 19, "clang-19": 19}  # that compile kernels for several processors


def compilers():
    """Those here that choose among processors when a program is loaded."""
    if platform.machine() != "x86_64" or platform.libc_ver()[0] != "glibc":
        return []
    found = [name for name in OLDEST if shutil.which(name)]
    version = {name: subprocess.run([name, "-dumpversion"], capture_output=True, text=True,
                                    check=True).stdout for name in found}
    return [name for name in found if int(version[name].split(".")[0]) >= OLDEST[name]]


def straight_runs(assembly):
    """Instructions between labels and jumps."""
    return re.split(r"^(?:\S+:|\s+j\w+\s).*$", assembly, flags=re.MULTILINE)


def test_tile_in_registers():
    """the inner loop of a matrix product multiplies in the widest registers, none of them in memory"""
    path = write("product.tdsl", PRODUCT)
    source = os.path.join(os.path.dirname(path), "product.c")
    result = tdsl("build", path, "-o", source)
    for compiler in compilers():
        result = harness.run([compiler, "-O3", "-S", source, "-o", source + ".s"], code=0)
        with open(source + ".s", encoding="utf-8") as file:
            runs = straight_runs(file.read())
        for register, count in (("zmm", 6), ("ymm", 12)):
            product = rf"vfmadd\w+ps.*{register}"
            best = max(runs, key=lambda run: len(re.findall(product, run)))
            expect(len(re.findall(product, best)) >= count, result, f"{register} by {compiler}")
            expect("%rsp" not in best and "%rbp" not in best, result,
                   f"no spills of {register} by {compiler}")


BEHIND = """model behind {
    input x: f64[4, 8]
    input w: f64[13, 8]
    input v: f64[8, 15]
    r = reshape(tanh(w), [8, 13])
    s = tanh(v)[:, 1:14]
    output y = x @ r
    output z = x @ s
    output r
    output s
}
"""
USER = """#include <stdlib.h>
#include "behind.h"
int main(void) {
    double *x = calloc(32, 8), *w = calloc(104, 8), *v = calloc(120, 8), *y = calloc(52, 8);
    double *z = calloc(52, 8), *r = calloc(104, 8), *s = calloc(104, 8);
    void *workspace = aligned_alloc(64, behind_forward_workspace_bytes());
    behind_inputs inputs = {x, w, v};
    behind_outputs all = {y, z, r, s}, products = {y, z, NULL, NULL};
    int status = behind_forward(&inputs, &all, workspace);
    status += behind_forward(&inputs, &products, workspace);
    free(x), free(w), free(v), free(y), free(z), free(r), free(s), free(workspace);
    return status;
}
"""


def test_behind_columns():
    """what tiles read behind their last column is in the workspace, also where they read a view"""
    path = write("behind.tdsl", BEHIND)
    folder = os.path.dirname(path)
    tdsl("build", path, "-o", os.path.join(folder, "behind.c"))
    write("user.c", USER)
    if shutil.which("gcc"):
        harness.run(["gcc", "-fsanitize=address,undefined", "-g", os.path.join(folder, "user.c"),
                     os.path.join(folder, "behind.c"), "-o", os.path.join(folder, "user"), "-lm"],
                    code=0)
        harness.run([os.path.abspath(os.path.join(folder, "user"))], code=0)


def test_zeros_of_tiles():
    """tiles are set to zero by vectors: string instructions take longer than a small product"""
    path = write("zeros.tdsl", PRODUCT.replace("f32", "f64").replace("96", "16"))
    source = os.path.join(os.path.dirname(path), "zeros.c")
    result = tdsl("build", path, "-o", source)
    if "gcc" in compilers():
        result = harness.run(["gcc", "-O3", "-S", source, "-o", source + ".s"], code=0)
        with open(source + ".s", encoding="utf-8") as file:
            functions = re.split(r"^([A-Za-z]\w*[\w.]*):$", file.read(), flags=re.MULTILINE)
        kernels = [code for name, code in zip(functions[1::2], functions[2::2])
                   if name.startswith("kernel_")]
        expect(kernels and not any("rep stos" in code for code in kernels), result,
               "kernels without string instructions")


def test_whole_vectors():
    """of a row that does not fill vectors the last one overlaps the one before, if the row computes
    something; elements at quotients of the index lie in a loop over the remainders"""
    path = write("rows.tdsl", "model rows {\n    input x: f64[20, 14]\n    param w: f64[14]\n"
                 "    output y = exp(x * w) - x\n}\n")
    result = tdsl("emit", path, "--stage=c")
    expect(re.search(r"vector < 2; .*\n +TDSL_VECTOR\n +for \(int64_t j = 0; j < 8;.*\n.*"
                     r"vector \* 6 \+ j", result.out), result, "the elements 0 to 7 and 6 to 13")
    path = write("short.tdsl", "model short {\n    input x: f32[20, 7]\n    param w: f32[7]\n"
                 "    output y = exp(x * w) - x\n}\n")
    result = tdsl("emit", path, "--stage=c")
    expect(re.search(r"vector < 2; .*\n +TDSL_VECTOR\n +for \(int64_t j = 0; j < 4;.*\n.*"
                     r"vector \* 3 \+ j", result.out), result, "the elements 0 to 3 and 3 to 6")
    path = write("pool.tdsl", "model pool {\n    param x: f32[1, 2, 28, 28]\n"
                 "    output y = sum(max_pool2d(sin(x), 2))\n}\n")
    result = tdsl("emit", path, "--stage=c")
    expect(re.search(r"< 14; .*\n +for \(int64_t part = 0; part < 2;", result.out), result, "windows")


def test_short_rows_of_images():
    """masks of rows that end within a vector are stored by loops over whole images, and what a pooling
    puts back is put in order before it is masked; tiles read neighbours behind their columns, not
    copies; sums of products count no element twice in their last vector"""
    result = tdsl("emit", example("networks/cnn.tdsl"), "--stage=c", "-DB=64", "-DSIZE=28", "-DC1=16",
                  "-DC2=32")
    bodies = re.split(r"\bfor \(", result.out)
    expect(any("(uint8_t)" in body for body in bodies), result, "masks")
    expect(not any("(uint8_t)" in body and "tile" in body for body in bodies), result,
           "masks apart from tiles")
    windows = [body for body in bodies if re.match(r"int64_t part = 0; part < 2;", body)]
    expect(len(windows) == 2 and all(body.count("!= 0") < 2 for body in windows), result,
           "masks apart from windows")
    expect(re.search(r"row < 6; .*\n.*w2\[[^;]*;\n +TDSL_ROW\(16\)\n.*column < 16; .*\n[^;]*"
                     r"tensor\[\w+ \+ column", result.out), result, "no copy of the images")
    expect(re.search(r"used\[lane\] = \(int32_t\)\(lane >= 4\);", result.out), result,
           "twelve of the last sixteen lanes")


def test_clones():
    """entries and small kernels with functions are compiled for several processors"""
    result = tdsl("emit", example("suite/lstm_diagonal.tdsl"), "--stage=c", "--real=f64",
                  "-DB=14", "-DCHARACTERS=64")
    expect("TDSL_CLONES\nstatic void kernel_h(" in result.out, result, "clones of kernel_h")
    result = tdsl("emit", example("perceptron.tdsl"), "--stage=c")
    expect("TDSL_CLONES\nint perceptron_gradient(" in result.out, result, "clones of the entry")


def test_marks_for_clang():
    """loops around sums of lanes are not to become vectors, rows of tiles that fill one and a half of
    the widest vectors consist of three: clang's own choice takes several times as long"""
    result = tdsl("emit", example("suite/logistic_regression.tdsl"), "--stage=c", "-DN=400", "-DD=32")
    expect(re.search(r"TDSL_SERIAL\n +for \(int64_t i = 0; i < 400; .*\n +TDSL_ROW", result.out),
           result, "the rows")
    for count in 8, 4, 2:
        expect(re.search(r"TDSL_JOIN\n +for \(int64_t lane = 0; lane < %d;" % count, result.out),
               result, f"joining {count} and {count} lanes")
    expect("TDSL_LANES" not in result.out, result, "no other mark")
    result = tdsl("emit", example("suite/gaussian_mixture.tdsl"), "--stage=c", "--real=f64",
                  "-DN=1000", "-DD=10", "-DK=25")
    tiles = re.findall(r"(.*)\n +for \(int64_t column = 0; column < (\d+); .*\n"
                       r" +for \(int64_t row = 0; row < 4;", result.out)
    expect(tiles and all(mark.strip() == "TDSL_LANES(4)" for mark, count in tiles if count == "12"),
           result, "tiles of 12 columns")


def test_rows_stored_apart():
    """numbers of a row that share functions are computed in vectors of rows, and stored by a loop that
    does nothing else; a NaN is kept by a comparison that the next minimum does not wait for"""
    result = tdsl("emit", example("networks/mlp_small.tdsl"), "--stage=c", "-DB=32", "-DI=4", "-DH=16",
                  "-DCLASSES=3")
    loops = [loop for loop in re.split(r"\bfor \(", result.out) if re.search(r"\[lane\] = ", loop)]
    expect(any("exp_f32(" in loop and "log_f32(" in loop for loop in loops), result, "computed")
    stores = [loop for loop in re.split(r"\bfor \(", result.out) if "= part[lane];" in loop]
    expect(stores and not any("_f32(" in loop for loop in stores), result, "stored")
    expect("nan_or_f32(" in result.out, result, "the largest")


def test_tall_tiles():
    """products with selections look at sixteen rows at once; triangles are tiles of one vector with all
    rows, of which GCC keeps the vectors"""
    result = tdsl("emit", example("suite/kmeans.tdsl"), "--stage=c", "--real=f64", "-DN=2000", "-DK=1000",
                  "-DD=16")
    expect(re.search(r"any\[lane\] = any\[lane\] \| i64_from_bits_of_f64\([^;]*lane \+ 12\]\);", result.out),
           result, "sixteen rows")
    result = tdsl("emit", example("suite/gaussian_mixture.tdsl"), "--stage=c", "--real=f64",
                  "-DN=1000", "-DD=10", "-DK=25")
    expect(re.search(r"TDSL_VECTOR\n +for \(int64_t column = 0; column < 8; .*\n +for \(int64_t row = 0; "
                     r"row < 7;", result.out), result, "seven rows of the triangle")


def test_fetched_rows():
    """rows of large buffers are fetched ahead, each once, where another loop computes much, or in the
    one that reads them last; short rows and small buffers are not"""
    norms = ["emit", example("networks/normalised.tdsl"), "--stage=loops", "-DC=512"]
    result = tdsl(*norms, "-DROWS=1024")
    kernel = re.search(r"^kernel x_gradient.*?(?=^kernel)", result.out, re.DOTALL | re.MULTILINE)
    fetched = re.findall(r"vector loop lane\d+ < \d+, fetches (.*)\]$", kernel[0], re.MULTILINE)
    names = re.findall(r"(\w+)\.\d+\[", " ".join(fetched))
    expect(sorted(names) == ["seed", "x", "x_gradient"], result, "each buffer once")
    expect(all(re.search(r" \* 512 \+ .*512$", row) for row in fetched), result, "the next row")
    result = tdsl(*norms, "-DROWS=64")
    expect("fetches" not in result.out, result, "nothing of what caches hold")
    blocks = ["suite/logistic_regression.tdsl", "-DN=100000", "-DD=32"]
    result = tdsl("emit", example(blocks[0]), "--stage=c", *blocks[1:])
    expect(re.search(r"TDSL_FETCH\(x, .* \+ 2064,\s+0,\s+3\);\s+for .*\s+sums", result.out), result,
           "the next block of rows, where the gradient is summed")


harness.main(harness.tests_of(globals()))
