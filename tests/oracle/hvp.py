"""Second derivatives against PyTorch's answers: hvp.py TDSL ENGINE

Each case has a function, arguments, seeds of its results, and a direction for each leaf; PyTorch
gave d/dx sum <g_i, dir_i>, where g are the gradients of the seeded function. Here that number comes
from hvp (forward over reverse), from grad of grad, and from the gradient of a model whose output is
sum <g_i, dir_i>."""

import lzma
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import harness
from harness import Failure

# The functions in the language, by the oracle's name: the statements of the body. The cases' own
# source is Python.
MLP = "h = {}(x @ w1 + b1); return cross_entropy(h @ w2 + b2, t)"
PROGRAMS = {
    "rosenbrock": "return sum((1 - x[:-1]) ** 2 + 100 * (x[1:] - x[:-1] ** 2) ** 2)",
    "linreg": "return mean((x @ w + b - t) ** 2)",
    "ridge": "return mean((x @ w - t) ** 2) + 0.1 * sum(w * w)",
    "lasso": "return mean((x @ w - t) ** 2) + 0.1 * sum(abs(w))",
    "logreg": "z = x @ w + b; return binary_cross_entropy_with_logits(z, t)",
    "mlp_tanh": MLP.format("tanh"),
    "mlp_relu": MLP.format("relu"),
    "mlp_gelu": MLP.format("gelu"),
    "mlp_silu": MLP.format("silu"),
    "mlp_elu": MLP.format("elu"),
    "mlp3": "h = tanh(x @ w1 + b1); h = tanh(h @ w2 + b2); return sum(h @ w3, dim=0)",
    "causal_attention": """q = x @ wq; k = x @ wk; v = x @ wv
        s = (q @ k.mT) / sqrt(cast(q.shape[-1], f64))
        m = triu(ones(x.shape[0], x.shape[0]), 1) > 0
        return softmax(masked_fill(s, m, -inf), -1) @ v""",
    "transformer_block": """h = layer_norm(x, [4], g1, b1)
        s = softmax(h @ wq @ (h @ wk).mT / 2.0, -1)
        x = x + s @ (h @ wv)
        h = layer_norm(x, [4], g2, b2)
        return x + gelu(h @ w1) @ w2""",
    "embedding_bow": "e = mean(embedding(i, w), dim=1); return cross_entropy(e @ v, t)",
    "convnet": """h = max_pool2d(relu(conv2d(x, w1, b1, padding=1)), 2)
        return cross_entropy(flatten(h, 1) @ w2 + b2, t)""",
    "resblock": """c = conv2d(x, w1, padding=1)
        m = mean(c, dim=[0, 2, 3], keepdim=true)
        v = mean((c - m) ** 2, dim=[0, 2, 3], keepdim=true)
        h = relu((c - m) / sqrt(v + 1e-5) * g.reshape(1, -1, 1, 1) + b.reshape(1, -1, 1, 1))
        return x + conv2d(h, w2, padding=1)""",
    "lstm_cell": """g = x @ wx + h @ wh + b
        i, f, o, u = chunk(g, 4, -1)
        c2 = sigmoid(f) * c + sigmoid(i) * tanh(u)
        return sigmoid(o) * tanh(c2), c2""",
    "vae_elbo": """mu, lv = chunk(x @ w, 2, -1)
        z = mu + exp(0.5 * lv) * eps
        kl = -0.5 * sum(1 + lv - mu ** 2 - exp(lv), dim=-1)
        rec = sum((z @ v - x) ** 2, dim=-1)
        return mean(rec + kl)""",
    "mvn_logpdf": """L = cholesky(A @ A.T + eye(3, dtype=f64))
        z = linalg_solve_triangular(L, (x - mu).unsqueeze(-1), upper=false).squeeze(-1)
        return -0.5 * sum(z * z) - sum(log(diagonal(L)))""",
    "gmm_loglik": """d = sum((x[:, none, :] - mu[none]) ** 2, dim=-1)
        return sum(logsumexp(log_softmax(a, 0) - 0.5 * d, 1))""",
    "kalman_step": """Pp = A @ P @ A.T + Q
        S = H @ Pp @ H.T + Rn
        K = Pp @ H.T @ linalg_inv(S)
        xp = A @ x
        return xp + K @ (z - H @ xp), (eye(2, dtype=f64) - K @ H) @ Pp""",
    "two_link_arm": """a = l[0] * cos(q[0]) + l[1] * cos(q[0] + q[1])
        return stack([a, l[0] * sin(q[0]) + l[1] * sin(q[0] + q[1])])""",
    "pendulum_rk4": """f = fn(s) = stack([s[1], -p[0] * sin(s[0]) - p[1] * s[1]])
        for _ in 0..10 {
            k1 = f(s); k2 = f(s + 0.05 * k1); k3 = f(s + 0.05 * k2); k4 = f(s + 0.1 * k3)
            s = s + (0.1 / 6) * (k1 + 2 * k2 + 2 * k3 + k4)
        }
        return s""",
    "quaternion_rotate": """q = q / sqrt(sum(q * q))
        w = q[0]; u = q[1:]
        t = 2 * cross(u, v)
        return v + w * t + cross(u, t)""",
    "heat_1d": """for _ in 0..5 {
            u = cat([u[:1], u[1:-1] + k * (u[2:] - 2 * u[1:-1] + u[:-2]), u[-1:]])
        }
        return u""",
    "bundle_residual": """a = p[:, 0] * cos(r) - p[:, 1] * sin(r)
        pc = stack([a, p[:, 0] * sin(r) + p[:, 1] * cos(r)], 1) + t
        return sqrt(sum((pc - o) ** 2, dim=1))""",
    "cosine_sim": "return sum(a * b, dim=-1) / (norm(a, dim=-1) * norm(b, dim=-1))",
    "softmax_manual": """m, _ = max(x, -1, keepdim=true)
        e = exp(x - m)
        return e / sum(e, dim=-1, keepdim=true)""",
    "layernorm_manual": """m = mean(x, dim=-1, keepdim=true)
        v = mean((x - m) ** 2, dim=-1, keepdim=true)
        return (x - m) / sqrt(v + 1e-5) * g + b""",
    "rmsnorm": "return x * rsqrt(mean(x * x, dim=-1, keepdim=true) + 1e-6) * g",
    "gcn": "h = relu(A @ x @ w1); return log_softmax(A @ h @ w2, -1)",
    "message_pass": "m = tanh(x[s] @ w); return index_add(zeros_like(x), 0, t, m) + x",
    "fm_machine": "return x @ w + 0.5 * sum((x @ v) ** 2 - (x ** 2) @ (v ** 2), dim=-1)",
    "svm_hinge": "return mean(clamp(1 - t * (x @ w), min=0)) + 0.01 * sum(w * w)",
    "black_scholes": """d1 = (log(s / k) + (r + 0.5 * v * v) * t) / (v * sqrt(t))
        d2 = d1 - v * sqrt(t)
        N = fn(z) = 0.5 * (1 + erf(z / sqrt(2.0)))
        return s * N(d1) - k * exp(-r * t) * N(d2)""",
    "diamond": "a = x * x; b = sin(a); c = exp(-a); return b * c + a",
    "straight_through": "q = round(x); return (x + detach(q - x)) ** 2",
    "broadcast_chain": "return sum((a + b) * c - d, dim=1)",
    "inplace_like": "y = x; y[0] = y[0] * 2; y[1:] += 1; return y * y",
    "max_over_chain": "return max(x * x) * sum(x)",
    "long_chain": "y = x; for _ in 0..200 { y = sin(y) + 0.01 * y }; return y",
    "loop_shared_weight": "h = x; for _ in 0..12 { h = tanh(h @ w) }; return sum(h)",
    "scalar_only": "return exp(x) * sin(y) / x",
    "nan_guard_good": """s = where(x > 0, x, ones_like(x))
        return sum(where(x > 0, sqrt(s), zeros_like(x)))""",
    "prod": "return prod(x, dim=1)",
    "cumprod": "return cumprod(x, 1)",
    "softmax": "return softmax(x, 1)",
    "log_softmax": "return log_softmax(x, 1)",
    "logsumexp": "return logsumexp(x, 1)",
    "var": "return var(x, 1)",
    "norm": "return norm(x, dim=1)",
    "layer_norm": "return layer_norm(x, [3])",
    "inv": "return linalg_inv(x[:, :2])",
    "det": "return det(x[:, :2])",
    "matmul": "return x @ x.T",
}
for name in ("exp log sqrt rsqrt cos tanh sigmoid square reciprocal expm1 sinh cosh asin acos atan "
             "silu elu mish").split():
    PROGRAMS[name] = f"return {name}(x)"
