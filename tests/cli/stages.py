"""build and emit: every ending, every stage, fmt."""

import os
import shutil
import subprocess
from json import loads as parse

from workshop import EXAMPLES, LINE, VECTORS, example, tdsl, write
import harness
from harness import expect

STAGES = {
    "ast": "model", "ir": "sigmoid", "adjoint": " gradient", "loops": "", "c": "#include",
    "llvm": "define", "asm": ".text", "dot": "digraph",
}


def test_stages():
    """emit --stage=... of each kind, twice the same"""
    for stage, text in STAGES.items():
        result = tdsl("emit", example("perceptron.tdsl"), "--stage", stage)
        expect(text in result.out and len(result.out) > 40, result, f"'{text}' in it")
        again = tdsl("emit", example("perceptron.tdsl"), "--stage=" + stage)
        expect(again.out == result.out, again, "the same text twice")
        expect(harness.root() not in result.out, result, "no path of this machine")


def test_endings():
    """build -o of each ending"""
    for ending, magic in ((".so", b"\x7fELF"), (".o", b"\x7fELF"), (".a", b"!<arch>"),
                          (".c", b"/"), (".h", b"/"), (".s", b"\t"), (".ll", b";")):
        name = "line" + ending
        result = tdsl("build", LINE, "-o", name)
        with open(name, "rb") as file:
            data = file.read()
        expect(data.startswith(magic) and len(data) > 100, result, f"{name} starts with {magic}")
        if ending not in (".h", ".s", ".ll"):
            expect(os.path.exists("line.h"), result, "a header beside it")
            os.remove("line.h")
    json = tdsl("build", LINE, "-o", "line.so", "--json").json()
    expect(json == {"built": "line.so"}, json, "built")
    for row in 1, 1 << 20:  # entries that use threads and entries that do not
        wide = write("wide.tdsl", "model wide { param x: f32[%d] = 1; output y = sum(x) }" % row)
        tdsl("build", wide, "-o", "wide.so")
        with open("wide.json", encoding="utf-8") as file:
            symbols = [entry["parallel_symbol"] for entry in parse(file.read())["entries"]]
        expect(any(symbols) == (row > 1), symbols, "symbols of entries with threads, if any")


def test_same_bytes():
    """a product is the same bytes every time"""
    for ending in (".so", ".o", ".a", ".c", ".h", ".json"):
        contents = []
        for folder in ("first", "second"):
            os.makedirs(folder, exist_ok=True)
            tdsl("build", example("mlp.tdsl"), "-o", folder + "/mlp" +
                 (ending if ending != ".json" else ".c"))
            with open(folder + "/mlp" + ending, "rb") as file:
                contents.append(file.read())
        expect(contents[0] == contents[1], tdsl("version"), f"{ending}: the same bytes")


def test_emitted_c_compiles():
    """the C of every example: no warning by gcc and clang, as C99 and as C++"""
    strict = ["-pedantic", "-Wall", "-Wextra", "-Werror"]
    compilers = (["gcc", "-std=c99", "-O1", "-c", "-o", "/dev/null"],
                 ["clang", "-std=c99", "-fsyntax-only"],
                 ["g++", "-x", "c++", "-fsyntax-only"],
                 ["clang++", "-x", "c++", "-Wno-deprecated", "-fsyntax-only"])
    programs = [example(name) for name in sorted(os.listdir(EXAMPLES)) if name.endswith(".tdsl")]
    programs.append(example("digits", "classifier.tdsl"))
    for program in programs:
        tdsl("build", program, "-o", "emitted.c")
        for command in compilers:
            if shutil.which(command[0]):
                harness.run([*command, *strict, "emitted.c"], code=0)


def test_symbols():
    """an object needs only libm; it defines the documented functions"""
    tdsl("build", example("mlp.tdsl"), "-o", "mlp.o")
    names = harness.run(["nm", "mlp.o"], code=0).out.split("\n")
    undefined = {line.split()[-1] for line in names if " U " in line}
    allowed = {"tanhf", "expf", "expm1f", "memcpy", "memset", "memmove", "sqrtf", "sincosf",
               "_GLOBAL_OFFSET_TABLE_"}
    expect(undefined <= allowed, tdsl("version"), f"only libm and mem*, not {undefined - allowed}")
    data = [line for line in names if " D " in line or " B " in line or " d " in line]
    expect(not data, tdsl("version"), f"no writable globals: {data}")
    defined = {line.split()[-1] for line in names if " T " in line or " i " in line}
    for part in ("forward", "backward", "gradient", "initialize", "zero_gradients"):
        expect("mlp_" + part in defined, tdsl("version"), f"{part} in {defined}")


def test_pass_lists():
    """--passes runs these passes, and the result stays the same"""
    want = tdsl("grad", LINE, "--json").out
    for passes in ("inline", "inline,simplify", "inline,simplify,merge_equal,remove_dead"):
        result = tdsl("grad", LINE, "--json", "--passes", passes)
        expect(result.out == want, result, want)


def test_format():
    """fmt keeps the meaning and the comments, and formatting twice changes nothing"""
    messy = write("messy.tdsl", "# a comment\nmodel   m{input x:real=2 ;param w:real=3\n"
                                "  y=x*w # product\n\n\n\n  output y}\n")
    first = tdsl("fmt", messy)
    expect("# a comment" in first.out and "# product" in first.out, first, "the comments")
    write("once.tdsl", first.out)
    expect(tdsl("fmt", "once.tdsl").out == first.out, first, "a fixed point")
    expect(tdsl("run", "once.tdsl", "--json").out == tdsl("run", messy, "--json").out, first,
           "the same results")
    tdsl("fmt", write("broken.tdsl", "model m {"), code=1)


def test_examples_are_formatted():
    """the examples are in the canonical layout"""
    for folder, _, names in os.walk(EXAMPLES):
        for name in sorted(names):
            if name.endswith(".tdsl"):
                path = os.path.join(folder, name)
                with open(path, encoding="utf-8") as file:
                    text = file.read()
                result = tdsl("fmt", path)
                expect(result.out == text, result, f"the text of {path}")


harness.main(harness.tests_of(globals()))
