"""Large functions that are called several times have one adjoint, which all calls share; what is
computed is what a program without functions computes."""

import re

from workshop import harness, tdsl, write

LAYER = """\
fn layer(x: f64[3, 4], w: f64[4, 4], b: f64[4], unused: f64[4], n: i64) {
    h = tanh(x @ w + b)
    m = mean(h, dim=1, keepdim=true)
    c = h - m
    s = sqrt(mean(c * c, dim=1, keepdim=true) + 1e-3)
    g = c / s * (1 + n)
    e = exp(-g * g) + detach(sin(unused)) * 0.1
    for i in 0..2 { e = sin(e) * x + g }
    return sigmoid(e) * log(1 + e * e) + x
}
"""

LEAVES = """\
    param x: f64[3, 4] = normal(0, 1)
    param w1: f64[4, 4] = normal(0, 0.5)
    param w2: f64[4, 4] = normal(0, 0.5)
    param b1: f64[4] = normal(0, 0.5)
    param b2: f64[4] = 0.25
    param u: f64[4] = 1.5
"""

CALLED = write("called.tdsl", LAYER + "model called {\n" + LEAVES + """\
    h1 = layer(x, w1, b1, u, 2)
    h2 = layer(h1, w2, b2, u, 2)
    h3 = layer(h2, w1, b2, b1, 2)
    output loss = mean(h3 * h3), h2
}
""")


def written_out():
    """The same program with the body of the function at each call."""
    body = LAYER.splitlines()[1:-1]
    lines = ["model called {"] + LEAVES.splitlines()
    for number, (x, w, b, u, n) in enumerate([("x", "w1", "b1", "u", 2), ("h1", "w2", "b2", "u", 2),
                                              ("h2", "w1", "b2", "b1", 2)], 1):
        values = {"x": x, "w": w, "b": b, "unused": u, "n": str(n), "return": f"h{number} ="}
        own = {name: f"{name}_{number}" for name in "hmcsge"}
        lines += [re.sub(r"\b[A-Za-z_]\w*\b",
                         lambda found: {**values, **own}.get(found[0], found[0]), line)
                  for line in body]
    return "\n".join(lines + ["    output loss = mean(h3 * h3), h2", "}", ""])


def want(what, holds):
    if not holds:
        raise harness.Failure(what)


def test_one_adjoint():
    text = tdsl("emit", "--verify", "--stage=adjoint", CALLED).out
    for name, calls in (("layer_forward", 3), ("layer_adjoint", 3)):
        want(f"one function {name}", len(re.findall(rf"^func {name}\(", text, re.M)) == 1)
        want(f"{calls} calls of it", text.count(f"{{callee = {name}}}") == calls)
    text = tdsl("emit", "--verify", "--stage=ir", CALLED).out
    want("three calls forward", text.count("{callee = layer_forward}") == 3)


def test_inlined_in_code():
    """The adjoints are put where they are called before code is made."""
    want("no function is left", "layer_forward" not in tdsl("emit", "--stage=loops", CALLED).out)


def test_gradients():
    plain = write("written_out.tdsl", written_out())
    for options in ([], ["-O0"], ["-O1"], ["--engine", "eval"], ["--wrt", "w1,b1"],
                    ["--seed", "h2=" + str([[0.5] * 4] * 3).replace(" ", "")]):
        got = tdsl("grad", CALLED, "--json", "--verify", *options).json()
        wanted = tdsl("grad", plain, "--json", *options).json()
        want(f"no gradient through detach: {got['grads'].get('u')}", got["grads"].get("u") is None)
        harness.compare_results(str(options), got, wanted, agreement=1e-12)


def test_not_kept():
    """Several results, small functions, single calls and calls in loops are inlined."""
    pair = LAYER.replace("return sigmoid", "return h, sigmoid")
    program = write("pair.tdsl", pair + "model pair {\n" + LEAVES + """\
    a1, h1 = layer(x, w1, b1, u, 2)
    a2, h2 = layer(h1, w2, b2, u, 2)
    output loss = mean(h2 * a1)
}
""")
    want("two results", "callee" not in tdsl("emit", "--stage=adjoint", program).out)
    tdsl("gradcheck", "--wrt", "x,w1,w2,b1,b2", program)
    program = write("loop.tdsl", LAYER + "model loop {\n" + LEAVES + """\
    h = x
    for i in 0..3 { h = layer(layer(h, w1, b1, u, 2), w2, b2, u, 2) }
    output loss = mean(h * h)
}
""")
    want("in a loop", "callee" not in tdsl("emit", "--stage=adjoint", program).out)
    tdsl("gradcheck", "--wrt", "x,w1,w2,b1,b2", program)


harness.main([value for name, value in list(globals().items()) if name.startswith("test_")])