for name in "mul div pow hypot logaddexp xlogy".split():
    PROGRAMS[name] = f"return {name}(x, other)"


class Case:
    def __init__(self, name):
        self.name, self.op, self.inputs, self.outputs = name, None, {}, []
        self.seeds, self.directions, self.products, self.tolerance = {}, {}, {}, (1e-8, 1e-10)


def read_number(text):
    return float(text) if text in ("nan", "inf", "-inf") else float.fromhex(text)


def read_cases(path):
    cases = []
    with lzma.open(path, "rt", encoding="ascii") as file:
        lines = iter(file.read().splitlines())
    for line in lines:
        words = line.split()
        if not words or words[0] not in ("case", "op", "in", "out", "seed", "grad", "dir", "hvp",
                                         "tol"):
            continue
        if words[0] == "case":
            cases.append(Case(words[1]))
            continue
        case = cases[-1]
        if words[0] == "op":
            case.op = words[1]
        elif words[0] == "tol":
            case.tolerance = float(words[1]), float(words[2])
        elif len(words) > 2 and words[2] == "none":
            continue
        else:
            rank = int(words[3])
            shape = [int(size) for size in words[4:4 + rank]]
            values = next(lines).split()[1:]
            is_real = words[2] == "f64"
            numbers = [read_number(v) if is_real else int(v) for v in values]
            tensor = (words[2], shape, numbers)
            if words[0] == "in":
                case.inputs[words[1]] = tensor, words[4 + rank] == "grad"
            elif words[0] == "out":
                case.outputs.append(words[1])
            elif words[0] == "seed":
                case.seeds[words[1]] = tensor
            elif words[0] == "dir":
                case.directions[words[1]] = tensor
            elif words[0] == "hvp":
                case.products[words[1]] = tensor
    return cases


