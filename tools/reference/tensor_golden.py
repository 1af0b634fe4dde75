"""Golden values for packages/tensor, from PyTorch and the safetensors package.

    python -m venv /tmp/reference && /tmp/reference/bin/pip install torch numpy safetensors
    /tmp/reference/bin/python tools/reference/tensor_golden.py

writes packages/tensor/src/__fixtures__/{operations,optimizers,safetensors}.json. Everything is seeded: a second run changes nothing.
"""

import base64
import json
from pathlib import Path

import safetensors
import safetensors.torch
import torch
import torch.nn.functional as F

FIXTURES = Path(__file__).resolve().parents[2] / "packages/tensor/src/__fixtures__"
SOURCE = f"PyTorch {torch.__version__.split('+')[0]}, float64 for operations, float32 for optimizers; tools/reference/tensor_golden.py"

torch.manual_seed(20260101)
torch.set_num_threads(1)


def flat(tensor):
    return [float(f"{value:.9g}") for value in tensor.detach().double().flatten().tolist()]


def entry(tensor):
    return {"shape": list(tensor.shape), "data": flat(tensor)}


def normal(*shape):
    # Rounded to float32, so that both sides start from the same values.
    return torch.randn(*shape).double().requires_grad_()


def positive(*shape):
    return (torch.rand(*shape) + 0.5).double().requires_grad_()


cases = {}


def case(name, function, *inputs, **more):
    """Runs `function` and a backward pass from a random gradient."""
    y = function(*inputs)
    dy = torch.randn(y.shape).double()
    gradients = torch.autograd.grad(y, inputs, dy)
    cases[name] = {
        "inputs": [entry(x) for x in inputs],
        "output": entry(y),
        "dy": entry(dy),
        "gradients": [flat(g) for g in gradients],
        **more,
    }


def rotate_half(x):
    half = x.shape[-1] // 2
    return torch.cat((-x[..., half:], x[..., :half]), dim=-1)


def rotary(x, positions, theta):
    dim = x.shape[-1]
    inverse = theta ** (-torch.arange(0, dim, 2).double() / dim)
    angles = torch.outer(positions.double(), inverse)
    angles = torch.cat((angles, angles), dim=-1).view(*x.shape[:2], 1, dim)
    return x * angles.cos() + rotate_half(x) * angles.sin()


def attention(q, k, v, causal):
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v, is_causal=causal, enable_gqa=True).transpose(1, 2)


def scatter(x, scales, index, rows):
    return torch.zeros(rows, x.shape[1]).double().index_add(0, index, x * scales[:, None])


def grouped(x, weight, offsets):
    return torch.cat([x[a:b] @ w.T for w, a, b in zip(weight, offsets, offsets[1:])])


case("add", torch.add, normal(2, 3), normal(2, 3))
case("add broadcast", torch.add, normal(2, 3), normal(3))
case("sub broadcast", torch.sub, normal(3), normal(2, 3))
case("mul broadcast", torch.mul, normal(2, 3, 2), normal(3, 2))
case("div broadcast", torch.div, normal(2, 3), positive(3))
case("exp", torch.exp, normal(5))
case("log", torch.log, positive(5))
case("sqrt", torch.sqrt, positive(5))
case("matmul", torch.matmul, normal(2, 3, 4), normal(4, 2))
case("matmul batched", torch.matmul, normal(2, 3, 4), normal(2, 4, 2))
case("matmul transposed", lambda a, b: a @ b.transpose(-1, -2), normal(2, 3, 4), normal(2, 5, 4))
case("sum", lambda x: x.sum(1), normal(2, 3, 4))
case("mean", lambda x: x.mean(-1), normal(2, 3, 4))
case("transpose", lambda x: x.transpose(0, 2).contiguous(), normal(2, 3, 4))
case("narrow", lambda x: x.narrow(1, 1, 2), normal(2, 4, 3))
case("concat", lambda a, b: torch.cat((a, b), 1), normal(2, 1, 3), normal(2, 2, 3))
case("stack", lambda a, b: torch.stack((a, b), 1), normal(2, 3), normal(2, 3))
case("relu", F.relu, normal(7))
case("gelu", F.gelu, normal(7))
case("geluTanh", lambda x: F.gelu(x, approximate="tanh"), normal(7))
case("silu", F.silu, normal(7))
case("sigmoid", torch.sigmoid, normal(7))
case("tanh", torch.tanh, normal(7))
case("swiglu", lambda x: F.silu(x[..., :3]) * x[..., 3:], normal(2, 6))
case("softmax", lambda x: x.softmax(-1), normal(3, 5))
case("logSoftmax", lambda x: x.log_softmax(-1), normal(3, 5))
case("linear", F.linear, normal(2, 3, 4), normal(5, 4), normal(5))
case("rmsNorm", lambda x, w: F.rms_norm(x, (6,), w, 1e-5), normal(3, 6), normal(6))
case("layerNorm", lambda x, w, b: F.layer_norm(x, (6,), w, b, 1e-5), normal(3, 6), normal(6), normal(6))
targets = torch.tensor([2, -100, 0, 4])
for reduction in ("mean", "sum", "none"):
    case(f"crossEntropy {reduction}", lambda x: F.cross_entropy(x, targets, reduction=reduction), normal(4, 5), targets=targets.tolist())
