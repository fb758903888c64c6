"""What the Python tests share: running tdsl, reading its results and messages, comparing numbers,
and writing and reading .npy and .npz files. Python's standard library only."""

import json
import math
import os
import re
import struct
import subprocess
import sys
import zipfile

# No test finds what another has left, and none touches the user's own cache.
os.environ["TDSL_CACHE_DIR"] = ""

ENGINES = ("jit", "c", "eval")


class Failure(Exception):
    """A test failed; the text says how."""


class Result:
    def __init__(self, command, code, out, err):
        self.command, self.code, self.out, self.err = command, code, out, err

    def json(self):
        try:
            return json.loads(self.out)
        except ValueError as why:
            raise Failure(f"{self}\nnot JSON: {why}")

    def __str__(self):
        return f"$ {' '.join(map(str, self.command))}\nexit code {self.code}\n{self.out}{self.err}"


def run(command, code=None, timeout=120, cwd=None, env=None, stdout=None):
    """Runs a command. With `code`, any other exit code fails the test; a signal always does."""
    try:
        done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL,
                              stdout=stdout or subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=timeout, cwd=cwd, env=env)
    except subprocess.TimeoutExpired:
        raise Failure(f"$ {' '.join(map(str, command))}\nran past {timeout} s")
    result = Result(command, done.returncode, (done.stdout or b"").decode("utf-8", "replace"),
                    done.stderr.decode("utf-8", "replace"))
    if done.returncode < 0 or "Sanitizer" in result.err or "runtime error:" in result.err:
        raise Failure(f"{result}\ncrashed")
    if code is not None and done.returncode != code:
        raise Failure(f"{result}\nexpected exit code {code}")
    return result


# ---- numbers

def number(value):
    """A number of --json: NaN and the infinities are strings there."""
    if isinstance(value, str):
        return {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}[value]
    return value


def flatten(value, shape=()):
    """A nested list as its shape and the list of its numbers."""
    if not isinstance(value, list):
        return (), [number(value)]
    shapes, numbers = set(), []
    for item in value:
        inner, some = flatten(item)
        shapes.add(inner)
        numbers += some
    if len(shapes) > 1:
        raise Failure(f"a ragged list: {value}")
    return (len(value),) + (shapes.pop() if shapes else ()), numbers


def close(got, want, relative, absolute=0.0):
    if math.isnan(got) or math.isnan(want):
        return math.isnan(got) and math.isnan(want)
    if math.isinf(got) or math.isinf(want):
        return got == want
    return abs(got - want) <= absolute + relative * abs(want)


def compare(name, got, want, relative, absolute=0.0):
    """Two nested lists of numbers."""
    got_shape, got_numbers = flatten(got)
    want_shape, want_numbers = flatten(want)
    if got_shape != want_shape:
        raise Failure(f"{name} has shape {list(got_shape)}, expected {list(want_shape)}")
    for i, (one, other) in enumerate(zip(got_numbers, want_numbers)):
        if not close(one, other, relative, absolute):
            raise Failure(f"{name}: element {i} is {one}, expected {other}")


def compare_results(name, got, want, agreement=None):
    """Two --json results of the same program on different engines."""
    for part in ("outputs", "grads"):
        if set(got[part]) != set(want[part]):
            raise Failure(f"{name}: the {part} differ: {sorted(got[part])}, {sorted(want[part])}")
        for key, tensor in want[part].items():
            other = got[part][key]
            if tensor is None or other is None:
                if tensor is not other:
                    raise Failure(f"{name}: {part} {key}: {other} and {tensor}")
                continue
            if (other["dtype"], other["shape"]) != (tensor["dtype"], tensor["shape"]):
                raise Failure(f"{name}: {part} {key} have different types")
            exact = tensor["dtype"] in ("bool", "i32", "i64")
            epsilon = 0 if exact else 1e-5 if tensor["dtype"] == "f32" else 1e-12
            epsilon = max(epsilon, agreement or 0) if not exact else 0
            finite = [abs(x) for x in flatten(tensor["data"])[1] if math.isfinite(x)]
            scale = max(finite, default=0)
            compare(f"{name}: {part} {key}", other["data"], tensor["data"], epsilon,
                    0.1 * epsilon * scale)


# ---- messages

class Message:
    def __init__(self, file, line, column, text):
        self.file, self.line, self.column, self.text = file, line, column, text
        self.rest = []  # source line, caret, notes
        self.hints = []

    def __str__(self):
        return f"{self.file}:{self.line}:{self.column}: error: {self.text}"


def read_messages(err):
    """The errors on stderr that have a place."""
    messages = []
    for line in err.splitlines():
        found = re.match(r"(.*?):(\d+):(\d+): error: (.*)", line)
        if found:
            messages.append(Message(found[1], int(found[2]), int(found[3]), found[4]))
        elif messages and line.strip().startswith("hint: "):
            messages[-1].hints.append(line.strip()[len("hint: "):])
        elif messages:
            messages[-1].rest.append(line)
    return messages


# ---- tensor files

FORMATS = {"<f4": "f", "<f8": "d", "<i4": "i", "<i8": "q", "|b1": "?"}


def npy_bytes(descr, shape, numbers):
    shape_text = "(" + "".join(f"{size}, " for size in shape) + ")"
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape_text}, }}"
    header += " " * (63 - (10 + len(header)) % 64) + "\n"
    return (b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() +
            struct.pack(f"<{len(numbers)}{FORMATS[descr]}", *numbers))


def npy_read(data):
    length = struct.unpack("<H", data[8:10])[0]
    header = eval(data[10:10 + length].decode(), {"__builtins__": {}})  # a dict literal we wrote
    count = math.prod(header["shape"])
    numbers = struct.unpack_from(f"<{count}{FORMATS[header['descr']]}", data, 10 + length)
    return header["descr"], list(header["shape"]), list(numbers)


def write_npy(path, descr, shape, numbers):
    with open(path, "wb") as file:
        file.write(npy_bytes(descr, shape, numbers))


def write_npz(path, arrays):
    """arrays: {name: (descr, shape, numbers)}"""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            archive.writestr(name + ".npy", npy_bytes(*array))


def read_npz(path):
    with zipfile.ZipFile(path) as archive:
        return {name[:-4]: npy_read(archive.read(name)) for name in archive.namelist()}


# ---- main

def main(tests):
    """Runs the functions in `tests`, reports each, exits 1 if one fails."""
    failed = 0
    for test in tests:
        name = (test.__doc__ or test.__name__).strip().splitlines()[0]
        try:
            test()
        except Failure as failure:
            failed += 1
            print(f"FAILED: {name}\n{failure}\n", flush=True)
        else:
            print(f"passed: {name}", flush=True)
    if not tests:
        print("there are no tests")
    sys.exit(1 if failed or not tests else 0)


def expect(condition, result, what):
    if not condition:
        raise Failure(f"{result}\nexpected: {what}")


def tests_of(namespace):
    """The functions whose names start with test_, in the order of the file."""
    return [value for name, value in namespace.items() if name.startswith("test_")]


def root():
    return os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
