"""Products for several processors: which variants they hold, that all of them compute the same and
fail with the same statuses, and --cpu for one alone."""

import ctypes
import json
import platform
import re
import subprocess

from workshop import LINE, example, tdsl, write
import harness
from harness import expect

# Columns that fill no whole number of vectors on any processor: all variants have edges of tiles.
MODEL = write("many.tdsl", """\
model many<N = 256, K = 64> {
    input x: f32[N, K]
    input place: i64[N]
    input choice: i64[N]
    param w: f32[K, 38]
    param table: f32[10, 38]
    y = tanh(x @ w + table[place])
    loss = mean(y ** 2) + cross_entropy(y, choice) + mean(x[:, 3])
    output loss, y
}
""")

USER = write("user.c", """\
#include <math.h>
#include <stdio.h>
#include HEADER
#ifndef BACKWARD
#define BACKWARD many_backward
#else
int BACKWARD(const many_inputs *, const many_params *, const many_seeds *, const many_outputs *,
             const many_gradients *, void *, const tdsl_parallel *);
#define WITH_THREADS
#endif

static _Alignas(64) unsigned char workspace[many_WORKSPACE_BYTES + 1];
static float x[256 * 64], w[64 * 38], table[10 * 38], y[256 * 38], d_w[64 * 38], d_table[10 * 38];
static int64_t place[256], choice[256];
static float loss;

static int call(void) {
    many_inputs inputs = {x, place, choice};
    many_params params = {w, table};
    many_seeds seeds = {0};
    many_outputs outputs = {&loss, y};
    many_gradients gradients = {d_w, d_table};
#ifdef WITH_THREADS
    return BACKWARD(&inputs, &params, &seeds, &outputs, &gradients, workspace, 0);
#else
    return BACKWARD(&inputs, &params, &seeds, &outputs, &gradients, workspace);
#endif
}

int main(void) {
    for (int i = 0; i < 256; i++) {
        place[i] = i * 7 % 10;
        choice[i] = i * 3 % 38;
        for (int k = 0; k < 64; k++)
            x[i * 64 + k] = (float)sin(i + 0.1 * k);
    }
    for (int i = 0; i < 64 * 38; i++)
        w[i] = (float)cos(i) / 8;
    int status = call();
    printf("%d %.9g %zu\\n", status, loss, many_workspace_bytes());
    for (int i = 0; i < 64 * 38; i += 37)
        printf("%.9g ", d_w[i]);
    for (int i = 0; i < 10 * 38; i += 13)
        printf("%.9g ", d_table[i]);
    place[17] = 10;
    status = call();
    printf("\\n%d %s\\n", status, many_status_text(status));
    place[17] = 0;
    choice[200] = -1;
    status = call();
    printf("%d %s\\n", status, many_status_text(status));
    return 0;
}
""")

def dispatches():
    machine = subprocess.run(["cc", "-dumpmachine"], stdout=subprocess.PIPE, check=True)
    return platform.machine() == "x86_64" and machine.stdout.strip().endswith(b"linux-gnu")


def runnable():
    """The variants that this processor can run, with the --cpu that makes each alone: as the C
    library's loader sees it. What Linux lists may lack what a virtual machine's processor has."""
    loader = subprocess.run(["/lib64/ld-linux-x86-64.so.2", "--help"], stdout=subprocess.PIPE,
                            text=True, check=True).stdout
    return {"v1": "x86-64"} | {f"v{level}": f"x86-64-v{level}" for level in (3, 4)
                               if re.search(rf"x86-64-v{level} \(supported", loader)}


def use(header, *files, options=()):
    """What the program says that is linked with these files."""
    harness.run(["cc", "-O1", "-o", "user", f'-DHEADER="{header}"', "-I.", *options, USER, *files,
                 "-lm"], code=0)
    return harness.run(["./user"], code=0).out.split("\n")


def check_same(got, want, what):
    """The numbers nearly; statuses, their texts and the size of the workspace exactly."""
    for line in 0, 1:
        for a, b in zip(got[line].split(), want[line].split()):
            expect(harness.close(float(a), float(b), 1e-4, 1e-7), got, f"{what}: {a} for {b}")
    expect(got[0].split()[0] == "0" and got[0].split()[2] == want[0].split()[2], got, what)
    expect(got[2:] == want[2:], got, f"{what}: {want[2:]}")
    failed = [int(line.split()[0]) for line in got[2:4]]
    expect(min(failed) >= 2 and failed[0] != failed[1], got, f"{what}: two statuses of failures")


def symbols(path, *options):
    lines = harness.run(["nm", *options, path], code=0).out.split("\n")
    return [line.split()[-2:] for line in lines if line]


def test_variants():
    """every variant of the .so, the .o and the .a computes what the C does"""
    if not dispatches():
        return
    for ending in "c", "so", "o", "a":
        tdsl("build", MODEL, "-o", "many." + ending)
    want = use("many.h", "many.c")
    for ending in "so", "o", "a":
        check_same(use("many.h", "./many." + ending), want, ending)
    for name in runnable():
        alone = f"only_{name}.o"
        variant = f"many_backward_parallel.{name}"
        harness.run(["objcopy", f"--globalize-symbol={variant}", "many.o", alone], code=0)
        harness.run(["objcopy", f"--redefine-sym={variant}=many_chosen", alone], code=0)
        check_same(use("many.h", alone, options=["-DBACKWARD=many_chosen"]), want, name)


