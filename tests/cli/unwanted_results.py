"""Outputs and gradients that the caller of a product does not want, with a NULL pointer: the others
stay what they were, and what served the absent ones alone is not computed."""

import array
import ctypes
import itertools
import json
import math
import os
import re

from workshop import tdsl, write
import harness
from harness import expect

PROGRAM = write("parts.tdsl", """\
fn turned(p: f64[2], a: f64[3]) = [cos(p[0]) * a[0] - sin(p[1]) * a[1], exp(p[0] * a[2]) - p[1]]

model parts<N = 40> {
    param a: f64[N, N] = normal(0, 0.2)
    param b: f64[N] = normal(0, 1)
    param c: f64[N] = normal(0, 1)
    param w: f64[N] = normal(0, 1)
    input points: f64[N, 2] = normal(0, 1)
    input at: f64[N, 3] = normal(0, 1)
    shared = tanh(a @ b)
    far = zeros([N], dtype=f64)
    for i in 0..N { far[i] = sum(sin(a[i] * shared)) + (i > 0 ? far[i - 1] : 0) }
    state = b
    for i in 0..N { state = tanh(state * w + c[i]) }
    costly = (a @ a.T) @ a
    output loss = sum((shared - b) ** 2) + sum(exp(c)) + sum(state ** 2)
    of_points, of_at = vmap(jacobian(turned, argnums=[0, 1]))(points, at)
    output far, power = exp(costly @ a), slopes = of_at
}
""")


class Product:
    """A shared object, called through its manifest."""

    def __init__(self, path):
        self.library = ctypes.CDLL(os.path.abspath(path))
        with open(os.path.splitext(path)[0] + ".json", encoding="utf-8") as file:
            self.manifest = json.load(file)
        self.model = self.manifest["model"]
        self.workspace = ctypes.create_string_buffer(self.manifest["workspace_bytes"] + 64)
        self.tensors = {group: [array.array("d", bytes(tensor["bytes"])) for tensor in tensors]
                        for group, tensors in self.manifest["groups"].items()}
        self.call("initialize")

    def call(self, name, absent=()):
        """The results that are wanted, by group and name."""
        entry = next(entry for entry in self.manifest["entries"] if entry["name"] == name)
        arguments, results = [], {}
        for group in entry["arguments"]:
            if group == "workspace":
                arguments.append(ctypes.c_void_p((ctypes.addressof(self.workspace) + 63) & ~63))
                continue
            if group == "key":
                arguments.append(ctypes.byref(ctypes.c_int64(1)))
                continue
            pointers = (ctypes.c_void_p * len(self.tensors[group]))()
            for i, tensor in enumerate(self.tensors[group]):
                key = (group, self.manifest["groups"][group][i]["name"])
                if group == "seeds" or key in absent:
                    continue
                pointers[i] = tensor.buffer_info()[0]
                if group in ("outputs", "gradients"):
                    tensor[:] = array.array("d", [math.nan] * len(tensor))
                    results[key] = tensor
            arguments.append(pointers)
        status = getattr(self.library, f"{self.model}_{name}")(*arguments)
        expect(status == 0, harness.run(["true"]), f"{name} without {absent}: status 0")
        return {key: list(tensor) for key, tensor in results.items()}


def check_product(path):
    product = Product(path)
    for entry in ("forward", "gradient"):
        whole = product.call(entry)
        keys = sorted(whole)
        for count in (1, 2, len(keys) - 1, len(keys)):
            for absent in itertools.combinations(keys, count):
                rest = product.call(entry, absent)
                expect(rest == {key: whole[key] for key in keys if key not in absent},
                       harness.run(["true"]), f"{entry} without {absent}: the same others")


def test_machine_code():
    """every combination of absent results, of a shared object"""
    tdsl("build", PROGRAM, "-o", "parts.so")
    check_product("parts.so")


def test_c():
    """the same of C source"""
    tdsl("build", PROGRAM, "-o", "parts.c")
    harness.run(["cc", "-O1", "-shared", "-fPIC", "parts.c", "-o", "parts_c.so", "-lm"], code=0)
    os.replace("parts.json", "parts_c.json")
    check_product("parts_c.so")


def guarded(entry):
    """For each result that is tested, the kernels that are called under its tests."""
    kernels, test, depth = {}, None, 0
    for line in entry.splitlines():
        indent = len(line) - len(line.lstrip())
        if test is not None and indent <= depth:
            test = None
        found = re.match(r" *if present (\w+)\.", line)
        if found and test is None:
            test, depth = found[1], indent
        elif test is not None and "call " in line:
            kernels.setdefault(test, []).append(line.split("call ")[1].split("(")[0])
    return kernels


def test_work_is_skipped():
    """products, loops and Jacobians that serve one output alone run if it is wanted"""
    result = tdsl("emit", "--stage=loops", PROGRAM)
    entry = result.out.split("\nentry forward")[1].split("\nentry ")[0]
    kernels = guarded(entry)
    expect(len(kernels.get("power", [])) >= 3, result, "all three products under `power`")
    expect(len(kernels.get("slopes", [])) >= 1, result, "the Jacobian under `slopes`")
    expect(len(kernels.get("far", [])) >= 1, result, "the loop under `far`")
    called = [line for line in entry.splitlines() if "call " in line]
    expect(any("shared." in line and line.startswith("    call") for line in called), result,
           "what all need is computed in any case")


def test_sums_of_loops():
    """a gradient that a loop adds up lies in the caller's memory, if that is given: nothing is copied"""
    result = tdsl("emit", "--stage=loops", PROGRAM)
    entry = result.out.split("\nentry gradient")[1].split("\nentry ")[0]
    expect(re.search(r"workspace at \d+, or w_gradient\.\d+\n", result.out), result, "a place of two")
    expect(not re.search(r"copy .* to w_gradient", entry), result, "no copy")


def test_vectors():
    """the iterations of a small Jacobian for each of many points are computed side by side"""
    result = tdsl("emit", "--stage=loops", PROGRAM)
    kernel = next(text for text in result.out.split("\nkernel ")[1:] if text.startswith("slopes("))
    expect("vector loop" in kernel and kernel.count("loop ") == 1, result, "one vector loop")


harness.main(harness.tests_of(globals()))
