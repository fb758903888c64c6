"""Builds what is measured, starts one process for each contender, and compares their results."""

import json
import os
import subprocess
import sys
import time

import machine

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
BYTES = {"f32": 4, "f64": 8, "i32": 4, "i64": 8, "bool": 1}
# Largest difference from tdsl's result, relative to the largest number of the tensor.
TOLERANCE = {"f32": 1e-3, "f64": 1e-9}


class Failure(Exception):
    """Something could not be built or run; the text says what."""


def execute(words, cwd=None):
    done = subprocess.run([str(word) for word in words], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, cwd=cwd, text=True)
    if done.returncode != 0:
        raise Failure(f"$ {' '.join(map(str, words))}\n{done.stdout}")
    return done.stdout


class Tools:
    """Where the programs are."""

    def __init__(self, build, compiler):
        self.tdsl = os.path.join(build, "tdsl")
        self.runner = find(build, "bench_runner")
        self.library_call = find(build, "bench_library_call")
        self.limits = find(build, "bench_limits")
        self.compiler = compiler
        self.python, self.pytorch = find_pytorch()


def find(build, name):
    for folder in (build, os.path.join(build, "tests", "bench")):
        path = os.path.join(folder, name)
        if os.path.exists(path):
            return path
    raise Failure(f"{name} is not in {build}: build with BUILD_TESTING")


def find_pytorch():
    """An interpreter that has PyTorch, and what PyTorch says of itself; or None, None. What the
    environment says to OpenBLAS is for other programs: here it has what suits the processor."""
    for name in [name for name in os.environ if name.startswith("OPENBLAS_")]:
        del os.environ[name]
    python, description = ask_pytorch()
    if description and choose_kernels(description["kernels"]):
        python, description = ask_pytorch()
    return python, description


# Kernels of OpenBLAS that use 512 and 256 bits, as it names them.
WIDE = {"avx512f": ("SkylakeX", "Cooperlake", "SapphireRapids"),
        "avx2": ("Haswell", "Zen")}


def choose_kernels(chosen):
    """A release of OpenBLAS that is older than a processor takes kernels for the first x86_64, a
    fifth as fast: names the fastest that the processor has, for all processes that start from now
    on. True where that changes something."""
    features = machine.features()
    for feature, names in WIDE.items():
        if feature in features:
            if not chosen or chosen in names:
                return False
            os.environ["OPENBLAS_CORETYPE"] = names[0]
            return True
    return False


