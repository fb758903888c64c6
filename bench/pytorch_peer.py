"""A process that runs one row's program in PyTorch and obeys the driver's commands (see server.h).

    pytorch_peer.py JOB.json
    pytorch_peer.py describe        its version and the BLAS that it has loaded: one JSON object
"""

import ctypes
import json
import os
import resource
import sys
import time


def mapped_libraries():
    """File names of the BLAS libraries that this process has loaded."""
    with open("/proc/self/maps", encoding="utf-8") as maps:
        paths = {line.split()[-1] for line in maps if "/" in line}
    return sorted(path for path in map(os.path.realpath, paths)
                  if "blas" in os.path.basename(path) or "mkl" in os.path.basename(path))


def kernels_of(libraries):
    """The processor whose kernels OpenBLAS has chosen, as it calls it; "" for another BLAS."""
    for path in libraries:
        try:
            name = ctypes.CDLL(path).openblas_get_corename
        except (AttributeError, OSError):
            continue
        name.restype = ctypes.c_char_p
        return name().decode()
    return ""


def describe():
    import torch
    torch.ones(64, 64) @ torch.ones(64, 64)
    blas = mapped_libraries()
    print(json.dumps({"version": torch.__version__, "blas": blas, "kernels": kernels_of(blas),
                      "parallel": torch.__config__.parallel_info().count("OpenMP") > 0}))


class Peer:
    def __init__(self, job):
        import torch
        import pytorch_programs
        self.torch, self.job = torch, job
        torch.set_num_threads(job["threads"])
        types = {"f32": torch.float32, "f64": torch.float64, "i32": torch.int32,
                 "i64": torch.int64}
        self.leaves, self.wanted = {}, {}
        for leaf in job["leaves"]:
            with open(leaf["path"], "rb") as file:
                tensor = torch.frombuffer(bytearray(file.read()), dtype=types[leaf["dtype"]])
            tensor = tensor.reshape(leaf["shape"])
            if leaf["name"] in job["gradients"]:
                self.wanted[leaf["name"]] = tensor.requires_grad_()
            self.leaves[leaf["name"]] = tensor
        self.program = pytorch_programs.PROGRAMS[job["program"]]
        self.forward = job["program"] in pytorch_programs.FORWARD
        self.params = [self.wanted[name] for name in job["params"] if name in self.wanted]
        self.results = {}

    def run(self):
        if self.forward:
            self.results = self.program(self.leaves, self.job["sizes"])
            return
        for leaf in self.wanted.values():
            leaf.grad = None
        value = self.program(self.leaves, self.job["sizes"])
        value.backward()
        self.results = {self.job["output"]: value}
        if self.job["descend"]:
            with self.torch.no_grad():
                self.torch._foreach_add_(self.params, [p.grad for p in self.params],
                                         alpha=-self.job["descend"])

    def write(self, folder):
        tensors = dict(self.results)
        if not self.forward:
            tensors.update({"grad." + name: leaf.grad for name, leaf in self.wanted.items()})
        for name, tensor in tensors.items():
            with open(os.path.join(folder, name + ".bin"), "wb") as file:
                file.write(tensor.detach().contiguous().numpy().tobytes())


def run_many(peer, count):
    before = resource.getrusage(resource.RUSAGE_SELF)
    start = time.perf_counter()
    for _ in range(count):
        peer.run()
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu


def calibrate(peer, seconds):
    for _ in range(3):
        peer.run()
    count, spent = 1, run_many(peer, 1)[0]
    while spent < seconds / 4:
        count *= 2
        spent = run_many(peer, count)[0]
    return max(1, int(count * seconds / spent))


def serve(peer):
    for line in sys.stdin:
        word, _, argument = line.strip().partition(" ")
        if word == "quit":
            break
        if word == "once":
            peer.run()
            answer = "ok"
        elif word == "calibrate":
            answer = calibrate(peer, float(argument))
        elif word == "sample":
            answer = "%.9g %.9g" % run_many(peer, int(argument))
        elif word == "write":
            peer.write(argument)
            answer = "ok"
        elif word == "memory":
            answer = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        else:
            sys.exit(f"unknown command: {word}")
        print(answer, flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "describe":
        describe()
    else:
        with open(sys.argv[1], encoding="utf-8") as job_file:
            serve(Peer(json.load(job_file)))
