"""The rows of the benchmark: which program, in which size, against whom."""

from dataclasses import dataclass
from typing import Callable, Dict, Optional, Tuple

Sizes = Dict[str, int]


@dataclass
class Row:
    name: str
    program: str                 # in examples/
    real: str                    # f32 or f64
    sizes: Sizes                 # dimensions when time counts
    quick: Sizes                 # when only correctness does
    numbers: Tuple[str, ...] = ()  # dimensions that the program by hand takes
    hand: bool = False           # there is one in bench/hand
    pytorch: bool = True
    library: bool = False        # measured through tdsl_call, too
    forward: bool = False        # the derivatives are outputs of the program
    descend: float = 0           # a step of gradient descent belongs to the work
    reach: Optional[Tuple[float, float]] = None  # ratio aimed at, with 1 and with 2 threads,
    against: str = "PyTorch"     # to the best known peer, which may be one that is not run here
    operations: Optional[Callable[[Sizes], float]] = None  # least additions and multiplications
    bytes: Optional[Callable[[Sizes], float]] = None  # least traffic if memory is out of cache

    @property
    def model(self):
        return self.program.split("/")[-1]


def exponential(count):
    """Operations of that many exponentials, logarithms and the like, done with polynomials."""
    return 20 * count


def gpt_operations(s):
    tokens = s["B"] * s["T"]
    weights = s["LAYERS"] * 12 * s["C"] ** 2 + s["C"] * s["V"]
    return 6 * tokens * weights + 6 * tokens * s["T"] * s["C"] * s["LAYERS"]


def cnn_operations(s):
    pixels = s["B"] * s["SIZE"] ** 2
    first = 4 * pixels * 9 * s["C1"]
    second = 6 * pixels / 4 * 9 * s["C1"] * s["C2"]
    return first + second + 6 * pixels / 16 * s["C2"] * s["CLASSES"]


def mlp_operations(s):
    return s["B"] * (4 * s["I"] * s["H1"] + 6 * s["H1"] * s["H2"] + 6 * s["H2"] * s["CLASSES"])


