"""Values in and out: --set, --in, --out, -D, --seed, --wrt, --repeat, --json."""

import json
import math
import os

from workshop import LINE, SEVERAL, VECTORS, tdsl, write
import harness
from harness import expect


def outputs(*words):
    return {k: v["data"] for k, v in tdsl(*words, "--json").json()["outputs"].items()}


def test_json_schema():
    """--json has exactly the documented form"""
    result = tdsl("grad", VECTORS, "--set", "x=[1,2,3]", "--seed", "y=[1,1,1]", "--json")
    expect(result.out.count("\n") == 1, result, "one line")
    expect(result.json() == {
        "model": "vectors",
        "outputs": {"y": {"dtype": "f32", "shape": [3], "data": [1, 2, 3]},
                    "total": {"dtype": "f32", "shape": [], "data": 6}},
        "grads": {"w": {"dtype": "f32", "shape": [3], "data": [1, 2, 3]}, "unused": None}},
        result, "the schema")
    run = tdsl("run", VECTORS, "--set", "x=[1,2,3]", "--json").json()
    expect(run["grads"] == {}, result, "no gradients from run")


def test_special_numbers():
    """NaN and infinities are strings in JSON, words in the text; other types print as themselves"""
    program = write("special.tdsl", """\
model special {
    input x: f32[4]
    input k: i64 = 3
    input on: bool = true
    output y = x * 2, k2 = k + 1, off = not on
}
""")
    result = tdsl("run", program, "--set", "x=[nan,inf,-inf,-0.0]", "--json")
    expect('["NaN", "Infinity", "-Infinity", -0' in result.out, result, "strings, and -0")
    parsed = result.json()["outputs"]
    expect(parsed["k2"] == {"dtype": "i64", "shape": [], "data": 4}, result, "an i64")
    expect(parsed["off"] == {"dtype": "bool", "shape": [], "data": False}, result, "a bool")
    expect(math.isnan(harness.number(parsed["y"]["data"][0])), result, "NaN")
    text = tdsl("run", program, "--set", "x=[nan,inf,-inf,1]")
    expect("y: f32[4] = [nan, inf, -inf, 2" in text.out, text, "words")


def test_text():
    """the text names type and gradient; a null gradient is not zeros"""
    result = tdsl("grad", VECTORS, "--set", "x=[1,2,3]", "--seed", "total=1")
    for line in ("y: f32[3] = [1", "total: f32 = 6", "grad.w: f32[3] = [1", "grad.unused = null"):
        expect("\n" + line in "\n" + result.out, result, line)


def test_set_forms():
    """numbers, lists, @file.npy, @file.npz:key"""
    harness.write_npy("x.npy", "<f4", [3], [4, 5, 6])
    harness.write_npz("xs.npz", {"first": ("<f8", [3], [7, 8, 9]), "x": ("<f4", [3], [1, 1, 1])})
    for text, want in (("[1, 2, 3]", [1, 2, 3]), ("[1.5,-2e0,.25]", [1.5, -2, 0.25]),
                       ("@x.npy", [4, 5, 6]), ("@xs.npz:first", [7, 8, 9]),
                       ("@xs.npz:x", [1, 1, 1])):
        result = tdsl("run", VECTORS, "--set", "x=" + text, "--json")
        expect(result.json()["outputs"]["y"]["data"] == want, result, want)
    expect(outputs("run", LINE, "--set", "x=-4")["y"] == -11, tdsl("version"), "-11")


