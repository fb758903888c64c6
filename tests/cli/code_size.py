"""Loops stay loops: the adjoint of a program is no longer for a thousand iterations than for a few."""

import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import harness

TDSL = os.path.abspath(sys.argv[1])
EXAMPLES = os.path.join(harness.root(), "examples")

# The program, the dimension that counts iterations, and two values of it.
LOOPS = [
    ("suite/gaussian_mixture", "K", 32, 512),
    ("suite/least_squares", "M", 4, 128),
    ("suite/lstm_diagonal", "CHARACTERS", 6, 1024),
    ("suite/ode_chain", "STEPS", 6, 1000),
    ("networks/recurrent_two_layers", "T", 5, 256),
    ("networks/lstm", "T", 5, 64),
    ("networks/gpt", "LAYERS", 3, 48),
    ("science/kalman", "T", 5, 500),
    ("science/shooting", "STEPS", 5, 200),
    ("science/leapfrog", "STEPS", 5, 200),
    ("science/implicit_diffusion", "STEPS", 5, 100),
    ("newton", "STEPS", 5, 1000),
]


def sizes(program, dimension, count):
    """Lines of the adjoint as IR and of the emitted C."""
    for stage in ("adjoint", "c"):
        result = harness.run([TDSL, "emit", f"--stage={stage}", f"-D{dimension}={count}",
                              os.path.join(EXAMPLES, program + ".tdsl")], code=0)
        yield stage, result.out.count("\n")


def test_of(program, dimension, few, many):
    def test():
        for (stage, small), (_, large) in zip(sizes(program, dimension, few),
                                              sizes(program, dimension, many)):
            # A few lines of freedom: sizes decide how kernels are cut into tiles.
            if large > small * 1.1 + 10:
                raise harness.Failure(f"{program}: {small} lines of {stage} for {dimension} = {few}, "
                                      f"{large} for {many}")

    test.__doc__ = f"{program}: {dimension} = {few} and {many}"
    return test


EDGES = """\
model edges {
    input seed: f64[98] = 1
    param x: f64[100] = 1
    output loss = sum(seed * (x[1:99] - x[2:]))
}
"""


def test_edges():
    """loops are cut at the edges of slices, instead of testing each element"""
    with tempfile.TemporaryDirectory(prefix="tdsl-test-") as folder:
        path = os.path.join(folder, "edges.tdsl")
        with open(path, "w", encoding="ascii") as file:
            file.write(EDGES)
        tests = {level: harness.run([TDSL, "emit", "--stage=loops", level, path], code=0)
                 .out.count("select") for level in ("-O0", "-O2")}
    if tests["-O2"] > 0 or tests["-O0"] == 0:
        raise harness.Failure(f"selections in loops: {tests}")


harness.main([test_edges] + [test_of(*loop) for loop in LOOPS])