def ask_pytorch():
    for python in dict.fromkeys([sys.executable, "/usr/bin/python3"]):
        try:
            done = subprocess.run([python, os.path.join(HERE, "pytorch_peer.py"), "describe"],
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        except OSError:
            continue
        if done.returncode == 0:
            return python, json.loads(done.stdout)
    return None, None


def check_pytorch(description):
    """What is wrong with this PyTorch as a peer, or None. A BLAS with threads of its own beside
    OpenMP's fights with them for cores, and is several times slower on two."""
    blas = " ".join(description["blas"])
    if "openblas-pthread" in blas:
        return "it uses OpenBLAS with pthreads: apt-get install libopenblas0-openmp, remove " \
               "libopenblas0-pthread"
    if not description["blas"] or ("openblas" not in blas and "mkl" not in blas):
        return "it has no fast BLAS: apt-get install libopenblas0-openmp"
    return None


# PyTorch allocates its results anew each time. Where the C library gives large ones back to the
# system, which clears their pages again, that costs a third of a transformer's time.
KEEP_MEMORY = ("glibc.malloc.mmap_threshold=4294967296:"
               "glibc.malloc.trim_threshold=8589934592")


class Process:
    """A contender that obeys the commands of server.h."""

    def __init__(self, name, words, threads):
        self.name, self.threads = name, threads
        environment = dict(os.environ, OMP_NUM_THREADS=str(threads),
                           OPENBLAS_NUM_THREADS=str(threads), GLIBC_TUNABLES=KEEP_MEMORY)
        self.child = subprocess.Popen([str(word) for word in words], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, text=True, env=environment)
        self.count, self.samples = 1, []

    def ask(self, command):
        try:
            self.child.stdin.write(command + "\n")
            self.child.stdin.flush()
        except BrokenPipeError:
            raise Failure(f"{self.name} ended before '{command}'")
        answer = self.child.stdout.readline()
        if not answer:
            raise Failure(f"{self.name} ended at '{command}'")
        return answer.strip()

    def sample(self):
        time.sleep(machine.REST)  # the contender before us
        busy, waited = machine.busy_seconds(), machine.waited_seconds(self.child.pid)
        wall, cpu = map(float, self.ask(f"sample {self.count}").split())
        busy = machine.busy_seconds() - busy
        waited = machine.waited_seconds(self.child.pid) - waited
        self.samples.append(machine.Sample(wall, cpu, waited, self.count, busy, self.threads))

    def good(self):
        return [sample.seconds for sample in self.samples if not sample.disturbed]

    def close(self):
        try:
            self.child.stdin.close()
        except BrokenPipeError:
            pass  # it has ended already, and said why
        self.child.wait()
        self.child.stdout.close()


class Prepared:
    """A row in one size, built: its leaves on disk and the manifest of its product."""

    def __init__(self, tools, row, sizes, folder, threads, cpu=None):
        self.tools, self.row, self.sizes, self.folder = tools, row, sizes, folder
        self.threads, self.cpu = threads, cpu  # cpu: the one processor that it is built for
        os.makedirs(os.path.join(folder, "leaves"), exist_ok=True)
        self.program = os.path.join(ROOT, "examples", row.program + ".tdsl")
        self.product = self.build("product.so")
        with open(os.path.join(folder, "product.json"), encoding="utf-8") as file:
            self.manifest = json.load(file)
        self.entry = "forward" if row.forward else "gradient"
        self.make_leaves()

    def build(self, name):
        path = os.path.join(self.folder, name)
        words = [self.tools.tdsl, "build", self.program, "-o", path, "--real", self.row.real]
        for size in self.sizes.items():
            words += ["-D", "%s=%d" % size]
        execute(words + (["--cpu", self.cpu] if self.cpu else []))
        return path

    def workspace(self):
        """Bytes that the measured entry needs."""
        return self.entry_of(self.entry)["workspace_bytes"]

    def tensors(self, group):
        return self.manifest["groups"].get(group, [])

    def leaf_path(self, tensor):
        return os.path.join(self.folder, "leaves", tensor["name"] + ".bin")

    def groups(self, leaves):
        """Lines of a job that declare the groups; seeds stay out: a NULL seed is 1."""
        lines = []
        for group in ("inputs", "params", "outputs", "gradients"):
            lines.append(f"group {group}")
            for tensor in self.tensors(group):
                name = ("grad." if group == "gradients" else "") + tensor["name"]
                given = leaves and group in ("inputs", "params")
                lines.append(f"tensor {name} {max(tensor['bytes'], 1)} "
                             f"{self.leaf_path(tensor) if given else '-'}")
        return lines

    def entry_of(self, name):
        return next((e for e in self.manifest["entries"] if e["name"] == name), None)

    def make_leaves(self):
        entry = self.entry_of("initialize")
        lines = [f"library {self.product}", *self.groups(False), "group key", "tensor key 8 -",
                 f"workspace {self.manifest['workspace_bytes']}", f"threads {self.threads}",
                 "results inputs", "results params", self.call(entry)]
        process = self.start("initialize", lines, 1)
        process.ask("once")
        process.ask("write " + os.path.join(self.folder, "leaves"))
        process.close()

    def call(self, entry):
        parallel = entry.get("parallel_symbol") if self.threads > 1 else None
        words = [parallel or entry["symbol"]] + entry["arguments"]
        return "call " + " ".join(words + (["parallel"] if parallel else []))

    def start(self, name, lines, threads):
        path = os.path.join(self.folder, name.replace(" ", "_") + ".job")
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        return Process(name, [self.tools.runner, path], threads)

    def results(self):
        """Names and types of what all contenders compute: the value and the gradients."""
        outputs = self.tensors("outputs")
        chosen = outputs if self.row.forward else outputs[:1]
        named = [(tensor["name"], tensor["dtype"]) for tensor in chosen]
        if not self.row.forward:
            named += [("grad." + t["name"], t["dtype"]) for t in self.tensors("gradients")]
        return named

    # ---- contenders

    def product_lines(self, library):
        lines = [f"library {library}", *self.groups(True), "group seeds"]
        lines += [f"null {tensor['name']}" for tensor in self.tensors("seeds")]
        lines += [f"workspace {self.workspace()}", "results outputs"]
        if self.threads > 1:
            lines.append(f"threads {self.threads}")
        if not self.row.forward:
            lines.append("results gradients")
        lines.append(self.call(self.entry_of(self.entry)))
        if self.row.descend:
            lines.append(f"descend {self.row.descend} {self.row.real}")
        return lines

    def start_tdsl(self):
        return self.start("tdsl", self.product_lines(self.product), self.threads)

    def start_emitted_c(self):
        source = self.build("emitted.c")
        library = os.path.join(self.folder, "emitted_c.so")
        words = self.tools.compiler.split() + ["-O3", "-shared", "-fPIC", source, "-o", library,
                                               "-lm"]
        execute(words)
        return self.start("emitted C", self.product_lines(library), self.threads)

    def start_hand(self):
        real = {"f32": "float", "f64": "double"}[self.row.real]
        library = os.path.join(self.folder, "hand.so")
        execute(self.tools.compiler.split() +
                ["-std=c11", "-O3", "-march=native", f"-DREAL={real}", "-shared", "-fPIC",
                 os.path.join(HERE, "hand", self.row.model + ".c"), "-o", library, "-lm"])
        lines = [f"library {library}", *self.groups(True)]
        lines += [f"number {self.sizes[name]}" for name in self.row.numbers]
        lines += ["results outputs", "results gradients",
                  "call hand_gradient numbers inputs params outputs gradients"]
        return self.start("C by hand", lines, 1)

    def start_library(self):
        return Process("tdsl_call", [self.tools.library_call, self.program, self.row.real], 1)

    def start_pytorch(self):
        leaves = [dict(name=tensor["name"], dtype=tensor["dtype"], shape=tensor["shape"],
                       path=self.leaf_path(tensor))
                  for group in ("inputs", "params") for tensor in self.tensors(group)]
        job = {"program": self.row.model, "sizes": self.sizes, "threads": self.threads,
               "leaves": leaves, "descend": self.row.descend,
               "output": self.tensors("outputs")[0]["name"],
               "params": [tensor["name"] for tensor in self.tensors("params")],
               "gradients": [] if self.row.forward else
                            [tensor["name"] for tensor in self.tensors("gradients")]}
        path = os.path.join(self.folder, "pytorch.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(job, file)
        return Process("PyTorch", [self.tools.python, os.path.join(HERE, "pytorch_peer.py"), path],
                       self.threads)

    def start_all(self):
        """tdsl is the first; all others are compared with it."""
        processes = [self.start_tdsl(), self.start_emitted_c()]
        if self.row.library and self.threads == 1:
            processes.append(self.start_library())
        if self.row.hand and self.threads == 1:
            processes.append(self.start_hand())
        if self.row.pytorch and self.tools.python:
            processes.append(self.start_pytorch())
        return processes

    def compare(self, processes):
        """Runs each once from the same leaves; the worst difference from tdsl of each, by name."""
        folders = {}
        for process in processes:
            name = "of_" + process.name.replace(" ", "_")
            folders[process.name] = os.path.join(self.folder, name)
            os.makedirs(folders[process.name], exist_ok=True)
            process.ask("once")
            process.ask("write " + folders[process.name])
        worst = {}
        for process in processes[1:]:
            for name, dtype in self.results():
                paths = [os.path.join(folders[p.name], name + ".bin")
                         for p in (process, processes[0])]
                difference = float(execute([self.tools.runner, "compare", dtype, *paths]))
                worst[process.name] = max(worst.get(process.name, 0), difference)
                if not difference <= TOLERANCE[dtype]:
                    raise Failure(f"{self.row.name}: {name} of {process.name} differs from tdsl's "
                                  f"by {difference:g}, more than {TOLERANCE[dtype]:g}")
        return worst