def test_bad_values():
    """values that do not fit: exit code 1, one message with both shapes or types"""
    program = write("kinds.tdsl", """\
model kinds<N> {
    input x: f32[2, N] = [[1, 2], [3, 4]]
    input k: i32 = 1
    input on: bool = true
    output y = sum(x) + cast(k, f32)
}
""")
    for words, texts in (
            (["--set", "z=1"], ["'kinds'", "no such input or param"]),
            (["--set", "xx=1"], ["did you mean 'x'"]),
            (["--set", "x=[1,2]"], ["[2]"]), (["--set", "x=[[1,2],[3]]"], ["lengths"]),
            (["--set", "x=[[1,2],3]"], ["mixed"]), (["--set", "x=[[1,2],[3,4]"], ["not closed"]),
            (["--set", "x=hello"], ["number"]), (["--set", "x=[[1,2],[3,4]]]"], ["more text"]),
            (["--set", "k=1.5"], ["k"]), (["--set", "k=3000000000"], ["k"]),
            (["--set", "x=[[1e400]]"], ["out of range"]), (["--set", "x=[[1e39],[0]]"], ["out of range"]),
            (["--set", "x=[[0x10]]"], ["a number"]), (["--set", "x=[[nan(1)]]"], ["a number"]),
            (["--set", "on=2"], ["on"]), (["--set", "x="], ["x="])):
        result = tdsl("run", program, *words, code=1)
        expect(result.out == "" and result.err.count("error: ") == 1, result, "one error")
        for text in texts:
            expect(text in result.err, result, text)
    result = tdsl("run", VECTORS, code=1)
    expect("'x'" in result.err and "--set" in result.err, result, "x has no value, and what to do")
    harness.write_npz("xs.npz", {"x": ("<f4", [3], [1, 2, 3])})
    result = tdsl("run", VECTORS, "--set", "x=@xs.npz:y", code=1)
    expect("no array has this name" in result.err, result, "the name is missing")


def test_dimensions():
    """-D binds; the shape of a value binds; both at once must agree"""
    expect(outputs("run", VECTORS, "--set", "x=[1,2,3,4,5]")["total"] == 15, tdsl("version"), "15")
    result = tdsl("run", VECTORS, "-D", "N=2", "--set", "x=[1,2]", "--json")
    expect(result.json()["outputs"]["y"]["shape"] == [2], result, "shape [2]")
    result = tdsl("run", VECTORS, "-D", "N=4", "--set", "x=[1,2]", code=1)
    expect("[2]" in result.err and "4" in result.err, result, "both shapes")
    result = tdsl("run", VECTORS, "-D", "M=4", "--set", "x=[1,2]", code=1)
    expect("M" in result.err, result, "M is unknown")
    free = write("free.tdsl", "model free<N> { input x: f32[N]; param w: f32[N] = 2; "
                              "output y = sum(x * w) }\n")
    expect(outputs("run", free, "--set", "x=[1,2]")["y"] == 6, tdsl("version"), "6")
    tdsl("check", free)


def test_files_round_trip():
    """--out writes outputs and gradients by name; --in reads params and inputs by name"""
    for name in ("all.npz", "all.safetensors"):
        tdsl("grad", VECTORS, "--set", "x=[1,2,3]", "--set", "w=[2,2,2]", "--seed", "total=1",
             "--out", name)
        expect(os.path.getsize(name) > 0, tdsl("version"), name)
    arrays = harness.read_npz("all.npz")
    result = tdsl("version")
    expect(set(arrays) == {"y", "total", "grad.w"}, result, f"the names, not {sorted(arrays)}")
    expect(arrays["y"] == ("<f4", [3], [2, 4, 6]), result, "y")
    expect(arrays["grad.w"] == ("<f4", [3], [1, 2, 3]), result, "grad.w")
    expect(arrays["total"] == ("<f4", [], [12]), result, "total of rank 0")
    harness.write_npz("in.npz", {"x": ("<f4", [2], [5, 6]), "w": ("<f4", [2], [10, 100]),
                                 "other": ("<i8", [1], [1])})
    expect(outputs("run", VECTORS, "--in", "in.npz")["y"] == [50, 600], result, "both bound")
    both = outputs("run", VECTORS, "--in", "in.npz", "--set", "w=[1,1]")
    expect(both["y"] == [5, 6], result, "--set wins over --in")
    renamed = write("renamed.tdsl", "model m<N> { input y: f32[N]; output z = y + 1 }\n")
    for name in ("all.npz", "all.safetensors"):
        expect(outputs("run", renamed, "--in", name)["z"] == [3, 5, 7], result, name)


