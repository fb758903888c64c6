"""Machine code of matrix products: what is around the tiles' multiplications stays cheap."""

import platform
import re

from workshop import example, tdsl, write
import harness
from harness import expect

GELU = """model layer {
    input x: f32[96, 64]
    param w: f32[64, 128]
    output y = sum(gelu(x @ w))
}
"""
TURNED = """model turned {
    input x: f32[256, 512]
    param w: f32[128, 512]
    output y = x @ w.T
}
"""
WIDE = ("--stage=asm", "--cpu=x86-64-v4", "--no-cache")


def is_x86():
    return platform.machine() == "x86_64"


def test_functions_of_results():
    """functions of a tile's results are written out once for a row, not called for each"""
    if is_x86():
        result = tdsl("emit", write("layer.tdsl", GELU), *WIDE)
        expect("zmm" in result.out, result, "wide vectors")
        expect("erf.f32" not in result.out, result, "no function")


def test_turned():
    """columns that are not neighbours are copied as vectors and transposed in registers"""
    if is_x86():
        result = tdsl("emit", write("turned.tdsl", TURNED), *WIDE)
        shuffles = re.findall(r"v(?:permt2|permi2|shuf|unpck|perm)\w+\s.*zmm", result.out)
        expect(len(shuffles) >= 64, result, "sixteen vectors in four rounds")
        expect("vinsertps" not in result.out, result, "no element is loaded on its own")


def test_turned_by_threads():
    """each thread transposes its own columns"""
    result = tdsl("emit", write("turned.tdsl", TURNED), "--stage=loops")
    expect(re.search(r"parallel loop chunk\d+ < \d+\n\s+call y\w*\(", result.out), result,
           "a parallel loop around the product")


def test_results_as_vectors():
    """an adjoint that is masked by the values of its layer is stored along its rows"""
    if is_x86():
        result = tdsl("emit", example("networks/mlp_classifier.tdsl"), *WIDE, "-DB=128",
                      "-DI=784", "-DH1=512", "-DH2=512", "-DCLASSES=10")
        functions = re.split(r"@function\n", result.out)
        adjoints = [text for text in functions if text.startswith("mlp_classifier.d_h")]
        expect(adjoints and not any("vextractps" in text for text in adjoints), result,
               "no element is stored on its own")


harness.main(harness.tests_of(globals()))
