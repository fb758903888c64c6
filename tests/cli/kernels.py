"""The kernels that programs become: what is computed together, what is left out."""

import re

from workshop import example, tdsl, write
import harness
from harness import expect


def loops(path, *words):
    return tdsl("emit", path, "--stage=loops", *words)


def entry(result, name):
    """The lines of an entry."""
    return re.search(rf"^entry {name},.*?(?=^entry |\Z)", result.out, re.M | re.S).group(0)


def test_rows_of_stacks():
    """what a loop concatenates is stored in the row of its stack, not copied there"""
    result = loops(example("suite/ode_chain.tdsl"), "--real=f64", "-D", "N=1000", "-D", "STEPS=100")
    ahead = re.split(r"loop i\d+ < 100", entry(result, "gradient"))[1].split("call last")[0]
    calls = re.findall(r"call (\w+)\(", ahead)
    expect(len(calls) == 5, result, "four slopes and a step")
    expect(not any("copy" in call for call in calls), result, "no copies")


def test_shifted():
    """arithmetic that is read at other places is computed again there: a step back is few kernels"""
    result = loops(example("suite/ode_chain.tdsl"), "--real=f64", "-D", "N=1000", "-D", "STEPS=100")
    back = re.split(r"loop i\d+ < 100", entry(result, "gradient"))[2].split("if present")[0]
    expect(back.count("call ") <= 3, result, "at most three kernels in a step of the reverse loop")


def test_names():
    """parts of kernels have names of their own, also where some of them are one with another entry's"""
    program = write("parts.tdsl", """
model parts {
    input t: f64[257, 257] = normal()
    param q: f64[257, 200] = normal()
    output l = sum((t @ q) ** 2)
}
""")
    result = loops(program)
    names = re.findall(r"^kernel (\w+)\(", result.out, re.M)
    expect(len(names) > 10 and len(names) == len(set(names)), result, "no name twice")


def test_no_effect():
    """there is no kernel for a value that all its readers compute on their own"""
    program = write("pairs.tdsl", """
model pairs {
    param x: real[300, 20] = normal()
    param y: real[200, 20] = normal()
    input s: real[300, 200] = normal()
    output l = sum(cdist(x, y) * s)
}
""")
    result = loops(program)
    kernels = re.findall(r"^kernel .*", result.out, re.M)
    expect(len(kernels) > 5 and all("mutable" in kernel for kernel in kernels), result,
           "all kernels store something")


def test_shifted_functions():
    """functions are not computed again"""
    program = write("costly.tdsl", """
model costly {
    param x: real[1000] = uniform(0, 1)
    y = exp(x) * x + 1
    output z = y[1:] * y[:-1]
}
""")
    forward = loops(program)
    expect(len(re.findall(r"= exp ", forward.out.split("entry")[0].split("kernel z(")[1]
                          .split("kernel ")[0])) == 0, forward, "z reads what is stored")


NEAREST = """
model nearest {
    input p: real[200, 8] = uniform(0, 1)
    param c: real[%d, 8] = uniform(0, 1)
    output y = sum([for x in p: amin([for z in c: sum((x - z) ** 2)])])
}
"""

RECTIFIED = """
model rectified {
    input x: real[200, 300] = uniform(-1, 1)
    param w: real[300, 200] = uniform(-1, 1)
    output y = sum(relu(x @ w) @ w.T)
}
"""


def test_selections():
    """steps of zeros are left out of products with selections, not of others"""
    def skips(text):
        return "_bounds(" in loops(write("program.tdsl", text), "--real=f64").out
    expect(skips(NEAREST % 500), None, "the nearest of many")
    expect(not skips(NEAREST % 20), None, "the nearest of few")
    expect(not skips(RECTIFIED), None, "a mask of which half is zero")


TRIANGLE = """
model triangle {
    input x: real[100, 64] = uniform(-1, 1)
    param p: real[64, 64] = uniform(-1, 1)
    output y = sum((x @ %s.T) ** 2)
}
"""


def test_triangles():
    """blocks of zeros are left out of products with triangles, and tiles of gradients that nothing reads"""
    def kernels(matrix):
        return loops(write("program.tdsl", TRIANGLE % matrix), "--real=f64").out
    whole, lower = kernels("(2 * p)"), kernels("tril(p)")
    expect("_bounds(" not in whole and "loop terms" not in whole, whole, "all of a matrix")
    expect("_bounds(" in lower and "loop terms" in lower, lower, "a triangle")
    expect("loop terms" in kernels("where(arange(64)[:, none] - arange(64) < 5, p, 0)"), None, "a band")
    expect("loop terms" not in kernels("where(arange(64)[:, none] < 5, p, 0)"), None, "rows of zeros")
    gradient = lower.split("\nkernel p_gradient")[1]
    expect("if " in gradient and "loop terms" not in gradient, gradient, "tiles that nothing reads")


PARTS = """
model parts {
    input x: real[20, 16] = uniform(-1, 1)
    param q: real[9, 16, 16] = uniform(-1, 1)
    beta = zeros([9, 20])
    for k in 0..9 { beta[k] = sum((x @ q[k].T) ** 2, dim=1) }
    output y = sum(logsumexp(beta, dim=0))
}
"""


def test_scatters():
    """a product that a loop adds to one row of a gradient is added by its tiles"""
    result = loops(write("program.tdsl", PARTS), "--real=f64")
    expect("kernel scatter_add" not in result.out, result, "no kernel of its own")


def test_products_of_rows():
    """sums along vectors read all rows again for each few columns: only if the cache holds the rows"""
    def has_lanes(rows, terms):
        program = write("rows.tdsl", f"""
model rows {{
    input a: real[{rows}, {terms}]
    input b: real[{rows}, {terms}]
    output c = a @ b.T
}}
""")
        return "lane" in loops(program, "--real=f64", "--cpu=x86-64-v4").out
    expect(has_lanes(30, 1500), None, "rows that stay in the cache")
    expect(not has_lanes(1500, 1500), None, "rows of 18 MB")


def test_padded_windows():
    """where a window lies in the padding is not asked for each of its places"""
    program = write("padded.tdsl", """
model padded {
    param x: real[2, 8, 20, 20] = uniform(-1, 1)
    param w: real[8, 1, 3, 3] = uniform(-1, 1)
    output y = sum(sin(conv2d(x, w, padding=1, groups=8)))
}
""")
    result = loops(program)
    kernels = [kernel for kernel in result.out.split("\nkernel ") if kernel.startswith("x_gradient")]
    expect(len(kernels) > 0 and not any(" = select " in kernel for kernel in kernels), result,
           "no choices where the windows are summed")


harness.main(harness.tests_of(globals()))