def type_text(tensor):
    return tensor[0] + (str(tensor[1]) if tensor[1] else "")


def program(case):
    names = list(case.inputs)
    leaves = [name for name in names if name in case.directions]
    places = [names.index(name) for name in leaves]
    text = f"fn f({', '.join(names)}) {{\n{PROGRAMS[case.op]}\n}}\n"
    seeds = [f"seed_{i}" for i in range(len(case.outputs))]
    results = [f"y_{i}" for i in range(len(case.outputs))]
    text += f"""fn seeded({', '.join(names + seeds)}) {{
    {', '.join(results)} = f({', '.join(names)})
    return {' + '.join(f'sum({y} * {s})' for y, s in zip(results, seeds))}
}}
model m {{
"""
    for name, (tensor, _) in case.inputs.items():
        marked = " requires_grad" if name in case.directions else ""
        text += f"    input {name}: {type_text(tensor)}{marked}\n"
    for i, output in enumerate(case.outputs):
        text += f"    input seed_{i}: {type_text(case.seeds[output])}\n"
    for name in leaves:
        text += f"    input dir_{name}: {type_text(case.directions[name])}\n"
    arguments = ", ".join(names + seeds)
    directions = ", ".join(f"dir_{name}" for name in leaves)
    gradients = ", ".join(f"g_{name}" for name in leaves)
    product = " + ".join(f"sum(g_{name} * dir_{name})" for name in leaves)
    forward = ", ".join(f"forward_{name}" for name in leaves)
    reverse = ", ".join(f"reverse_{name}" for name in leaves)
    text += f"""    {gradients} = grad(seeded, argnums={places})({arguments})
    along = {product}
    {forward} = hvp(seeded, argnums={places})({arguments}, {directions})
    slope = fn({arguments}) {{
        {gradients} = grad(seeded, argnums={places})({arguments})
        return {product}
    }}
    {reverse} = grad(slope, argnums={places})({arguments})
    output along, {forward}, {reverse}
}}
"""
    return text


def arrays(case):
    kinds = {"f64": "<f8", "i64": "<i8"}
    every = {name: tensor for name, (tensor, _) in case.inputs.items()}
    every.update((f"seed_{i}", case.seeds[name]) for i, name in enumerate(case.outputs))
    every.update((f"dir_{name}", tensor) for name, tensor in case.directions.items())
    return {name: (kinds[t[0]], t[1], t[2]) for name, t in every.items()}


def compare(case, what, tensor, want):
    if tensor is None:
        numbers = [0.0] * len(want[2])
    else:
        numbers = harness.flatten(tensor["data"])[1]
    if len(numbers) != len(want[2]):
        raise Failure(f"{what} has {len(numbers)} elements, expected {len(want[2])}")
    scale = max((abs(x) for x in want[2]), default=0)
    for i, (got, expected) in enumerate(zip(numbers, want[2])):
        if not harness.close(got, expected, case.tolerance[0],
                             case.tolerance[1] + 1e-13 * scale):
            raise Failure(f"{what}: element {i} is {got}, expected {expected}")


def run_case(tdsl, engine, case, folder):
    if case.op not in PROGRAMS:
        raise Failure(f"no program for {case.op}")
    source, data = os.path.join(folder, "case.tdsl"), os.path.join(folder, "case.npz")
    with open(source, "w", encoding="utf-8") as file:
        file.write(program(case))
    harness.write_npz(data, arrays(case))
    result = harness.run([tdsl, "grad", source, "--in", data, "--json", f"--engine={engine}",
                          "--seed", "along=1"])
    if result.code != 0:
        raise Failure(str(result))
    found = result.json()
    for name, want in case.products.items():
        compare(case, f"hvp, {name}", found["outputs"][f"forward_{name}"], want)
        compare(case, f"grad of grad, {name}", found["outputs"][f"reverse_{name}"], want)
        compare(case, f"the model's gradient, {name}", found["grads"][name], want)


def main(tdsl, engine):
    failed = 0
    cases = read_cases(os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus",
                                    "hvp.txt.xz"))
    with tempfile.TemporaryDirectory() as folder:
        for case in cases:
            try:
                run_case(tdsl, engine, case, folder)
            except Failure as why:
                failed += 1
                print(f"FAIL {case.name}: {why}", flush=True)
    print(f"{len(cases)} cases, {failed} failed")
    sys.exit(1 if failed or not cases else 0)


main(*sys.argv[1:3])
