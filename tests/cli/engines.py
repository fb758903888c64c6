"""Engines, precision, levels: the same results. gradcheck: agreement and disagreement."""

from workshop import LINE, VECTORS, example, tdsl, write
import harness
from harness import expect

BUSY = write("busy.tdsl", """\
model busy<N = 19> {
    input x: real[N, 7] requires_grad
    param w: real[7, 5] = uniform(-1, 1)
    param b: real[5] = normal()
    h = tanh(x @ w + b)
    for _ in 0..3 { h = h * 1.1 + sin(h) / 3 }
    p = softmax(h, dim=1)
    output loss = mean((p - 0.2) ** 2) + log(sum(exp(b))), p, best = argmax(p, dim=1)
}
""")
harness.write_npy("x.npy", "<f8", [19, 7], [((i * 37) % 101) / 50 - 1 for i in range(133)])
X = ["--set", "x=@x.npy", "--seed", "3"]


def test_engines_agree():
    """jit, c and eval in f32 and f64"""
    for real in ("f32", "f64"):
        results = {}
        for engine in harness.ENGINES:
            words = ["--real", real, "--engine", engine, "--json", "--seed", "loss=1"]
            input_words = X if real == "f64" else [w.replace("x.npy", "x4.npy") for w in X]
            results[engine] = tdsl("grad", BUSY, *input_words, *words).json()
        expect(results["jit"]["outputs"]["loss"]["dtype"] == real, tdsl("version"), real)
        for engine in ("jit", "c"):
            harness.compare_results(engine, results[engine], results["eval"])


def test_levels_agree():
    """-O0 to -O3"""
    want = tdsl("grad", BUSY, *X, "--real=f64", "--seed", "loss=1", "--json", "--engine=eval")
    for level in range(4):
        for engine in ("jit", "c"):
            got = tdsl("grad", BUSY, *X, "--real=f64", "--seed", "loss=1", "--json", f"-O{level}",
                       "--engine", engine)
            harness.compare_results(f"-O{level} {engine}", got.json(), want.json())


def test_threads():
    """--threads changes nothing but time"""
    one = tdsl("grad", LINE, "--json")
    expect(tdsl("grad", LINE, "--json", "--threads", "4").out == one.out, one, "the same")


def test_verify_and_print_after():
    """--verify checks the IR after every pass; --print-after prints to stderr"""
    tdsl("grad", BUSY, *X, "--seed", "loss=1", "--verify")
    result = tdsl("run", LINE, "--print-after", "all")
    expect("func" in result.err or "forward" in result.err, result, "IR on stderr")
    expect("y: f32 = 7" in result.out, result, "the result on stdout")


def test_gradcheck_passes():
    """gradcheck agrees on smooth programs, counts elements and names the worst"""
    result = tdsl("gradcheck", BUSY, *X)
    expect("gradcheck passed: 173 of 173" in result.out and "worst: " in result.out, result,
           "133 + 35 + 5 elements")
    json = tdsl("gradcheck", BUSY, *X, "--json").json()
    expect(json["ok"] and json["checked"] == 173 and json["failed"] == 0, result, "ok")
    json = tdsl("gradcheck", BUSY, *X, "--wrt", "b", "--json").json()
    expect(json["checked"] == 5, result, "b alone")


def test_gradcheck_fails():
    """at a kink the gradient is one-sided: exit code 5, and the element is named"""
    kink = write("kink.tdsl", """\
model kink {
    param x: f32[3] = [1, 0, -1]
    output y = sum(relu(x) * 3)
}
""")
    for engine in harness.ENGINES:
        result = tdsl("gradcheck", kink, "--engine", engine, code=5)
        expect("gradcheck FAILED: 2 of 3" in result.out, result, "2 of 3")
        expect("worst: x[1]: gradient 0, difference 1." in result.out, result, "x[1]")
    json = tdsl("gradcheck", kink, "--json", code=5).json()
    expect(json["ok"] is False and json["worst"]["leaf"] == "x" and json["worst"]["position"] == 1,
           result, "x[1]")
    tdsl("gradcheck", kink, "--set", "x=[1,2,-1]")
    tdsl("gradcheck", kink, "--rtol", "1", "--atol", "2")


def test_bench():
    """bench times outputs and gradients"""
    result = tdsl("bench", LINE)
    expect("forward" in result.out and "gradient" in result.out, result, "both")
    json = tdsl("bench", LINE, "--json").json()
    expect(json["forward"]["median_s"] > 0 and json["gradient"]["compile_s"] > 0, result, "times")
    whole = tdsl("bench", VECTORS, "--set", "x=[1,2,3]")
    expect("gradient" in whole.out, whole, "an output of three elements needs no seed here")
    expect("[3]" in tdsl("bench", VECTORS, "--set", "x=[1,2,3]", "--seed", "y=[1]", code=1).err,
           whole, "but one that is given must fit")


harness.write_npy("x4.npy", "<f4", [19, 7], [((i * 37) % 101) / 50 - 1 for i in range(133)])
harness.main(harness.tests_of(globals()))
