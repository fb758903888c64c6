"""The benchmark's programs as a user of PyTorch would write them, each with what makes it fast
there: whole-tensor operations, no work that the gradient does not need. A program takes its leaves
by name and the row's dimensions, and returns a scalar to differentiate; those in FORWARD return
their results instead, derivatives included."""

import math

import torch
import torch.nn.functional as F


def sine_of_square(v, d):
    return torch.sin(v["x"] ** 2)


def perceptron(v, d):
    p = torch.sigmoid(v["w"] * v["x"] + v["b"])
    q = torch.clamp(p, 1e-7, 1 - 1e-7)
    return -(v["t"] * torch.log(q) + (1 - v["t"]) * torch.log(1 - q))


def mean_of_squares(v, d):
    return torch.mean(v["x"] ** 2)


def logistic_regression(v, d):
    return F.binary_cross_entropy_with_logits(torch.addmv(v["b"], v["x"], v["w"]), v["t"])


def normalised(v, d):
    y = F.softmax(F.gelu(F.layer_norm(v["x"], [d["C"]], v["gain"], v["bias"])), dim=1)
    return torch.sum(v["seed"] * y)


# ---- networks

def mlp_small(v, d):
    h = torch.relu(torch.addmm(v["b1"], v["x"], v["w1"]))
    return F.cross_entropy(torch.addmm(v["b2"], h, v["w2"]), v["label"])


def mlp_classifier(v, d):
    h = torch.relu(torch.addmm(v["b1"], v["x"], v["w1"]))
    h = torch.relu(torch.addmm(v["b2"], h, v["w2"]))
    return F.cross_entropy(torch.addmm(v["b3"], h, v["w3"]), v["label"])


def cnn(v, d):
    y = F.max_pool2d(torch.relu(F.conv2d(v["x"], v["w1"], v["b1"], padding=1)), 2)
    y = F.max_pool2d(torch.relu(F.conv2d(y, v["w2"], v["b2"], padding=1)), 2)
    return F.cross_entropy(torch.addmm(v["b3"], y.flatten(1), v["w3"]), v["label"])


def recurrent_two_layers(v, d):
    h1 = h2 = torch.zeros(d["B"], d["H"], dtype=v["x"].dtype)
    first = v["x"][:-1] @ v["wx1"] + v["b1"]  # no recurrence in this product: made at once
    seen = []
    for t in range(d["T"]):
        h1 = torch.tanh(torch.addmm(first[t], h1, v["wh1"]))
        h2 = torch.tanh(torch.addmm(torch.addmm(v["b2"], h1, v["wx2"]), h2, v["wh2"]))
        seen.append(h2)
    return F.mse_loss(torch.stack(seen) @ v["wy"], v["x"][1:])


def lstm(v, d):
    """The library's own cell: its order of gates is input, forget, change, output, as here."""
    zero = torch.zeros(1, d["B"], d["H"], dtype=v["x"].dtype)
    weights = [v["wx"].t(), v["wh"].t(), v["b"], torch.zeros_like(v["b"])]
    h = torch.lstm(v["x"], (zero, zero), weights, True, 1, 0.0, True, False, False)[1][0]
    return F.cross_entropy(h @ v["wy"], v["label"])