def test_best():
    """the name of an entry stands for the best variant that can run"""
    if not dispatches():
        return
    tdsl("build", MODEL, "-o", "many.so")
    library = ctypes.CDLL("./many.so")
    places = {line.split()[-1]: int(line.split()[0], 16)
              for line in harness.run(["nm", "--defined-only", "many.so"], code=0).out.split("\n")
              if line}

    def address(name):
        return ctypes.cast(getattr(library, name), ctypes.c_void_p).value

    start = address("many_abi_version") - places["many_abi_version"]
    for entry in "many_forward", "many_backward_parallel":
        chosen = [name for name in ("v1", "v3", "v4")
                  if places[f"{entry}.{name}"] == address(entry) - start]
        expect(chosen == [max(runnable())], chosen, f"{entry}: the best of {list(runnable())}")


def test_static():
    """resolvers work in static executables"""
    if dispatches():
        tdsl("build", MODEL, "-o", "many.a")
        tdsl("build", MODEL, "-o", "many.c")
        check_same(use("many.h", "many.a", options=["-static"]), use("many.h", "many.c"), "static")


def test_symbols():
    """entries, and nothing else, are chosen when the product is loaded"""
    if not dispatches():
        return
    tdsl("build", MODEL, "-o", "many.so")
    found = symbols("many.so", "-D", "--defined-only")
    chosen = {name for kind, name in found if kind == "i"}
    expect(chosen == {"many_" + name for name in (
        "forward", "forward_parallel", "backward", "backward_parallel", "gradient",
        "gradient_parallel", "zero_gradients")},
           chosen, "the entries")
    others = {name for kind, name in found if kind != "i"}
    expect({"many_status_text", "many_workspace_bytes", "many_abi_version"} <= others and
           all(name.startswith("many_") and "." not in name for name in others), others, "functions")
    libraries = symbols("many.so", "-D", "--undefined-only")
    expect(all(kind == "w" or name.split("@")[0] in ("memset", "memcpy", "memmove")
               for kind, name in libraries), libraries, "nothing but mem*")
    for ending in "ll", "s":  # for people: one variant
        tdsl("build", MODEL, "-o", "many." + ending)
        with open("many." + ending, encoding="utf-8") as file:
            expect("ifunc" not in file.read(), ending, "no ifunc")


def test_headers():
    """a product's face does not depend on its ending"""
    faces = []
    for ending in "c", "so", "h":
        tdsl("build", MODEL, "-o", "face." + ending)
        with open("face.h", encoding="utf-8") as file:
            faces.append(file.read().replace("face." + ending, "face"))
    expect(faces[0] == faces[1] == faces[2], faces, "the same header")


def test_one_processor():
    """--cpu makes a product for that processor, without a choice"""
    if not dispatches():
        return
    tdsl("build", MODEL, "-o", "many.c")
    want = use("many.h", "many.c")
    cpus = dict(runnable(), native="native", v2="x86-64-v2")
    for cpu in cpus.values():
        tdsl("build", MODEL, "--cpu", cpu, "-o", "one.so")
        kinds = {kind for kind, _ in symbols("one.so")}
        expect("i" not in kinds, kinds, f"no choice with --cpu {cpu}")
        got = use("one.h", "./one.so")
        got[0] = re.sub(r"\d+$", want[0].split()[2], got[0])  # a workspace of its own
        check_same(got, want, cpu)
    wide, narrow = [tdsl("emit", MODEL, "--stage=asm", "--cpu", cpu).out
                    for cpu in ("skylake-avx512", "haswell")]
    expect("%zmm" in wide and "%zmm" not in narrow and "%ymm" in narrow, narrow[:200],
           "vectors as wide as the processor's")
    slow = re.findall(r"\tv\w*(?:gather|scatter)\w*", wide)
    expect(not slow, slow, "no gathers and scatters")


def test_edges():
    """edges of tiles are masked vectors, but no masked store below AVX-512: it takes AMD's cores long"""
    edges = write("edges.tdsl", "model edges {\n    param x: f32[64, 14]\n    param w: f32[14, 14]\n"
                  "    output y = x @ w\n}\n")
    result = tdsl("emit", edges, "--stage=asm", "--cpu", "haswell")
    expect(re.search(r"vmaskmovps\s+\S*\(", result.out), result, "masked loads")
    expect(not re.search(r"vmaskmovps\s+%ymm\d+, %ymm\d+, \S*\(", result.out), result, "no masked stores")


def test_wrong_processors():
    """an unknown processor is refused in one message, and so is native for another target"""
    for command in (["build", "-o", "line.so"], ["emit", "--stage=asm"], ["emit", "--stage=loops"]):
        code = 2 if command[0] == "build" else 1
        result = tdsl(command[0], LINE, *command[1:], "--cpu", "x86-64-v5", code=code)
        lines = result.err.strip().split("\n")
        expect(len(lines) == 2 and "unknown processor 'x86-64-v5'" in lines[0] and
               "hint: did you mean x86-64-v" in lines[1], result, "one message and a hint")
    arm = ["build", LINE, "-o", "line.o", "--target", "aarch64-linux-gnu"]
    tdsl(*arm, "--cpu", "cortex-a72")
    for cpu, message in (("native", "this machine"), ("x86-64-v3", "unknown processor"),
                         ("", "unknown processor")):
        result = tdsl(*arm, "--cpu", cpu, code=2)
        expect(message in result.err, result, message)
    result = tdsl("run", LINE, "--cpu", "native", code=2)
    expect("does not take --cpu" in result.err, result, "build and emit only")


def test_workspace():
    """the workspace that a product states is the largest of its variants': none keeps a long row of
    exponentials, which is computed again"""
    for end in "so", "c":
        path = write("long.json", "").replace(".json", "." + end)
        result = tdsl("build", example("suite/log_sum_exp.tdsl"), "-o", path, "-DN=200000",
                      "--real=f64")
        with open(path.replace("." + end, ".json"), encoding="utf-8") as file:
            expect(json.load(file)["workspace_bytes"] < 16384, result, f"of {end}")


harness.main(harness.tests_of(globals()))