ROWS = [
    Row("sin(x^2)", "seeds/sine_of_square", "f32", {}, {}, hand=True, library=True,
        reach=(1000, 1000)),
    Row("perceptron", "perceptron", "f32", {}, {}, hand=True, library=True, reach=(500, 500)),
    Row("small MLP, SGD step", "networks/mlp_small", "f32",
        {"B": 32, "I": 4, "H": 16, "CLASSES": 3}, {"B": 4, "I": 4, "H": 5, "CLASSES": 3},
        descend=0.01, reach=(50, 50),
        operations=lambda s: s["B"] * (4 * s["I"] * s["H"] + 6 * s["H"] * s["CLASSES"])),
    Row("mean(x^2) of 10^6", "suite/mean_of_squares", "f32", {"N": 10**6}, {"N": 1001},
        ("N",), hand=True, reach=(15, 15),
        operations=lambda s: 3 * s["N"], bytes=lambda s: 8 * s["N"]),
    Row("mean(x^2) of 10^7", "suite/mean_of_squares", "f32", {"N": 10**7}, {"N": 1002},
        ("N",), hand=True, reach=(5, 5),
        operations=lambda s: 3 * s["N"], bytes=lambda s: 8 * s["N"]),
    Row("logistic regression", "suite/logistic_regression", "f32", {"N": 10**5, "D": 32},
        {"N": 50, "D": 5}, ("N", "D"), hand=True, reach=(5, 5),
        operations=lambda s: 4 * s["N"] * s["D"] + exponential(2 * s["N"]),
        bytes=lambda s: 4 * s["N"] * (s["D"] + 1)),
    Row("layer norm, gelu, softmax", "networks/normalised", "f32", {"ROWS": 4096, "C": 1024},
        {"ROWS": 5, "C": 33}, reach=(8, 8),
        operations=lambda s: (exponential(3) + 30) * s["ROWS"] * s["C"],
        bytes=lambda s: 12 * s["ROWS"] * s["C"]),
    Row("MLP 784-512-512-10, SGD step", "networks/mlp_classifier", "f32",
        {"B": 128, "I": 784, "H1": 512, "H2": 512, "CLASSES": 10},
        {"B": 5, "I": 17, "H1": 9, "H2": 7, "CLASSES": 3}, descend=0.001, reach=(1.25, 1.35),
        operations=mlp_operations),
    Row("CNN 28x28", "networks/cnn", "f32",
        {"B": 64, "SIZE": 28, "C1": 16, "C2": 32, "CLASSES": 10},
        {"B": 2, "SIZE": 8, "C1": 3, "C2": 4, "CLASSES": 3}, reach=(1.5, 1.8),
        operations=cnn_operations),
    Row("recurrent, 2 layers, 256 steps", "networks/recurrent_two_layers", "f32",
        {"T": 256, "B": 16, "I": 32, "H": 64}, {"T": 5, "B": 2, "I": 3, "H": 4},
        operations=lambda s: s["T"] * s["B"] * s["H"] * (10 * s["I"] + 18 * s["H"])),
    Row("LSTM, 64 steps", "networks/lstm", "f32",
        {"T": 64, "B": 32, "I": 128, "H": 128, "CLASSES": 10},
        {"T": 4, "B": 2, "I": 3, "H": 5, "CLASSES": 3}, reach=(2, 3),
        operations=lambda s: s["T"] * s["B"] * 4 * s["H"] * (4 * s["I"] + 6 * s["H"])),
    Row("GPT, 4 layers", "networks/gpt", "f32",
        {"LAYERS": 4, "HEADS": 4, "C": 128, "T": 64, "B": 4, "V": 1000},
        {"LAYERS": 2, "HEADS": 2, "C": 8, "T": 5, "B": 2, "V": 11}, reach=(1.7, 2.2),
        operations=gpt_operations),
    Row("GPT, 6 layers", "networks/gpt", "f32",
        {"LAYERS": 6, "HEADS": 6, "C": 384, "T": 256, "B": 4, "V": 1000},
        {"LAYERS": 3, "HEADS": 3, "C": 12, "T": 4, "B": 2, "V": 7}, reach=(1.25, 1.35),
        operations=gpt_operations),
    Row("Gaussian mixture, d 64", "suite/gaussian_mixture", "f64",
        {"N": 10**4, "D": 64, "K": 25}, {"N": 20, "D": 5, "K": 3}, ("N", "D", "K"), hand=True,
        reach=(6, 6), against="C by hand", operations=lambda s: 3 * s["N"] * s["K"] * s["D"] ** 2),
    Row("Gaussian mixture, d 10", "suite/gaussian_mixture", "f64",
        {"N": 10**3, "D": 10, "K": 25}, {"N": 21, "D": 4, "K": 2}, ("N", "D", "K"), hand=True,
        reach=(8, 8), against="C by hand",
        operations=lambda s: s["N"] * s["K"] * (3 * s["D"] ** 2 + exponential(1))),
    Row("log-sum-exp", "suite/log_sum_exp", "f64", {"N": 1280000}, {"N": 100}, ("N",), hand=True,
        reach=(6, 6), operations=lambda s: exponential(s["N"]), bytes=lambda s: 16 * s["N"]),
    Row("polynomial least squares", "suite/least_squares", "f64", {"N": 16392, "M": 128},
        {"N": 20, "M": 6}, ("N", "M"), hand=True, reach=(8, 8), against="C by hand",
        operations=lambda s: 4 * s["N"] * s["M"]),
    Row("k-means, gradient and Hessian", "suite/kmeans", "f64", {"N": 10**4, "K": 1000, "D": 16},
        {"N": 40, "K": 3, "D": 2}, ("N", "K", "D"), hand=True, forward=True,
        reach=(4, 4), against="C by hand",
        operations=lambda s: 2 * s["N"] * s["K"] * s["D"]),
    Row("LSTM, diagonal weights", "suite/lstm_diagonal", "f64",
        {"LAYERS": 2, "CHARACTERS": 1024, "B": 14}, {"LAYERS": 2, "CHARACTERS": 5, "B": 3},
        ("LAYERS", "CHARACTERS", "B"), hand=True, reach=(5, 5), against="CoDiPack",
        operations=lambda s: (exponential(5) + 60) * s["LAYERS"] * s["CHARACTERS"] * s["B"]),
    Row("Runge-Kutta chain", "suite/ode_chain", "f64", {"N": 1000, "STEPS": 100},
        {"N": 7, "STEPS": 4}, ("N", "STEPS"), hand=True, reach=(10, 10), against="CoDiPack",
        operations=lambda s: 60 * s["N"] * s["STEPS"]),
    Row("Kalman filter", "science/kalman", "f64", {"T": 500, "S": 8, "M": 4},
        {"T": 4, "S": 3, "M": 2}),
    Row("shooting, 200 steps", "science/shooting", "f64", {"STEPS": 200}, {"STEPS": 6}),
    Row("leapfrog", "science/leapfrog", "f64", {"STEPS": 50, "N": 1000, "D": 32},
        {"STEPS": 4, "N": 9, "D": 3}),
    Row("implicit diffusion, Newton", "science/implicit_diffusion", "f64", {"N": 16, "STEPS": 10},
        {"N": 5, "STEPS": 2}),
    Row("stiff pendulum, Newton", "newton", "f64", {"STEPS": 200}, {"STEPS": 5}),
]