def gpt(v, d):
    size, heads = d["C"], d["HEADS"]
    batch, length = v["tokens"].shape
    later = torch.ones(length, length, dtype=torch.bool).triu(1)
    x = F.embedding(v["tokens"], v["token_table"]) + v["position_table"]
    for n in range(d["LAYERS"]):
        y = F.layer_norm(x, [size], v["norm1_gain"][n], v["norm1_bias"][n])
        qkv = torch.addmm(v["b_qkv"][n], y.reshape(-1, size), v["w_qkv"][n])
        q, k, u = qkv.reshape(batch, length, 3, heads, size // heads).permute(2, 0, 3, 1, 4)
        scores = (q @ k.transpose(2, 3) / math.sqrt(size // heads)).masked_fill(later, -math.inf)
        y = (F.softmax(scores, dim=3) @ u).transpose(1, 2).reshape(-1, size)
        x = x + torch.addmm(v["b_out"][n], y, v["w_out"][n]).reshape(x.shape)
        y = F.layer_norm(x, [size], v["norm2_gain"][n], v["norm2_bias"][n]).reshape(-1, size)
        y = F.gelu(torch.addmm(v["b_up"][n], y, v["w_up"][n]))
        x = x + torch.addmm(v["b_down"][n], y, v["w_down"][n]).reshape(x.shape)
    x = F.layer_norm(x, [size], v["norm_gain"], v["norm_bias"])
    return F.cross_entropy(x.reshape(-1, size) @ v["w_vocabulary"], v["targets"].reshape(-1))


# ---- the AD suites' programs

def gaussian_mixture(v, d):
    n, size, k = d["N"], d["D"], d["K"]
    column, row = torch.triu_indices(size, size, 1)  # below the diagonal, column by column
    q_matrix = torch.diag_embed(torch.exp(v["q"]))
    q_matrix = q_matrix.index_put((torch.arange(k)[:, None], row, column), v["l"])
    centred = v["x"] - v["mu"][:, None]  # K N D
    squares = (centred @ q_matrix.transpose(1, 2)).square().sum(2)
    beta = (v["alpha"] + v["q"].sum(1))[:, None] - 0.5 * squares
    likelihood = torch.logsumexp(beta, 0).sum() - n * (
        size / 2 * math.log(2 * math.pi) + torch.logsumexp(v["alpha"], 0))
    gamma, m = float(v["gamma"]), float(v["m"])
    degrees = size + m + 1
    constant = degrees * size * math.log(gamma / math.sqrt(2)) - float(
        torch.mvlgamma(torch.tensor(0.5 * degrees, dtype=torch.float64), size))
    return (likelihood + k * constant - 0.5 * gamma**2 * q_matrix.square().sum()
            + m * v["q"].sum())


def log_sum_exp(v, d):
    return torch.logsumexp(v["x"], 0)


def least_squares(v, d):
    t = -1 + 2 * torch.arange(d["N"], dtype=v["x"].dtype) / (d["N"] - 1)
    powers = torch.vander(t, d["M"], increasing=True)
    return 0.5 * torch.sum((torch.sign(t) - powers @ v["x"]).square())


def kmeans(v, d):
    def cost(centroids):
        with torch.no_grad():
            nearest = torch.cdist(v["points"], centroids).argmin(1)
        return (v["points"] - centroids[nearest]).square().sum()

    centroids = v["centroids"].detach().requires_grad_()
    y = cost(centroids)
    gradient = torch.autograd.grad(y, centroids, create_graph=True)[0]
    diagonal = torch.autograd.grad(gradient, centroids, torch.ones_like(gradient))[0]
    return {"y": y, "gradient": gradient, "diagonal": diagonal, "step": gradient / diagonal}


def lstm_diagonal(v, d):
    hidden, state = list(v["hidden"]), list(v["state"])
    guesses = []
    for t in range(d["CHARACTERS"] - 1):
        x = v["sequence"][t] * v["extra"][0]
        for n in range(d["LAYERS"]):
            w, b = v["weight"][n], v["bias"][n]
            entering = torch.stack([x, hidden[n], x, hidden[n]])
            gates = entering * w + b
            forget, ingate, outgate = torch.sigmoid(gates[:3])
            state[n] = state[n] * forget + ingate * torch.tanh(gates[3])
            x = hidden[n] = outgate * torch.tanh(state[n])
        guesses.append(x * v["extra"][1] + v["extra"][2])
    guess = torch.stack(guesses)
    normalised = guess - torch.log(torch.exp(guess).sum(1, keepdim=True) + 2)
    return -torch.mean(v["sequence"][1:] * normalised)


def ode_chain(v, d):
    x, h = v["x"], 2 / d["STEPS"]
    one = torch.ones(1, dtype=x.dtype)

    def slope(y):
        return x * torch.cat([one, y[:-1]])

    y = torch.zeros_like(x)
    for _ in range(d["STEPS"]):
        k1 = slope(y)
        k2 = slope(y + h / 2 * k1)
        k3 = slope(y + h / 2 * k2)
        k4 = slope(y + h * k3)
        y = y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return y[-1]


# ---- simulation and control

def pendulum_slope(s, damping, stiffness):
    return torch.stack([s[1], -stiffness * torch.sin(s[0]) - damping * s[1]])


def newton(v, d):
    damping, stiffness, h = v["damping"], v["stiffness"], 0.05
    s = v["start"]
    for _ in range(d["STEPS"]):
        z = s
        for _ in range(5):
            residual = z - s - h * pendulum_slope(z, damping, stiffness)
            one, zero = torch.ones_like(damping), torch.zeros_like(damping)
            lower = h * stiffness * torch.cos(z[0])
            jacobian = torch.stack([torch.stack([one, zero - h]),
                                    torch.stack([lower, one + h * damping])])
            z = z - torch.linalg.solve(jacobian, residual)
        s = z
    return torch.sum(s * s)


def implicit_diffusion(v, d):
    h = 0.5
    u = v["start"]

    def residual(w, before):
        outside = torch.cat([w[:1], w, w[-1:]])
        k = v["conductivity"] * torch.exp(v["growth"] * 0.5 * (outside[1:] + outside[:-1]))
        flux = k * (outside[1:] - outside[:-1])
        return w - before - h * (flux[1:] - flux[:-1])

    for _ in range(d["STEPS"]):
        before = u
        for _ in range(20):
            r = residual(u, before)
            if r.abs().max() <= 1e-11:
                break
            jacobian = torch.autograd.functional.jacobian(
                lambda w: residual(w, before), u, create_graph=True)
            u = u - torch.linalg.solve(jacobian, r)
    return torch.sum((u - v["goal"]) ** 2)


def kalman(v, d):
    a, c = v["dynamics"], v["measure"]
    process = torch.tril(v["process_factor"]) @ torch.tril(v["process_factor"]).T
    noise = torch.tril(v["noise_factor"]) @ torch.tril(v["noise_factor"]).T
    identity = torch.eye(d["S"], dtype=a.dtype)
    state, spread = torch.zeros(d["S"], dtype=a.dtype), identity
    likelihood = 0
    for t in range(d["T"]):
        state = a @ state
        spread = a @ spread @ a.T + process
        surprise = v["z"][t] - c @ state
        inner = c @ spread @ c.T + noise
        gain = torch.linalg.solve(inner, c @ spread).T
        likelihood = likelihood - 0.5 * (
            surprise @ torch.linalg.solve(inner, surprise) + torch.logdet(inner)
            + d["M"] * math.log(2 * math.pi))
        state = state + gain @ surprise
        rest = identity - gain @ c
        spread = rest @ spread @ rest.T + gain @ noise @ gain.T
    return likelihood


def shooting(v, d):
    cart, bob, length, gravity = 1.0, 0.3, 0.5, 9.81

    def slope(s, force):
        sine, cosine = torch.sin(s[1]), torch.cos(s[1])
        below = cart + bob * sine**2
        push = length * bob * s[3]**2 * sine
        along = (push + force + bob * gravity * cosine * sine) / below
        turning = (push + force) * cosine + (cart + bob) * gravity * sine
        around = -turning / (length * below)
        return torch.stack([s[2], s[3], along, around])

    h = 2 / d["STEPS"]
    s = v["start"]
    for t in range(d["STEPS"]):
        force = v["force"][t]
        k1 = slope(s, force)
        k2 = slope(s + h / 2 * k1, force)
        k3 = slope(s + h / 2 * k2, force)
        k4 = slope(s + h * k3, force)
        s = s + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return h * 0.01 * torch.sum(v["force"] ** 2) + torch.sum((s - v["goal"]) ** 2)


def leapfrog(v, d):
    x, t, size = v["x"], v["t"], v["size"]

    def log_posterior(w):
        logits = x @ w
        return torch.sum(t * logits - F.softplus(logits)) - 0.5 * torch.sum(w**2)

    def force(w):  # by hand: differentiating twice would be slower here
        return x.T @ (t - torch.sigmoid(x @ w)) - w

    w = v["start"]
    p = v["momentum"] + 0.5 * size * force(w)
    for _ in range(d["STEPS"] - 1):
        w = w + size * p
        p = p + size * force(w)
    w = w + size * p
    p = p + 0.5 * size * force(w)
    before = 0.5 * torch.sum(v["momentum"] ** 2) - log_posterior(v["start"])
    return before - (0.5 * torch.sum(p**2) - log_posterior(w))


FORWARD = {"kmeans"}
PROGRAMS = {name: value for name, value in globals().items()
            if callable(value) and getattr(value, "__module__", None) == __name__
            and name != "pendulum_slope"}