def test_seeds():
    """a non-scalar output needs a seed; several seeds add up; wrong ones are refused"""
    x = ["--set", "x=[1,2,3]"]
    result = tdsl("grad", VECTORS, *x, code=1)
    expect("--seed" in result.err and "'y'" in result.err, result, "y needs a seed")
    result = tdsl("grad", VECTORS, *x, "--seed", "y=[1,10,100]", "--json").json()
    expect(result["grads"]["w"]["data"] == [1, 20, 300], result, "x times the seed")
    result = tdsl("grad", VECTORS, *x, "--seed", "y=[1,10,100]", "--seed", "total=-1", "--json")
    expect(result.json()["grads"]["w"]["data"] == [0, 18, 297], result, "the sum of both")
    result = tdsl("grad", LINE, "--seed", "y=2.5", "--json").json()
    expect(result["grads"]["w"]["data"] == 5, result, "2.5 times 2")
    for words, text in ((["--seed", "y=[1,2]"], "[3]"), (["--seed", "no=1"], "no"),
                        (["--seed", "y=1"], "[3]")):
        result = tdsl("grad", VECTORS, *x, *words, code=1)
        expect(text in result.err, result, text)


def test_wrt():
    """--wrt: these leaves only; an input can be asked for only if it requires a gradient"""
    result = tdsl("grad", LINE, "--wrt", "b", "--json").json()
    expect(set(result["grads"]) == {"b"}, result, "b alone")
    result = tdsl("grad", LINE, "--wrt", "w,b", "--json").json()
    expect(set(result["grads"]) == {"w", "b"}, result, "w and b")
    result = tdsl("grad", LINE, "--wrt", "x", code=1)
    expect("'x'" in result.err, result, "x requires no gradient")
    result = tdsl("grad", LINE, "--wrt", "ww", code=1)
    expect("ww" in result.err, result, "unknown")


def test_repeat():
    """--repeat accumulates, --zero-grad zeroes before each run"""
    for words, want in (([], 2), (["--repeat", "3"], 6), (["--repeat=3", "--zero-grad"], 2)):
        result = tdsl("grad", LINE, *words, "--json")
        expect(result.json()["grads"]["w"]["data"] == want, result, want)


def test_determinism():
    """the same command prints the same bytes; keys of random numbers matter, engines do not"""
    program = write("random.tdsl", """\
model random {
    param w: f32[5] = uniform(-1, 1)
    param v: f32[3, 4] = kaiming_uniform()
    output y = sum(w) + sum(v), w2 = w * 1, v2 = v * 1
}
""")
    first = tdsl("grad", program, "--json", "--seed", "7").out
    for engine in harness.ENGINES:
        result = tdsl("run", program, "--json", "--seed", "7", "--engine", engine).json()
        harness.compare_results(engine, result, {**json.loads(first), "grads": {}})
    again = tdsl("grad", program, "--json", "--seed", "7")
    expect(again.out == first, again, "the same bytes")
    other = tdsl("grad", program, "--json", "--seed", "8")
    expect(other.out != first, other, "other numbers")
    numbers = other.json()["outputs"]["w2"]["data"]
    expect(all(-1 <= x < 1 for x in numbers) and len(set(numbers)) == 5, other, "uniform numbers")


def test_failures_while_running():
    """an index out of range stops the run with a place, on every engine"""
    program = write("index.tdsl", """\
model index {
    input i: i64[2]
    param w: f32[4] = [1, 2, 3, 4]
    output y = sum(w[i])
}
""")
    endless = write("endless.tdsl", """\
model endless {
    input x: f32 = 1
    y = x
    while y > 0 limit 3 { y = y + 1 }
    output y
}
""")
    texts = set()
    for engine in harness.ENGINES:
        good = tdsl("run", program, "--set", "i=[0,3]", "--engine", engine, "--json").json()
        expect(good["outputs"]["y"]["data"] == 5, tdsl("version"), "5")
        bad = tdsl("run", program, "--set", "i=[0,4]", "--engine", engine, code=1)
        texts.add(bad.err)
        expect("index.tdsl:4:" in bad.err and "out of range for axis 0 with size 4" in bad.err, bad,
               "the place, the axis and its size")
        stuck = tdsl("run", endless, "--engine", engine, code=1)
        texts.add(stuck.err)
        expect("still holds after 3 iterations" in stuck.err, stuck, "the limit")
    expect(len(texts) == 2, bad, f"the same words on every engine: {texts}")


harness.main(harness.tests_of(globals()))
