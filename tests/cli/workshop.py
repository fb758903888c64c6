"""The command line's tests: the path of tdsl, a folder of their own, programs to try."""

import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import harness

TDSL = os.path.abspath(sys.argv[1])
EXAMPLES = os.path.join(harness.root(), "examples")
_folder = tempfile.TemporaryDirectory(prefix="tdsl-test-")
os.chdir(_folder.name)


def tdsl(*words, code=0, **options):
    return harness.run([TDSL, *words], code=code, **options)


def write(name, text):
    with open(name, "wb") as file:
        file.write(text if isinstance(text, bytes) else text.encode())
    return name


def example(*path):
    return os.path.join(EXAMPLES, *path)


LINE = write("line.tdsl", """\
model line {
    input x: real = 2.0
    param w: real = 3.0
    param b: real = 1.0
    y = w * x + b
    output y, twice = 2 * y
}
""")

VECTORS = write("vectors.tdsl", """\
model vectors<N = 3> {
    input x: f32[N]
    param w: f32[N] = 1
    param unused: f32[2] = 0
    output y = x * w, total = sum(x * w)
}
""")

SEVERAL = write("several.tdsl", """\
model one { param x: real = 1.0; output y = x * 10 }
model two { param x: real = 2.0; output y = x * 100 }
""")