case("mseLoss", F.mse_loss, normal(2, 3), normal(2, 3))
p = torch.randn(3, 4).double()
case("klDivergence", lambda q: F.kl_div(q.log_softmax(-1), p.log_softmax(-1), log_target=True, reduction="batchmean"), normal(3, 4), p=flat(p))
ids = torch.tensor([1, 3, 1, 0])
case("embedding", lambda w: F.embedding(ids, w), normal(4, 3), ids=ids.tolist())
case("gatherRows", lambda x: x[ids], normal(4, 3), ids=ids.tolist())
case("scatterAddRows", lambda x, s: scatter(x, s, ids, 5), normal(4, 3), normal(4), ids=ids.tolist())
offsets = [0, 2, 2, 5]
case("groupedLinear", lambda x, w: grouped(x, w, offsets), normal(5, 3), normal(3, 4, 3), offsets=offsets)
positions = torch.tensor([0, 1, 2, 5, 6, 7])
case("rotary", lambda x: rotary(x, positions, 10000.0), normal(2, 3, 2, 4), positions=positions.tolist())
for causal in (True, False):
    name = "attention causal" if causal else "attention"
    case(name, lambda q, k, v: attention(q, k, v, causal), normal(2, 3, 4, 4), normal(2, 3, 2, 4), normal(2, 3, 2, 4))


def trace(optimizer, steps=6):
    """Parameters after each step under fixed gradients; the second parameter has no gradient in step 3."""
    start = [torch.randn(2, 3), torch.randn(3)]
    parameters = [torch.nn.Parameter(value.clone()) for value in start]
    step = optimizer(parameters)
    gradients, after = [], []
    for index in range(steps):
        now = [torch.randn(2, 3), None if index == 2 else torch.randn(3)]
        for parameter, gradient in zip(parameters, now):
            parameter.grad = gradient
        step.step()
        gradients.append([None if g is None else flat(g) for g in now])
        after.append([flat(value) for value in parameters])
    return {"start": [entry(value) for value in start], "gradients": gradients, "after": after}


def clipped(max_norm):
    parameters = [torch.nn.Parameter(torch.zeros(3)), torch.nn.Parameter(torch.zeros(2))]
    for parameter in parameters:
        parameter.grad = torch.randn(parameter.shape)
    before = [flat(value.grad) for value in parameters]
    norm = torch.nn.utils.clip_grad_norm_(parameters, max_norm).item()
    return {"maxNorm": max_norm, "before": before, "norm": norm, "after": [flat(value.grad) for value in parameters]}


def training():
    """A small classifier, 20 AdamW steps on one batch: every loss."""
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
    state = {name: entry(value) for name, value in model.state_dict().items()}
    x, y = torch.randn(6, 4), torch.tensor([0, 1, 2, 2, 1, 0])
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.05)
    losses = []
    for _ in range(20):
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return {"state": state, "x": entry(x), "y": y.tolist(), "lr": 0.05, "losses": losses}


optimizers = {
    "AdamW": trace(lambda p: torch.optim.AdamW(p, lr=0.1, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.1)),
    "SGD": trace(lambda p: torch.optim.SGD(p, lr=0.1, weight_decay=0.1)),
    "SGD momentum": trace(lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9)),
    "SGD nesterov": trace(lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01)),
    "clip": [clipped(0.5), clipped(100.0)],
    "training": training(),
}

values = torch.tensor([0.0, -0.0, 1.0, -2.5, 65504.0, 1e-7, float("inf"), float("nan")])
file = {
    "half": values.half(),
    "brain": values.bfloat16(),
    "single": values.reshape(2, 4),
    "ids": torch.tensor([[1, -2147483648]], dtype=torch.int32),
    "bytes": torch.tensor([0, 255, 7], dtype=torch.uint8),
    "small": torch.tensor([-128, 127], dtype=torch.int8),
    "empty": torch.zeros(0, 3),
    "scalar": torch.tensor(3.0),
}
stored = {
    "file": base64.b64encode(safetensors.torch.save(file, metadata={"format": "pt"})).decode(),
    # What each reads as in float32; JSON has neither −0, ∞ nor NaN.
    "values": {name: [repr(v) for v in tensor.float().flatten().tolist()] for name, tensor in file.items()},
}


def write(name, content, source):
    path = FIXTURES / f"{name}.json"
    path.write_text(json.dumps({"source": source, **content}, separators=(",", ":")) + "\n")
    print(f"{path.name}: {path.stat().st_size} bytes")


FIXTURES.mkdir(exist_ok=True)
write("operations", {"cases": cases}, SOURCE)
write("optimizers", optimizers, SOURCE)
write("safetensors", stored, f"safetensors {safetensors.__version__} with {SOURCE}")
