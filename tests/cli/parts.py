"""Machine code that is made in parts by several threads: products are the same on any machine, show nothing
of it and get on with each other, and the cache keeps the parts together."""

import os
import subprocess

from workshop import LINE, TDSL, example, tdsl, write
import harness
from harness import expect

PROGRAM = example("networks", "cnn.tdsl")


def members(path):
    return harness.run(["ar", "t", path], code=0).out.split()


def names(path, *options):
    listed = harness.run(["nm", "--defined-only", "-j", *options, path], code=0).out.split("\n")
    return {name for name in listed if name and ":" not in name}


def on_one_processor(work):
    """What the work gives while this process and its children may run on one processor alone."""
    if not hasattr(os, "sched_setaffinity"):
        return work()
    usable = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(usable)})
    try:
        return work()
    finally:
        os.sched_setaffinity(0, usable)


def built(path):
    result = tdsl("build", PROGRAM, "-o", path)
    with open(path, "rb") as file:
        return result, file.read()


def test_same_bytes():
    """neither the number of processors nor chance shows in a product"""
    result, first = on_one_processor(lambda: built("same.so"))
    for _ in range(3):
        expect(built("same.so")[1] == first, result, "the same bytes")


def test_number():
    """much work is done in parts, little in one, and an object file is one file"""
    for program, several in (PROGRAM, True), (LINE, False):
        result = tdsl("build", program, "-o", "number.a")
        expect((len(members("number.a")) > 1) == several, result, f"several parts: {several}")
        tdsl("build", program, "-o", "number.o")
        alone = {name for name in names("number.o", "-g") if "." in name}
        expect(not alone, alone, "no name of a part in a whole object")


def test_names():
    """a shared object shows its functions, not those that its parts share"""
    result = tdsl("build", PROGRAM, "-o", "names.so")
    shown = names("names.so", "-D")
    expect("cnn_gradient" in shown and all(name.startswith("cnn_") and "." not in name
                                           for name in shown), shown, result)


def test_together():
    """archives of like programs link into one executable"""
    with open(PROGRAM, encoding="utf-8") as file:
        text = file.read()
    for name in "left", "right":
        tdsl("build", write(f"{name}.tdsl", text.replace("model cnn", f"model {name}")), "-o", f"{name}.a")
    source = write("both.c", """\
#include "left.h"
#include "right.h"
int main(void) {
    left_inputs inputs = {0};
    right_params params = {0};
    right_inputs others = {0};
    left_params weights = {0};
    left_outputs one = {0};
    right_outputs two = {0};
    int a = left_forward(&inputs, &weights, &one, 0), b = right_forward(&others, &params, &two, 0);
    return a == 1 && b == 1 ? 0 : 1; /* a required pointer is NULL */
}
""")
    harness.run(["cc", "-I.", source, "left.a", "right.a", "-o", "both", "-lm"], code=0)
    harness.run(["./both"], code=0)


def test_cache():
    """an entry of the cache holds all parts, whoever made them"""
    environment = {**os.environ, "TDSL_CACHE_DIR": os.path.abspath("cache")}

    def gradient():
        return harness.run([TDSL, "grad", PROGRAM, "--json"], code=0, env=environment).out

    def entry():
        (name,) = os.listdir("cache")
        with open(os.path.join("cache", name), "rb") as file:
            return os.stat(file.fileno()).st_ino, file.read()

    def objects(content):
        return content.count(b"\x7fELF")

    right = tdsl("grad", PROGRAM, "--json", "--no-cache").out
    expect(on_one_processor(gradient) == right, right, "the same result")
    made = entry()
    expect(objects(made[1]) > 1, objects(made[1]), "several objects")
    expect(gradient() == right and entry() == made, right, "it is found again")
    subprocess.run(["rm", "-rf", "cache"], check=True)
    expect(gradient() == right and entry()[1] == made[1], right, "the same entry by several threads")


harness.main(harness.tests_of(globals()))
