"""PyTorch on the CPU, as a user calls it, and by name its other ways."""

import warnings

import numpy as np
import torch
from contender import Contender
from noise import noise

warnings.filterwarnings("ignore")
VERSION = torch.__version__
DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16}


def tensor(seed, *shape, dtype="f32"):
    return torch.from_numpy(noise(seed, *shape)).to(DTYPES[dtype])


def contender(name, call, threads):
    """`call` returns the output of one run."""
    torch.set_num_threads(threads)
    kept = []

    def run():
        kept[:] = [call()]

    def prepare():
        torch.set_num_threads(threads)

    return Contender(name, VERSION, run, lambda: kept[0].detach().float().numpy(), prepare)


def matmul(m, n, k, dtype, threads):
    """out [m, n] = a [m, k] · b [k, n]."""
    a, b = tensor(1, m, k, dtype=dtype), tensor(2, k, n, dtype=dtype)
    return contender("PyTorch", lambda: torch.mm(a, b), threads)


def linear(m, n, k, layers, dtype, threads):
    """x [m, k] through each of `layers` weights [n, k]; the last layer's output."""
    x = tensor(1, m, k, dtype=dtype)
    weights = [tensor(10 + layer, n, k, dtype=dtype) for layer in range(layers)]

    def call():
        for weight in weights:
            out = torch.nn.functional.linear(x, weight)
        return out

    return contender("PyTorch", torch.inference_mode()(call), threads)


def linear_onednn(m, n, k, layers, dtype, threads):
    """The same by oneDNN with its own weight layout, packed beforehand."""
    torch.set_num_threads(threads)
    x = tensor(1, m, k, dtype=dtype)
    reorder = torch.ops.mkldnn._reorder_linear_weight
    weights = [reorder(tensor(10 + layer, n, k, dtype=dtype), m) for layer in range(layers)]

    def call():
        for weight in weights:
            out = torch.ops.mkldnn._linear_pointwise(x, weight, None, "none", [], "")
        return out

    return contender("PyTorch oneDNN", torch.inference_mode()(call), threads)


def quantize_dynamic(m, n, k, layers, threads):
    """f32 in and out, int8 weights per tensor, activations quantized on the way."""
    torch.set_num_threads(threads)
    x = tensor(1, m, k)

    def quantized(layer):
        model = torch.nn.Sequential(torch.nn.Linear(k, n, bias=False))
        model[0].weight.data = tensor(10 + layer, n, k)
        return torch.ao.quantization.quantize_dynamic(model, {torch.nn.Linear}, dtype=torch.qint8)

    models = [quantized(layer) for layer in range(layers)]

    def call():
        for model in models:
            out = model(x)
        return out

    return contender("PyTorch quantize_dynamic", torch.inference_mode()(call), threads)


def int_mm(m, n, k, layers, threads):
    """Integers only: no activation is quantized, no output scaled. Compared after scaling, outside the time."""
    x, scale = quantized_rows(noise(1, m, k))
    weights = [quantized_rows(noise(10 + layer, n, k)) for layer in range(layers)]
    x = torch.from_numpy(x)
    torch_weights = [torch.from_numpy(weight).t() for weight, _ in weights]

    def call():
        for weight in torch_weights:
            out = torch._int_mm(x, weight)
        return out

    made = contender("PyTorch _int_mm", torch.inference_mode()(call), threads)
    integers = made.output
    made.output = lambda: integers() * scale * weights[-1][1].T
    return made


def quantized_rows(rows):
    scales = np.abs(rows).max(axis=1, keepdims=True) / 127
    return np.round(rows / scales).astype(np.int8), scales


def experts(tokens, n, k, experts, routings, dtype, threads):
    """Each token's row of x through its experts [n, k], one after the other over the experts touched; `routings` are [tokens, topK]."""
    x = tensor(1, tokens, k, dtype=dtype)
    weights = tensor(2, experts, n, k, dtype=dtype)
    chosen = [torch.tensor(routing) for routing in routings]
    out = torch.empty(tokens, chosen[0].shape[1], n, dtype=x.dtype)

    def call():
        for routing in chosen:
            for expert in torch.unique(routing).tolist():
                token, slot = torch.where(routing == expert)
                out[token, slot] = torch.nn.functional.linear(x[token], weights[expert])
        return out

    return contender("PyTorch", torch.inference_mode()(call), threads)


def sparse_csr(m, n, k, layers, zeros, block, threads):
    """x [m, k] through weights [n, k] in CSR, of which the same are zero as in ours (see parts/sparse.mjs)."""
    x = tensor(1, m, k).t().contiguous()

    def pruned(layer):
        keep = noise(500 + layer, n // block, k) * 0.5 + 0.5 >= zeros
        return torch.from_numpy(noise(10 + layer, n, k) * np.repeat(keep, block, axis=0)).to_sparse_csr()

    weights = [pruned(layer) for layer in range(layers)]

    def call():
        for weight in weights:
            out = weight @ x
        return out.t()

    return contender("PyTorch sparse_csr", torch.inference_mode()(call), threads)


def attention(context, heads, kv_heads, head_dim, layers, dtype, threads):
    """One query token over `layers` distinct caches, contiguous, by scaled_dot_product_attention."""
    q = tensor(1, heads, head_dim, dtype=dtype).reshape(1, heads, 1, head_dim)

    def cache(seed):
        rows = tensor(seed, context, kv_heads, head_dim, dtype=dtype)
        return rows.transpose(0, 1).contiguous().unsqueeze(0)

    caches = [(cache(10 + layer), cache(5010 + layer)) for layer in range(layers)]

    def call():
        for k, v in caches:
            out = torch.nn.functional.scaled_dot_product_attention(q, k, v, enable_gqa=heads != kv_heads)
        return out

    return contender("PyTorch SDPA", torch.inference_mode()(call), threads)


def mlp(sizes):
    """Linear layers with relu between them, weights as ours."""
    layers = []
    for index, (inputs, outputs) in enumerate(zip(sizes, sizes[1:])):
        linear_layer = torch.nn.Linear(inputs, outputs)
        linear_layer.weight.data = tensor(10 + index, outputs, inputs) / inputs**0.5
        linear_layer.bias.data.zero_()
        layers += [linear_layer, torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


def mlp_step(batch, sizes, optimizer, lr, threads):
    """A training step: forward, cross-entropy, backward, optimiser; the output is the first layer's weight after it."""
    model = mlp(sizes)
    x = tensor(1, batch, sizes[0])
    y = torch.arange(batch) % sizes[-1]
    kinds = {
        "adam": lambda: torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.0, fused=True),
        "sgd": lambda: torch.optim.SGD(model.parameters(), lr=lr),
    }
    step = kinds[optimizer]()

    def call():
        loss = torch.nn.functional.cross_entropy(model(x), y)
        step.zero_grad()
        loss.backward()
        step.step()
        return model[0].weight

    return contender(f"PyTorch, fused {optimizer}" if optimizer == "adam" else "PyTorch", call, threads)


def fisher_loop(batch, sizes, threads):
    """Squared gradients of each item, one backward pass after the other; the output is the first layer's sum."""
    model = mlp(sizes)
    x = tensor(1, batch, sizes[0])
    y = torch.arange(batch) % sizes[-1]
    sums = [torch.zeros_like(parameter) for parameter in model.parameters()]

    def call():
        for total in sums:
            total.zero_()
        for item in range(batch):
            model.zero_grad()
            torch.nn.functional.cross_entropy(model(x[item : item + 1]), y[item : item + 1]).backward()
            for total, parameter in zip(sums, model.parameters()):
                total += parameter.grad**2
        return sums[0]

    return contender("PyTorch, batch-1 loop", call, threads)


def moe_step(tokens, dim, hidden, experts, top_k, threads):
    """Forward and backward of an eager SwiGLU mixture of experts (softmax top-k, renormalised), as ours; the output is y."""
    router = (tensor(2, experts, dim) / dim**0.5).requires_grad_()
    gate_up = (tensor(3, experts, 2 * hidden, dim) / dim**0.5).requires_grad_()
    down = (tensor(4, experts, dim, hidden) / hidden**0.5).requires_grad_()
    x = tensor(1, tokens, dim).requires_grad_()

    def call():
        p, chosen = torch.softmax(x @ router.t(), dim=-1).topk(top_k, dim=-1)
        p = p / p.sum(dim=-1, keepdim=True)
        y = torch.zeros_like(x)
        for expert in range(experts):
            token, slot = torch.where(chosen == expert)
            gate, up = torch.nn.functional.linear(x[token], gate_up[expert]).chunk(2, dim=-1)
            out = torch.nn.functional.linear(torch.nn.functional.silu(gate) * up, down[expert])
            y = y.index_add(0, token, out * p[token, slot].unsqueeze(-1))
        for parameter in (router, gate_up, down, x):
            parameter.grad = None
        y.sum().backward()
        return y

    return contender("PyTorch eager", call, threads)


CASES = {
    "matmul": matmul,
    "linear": linear,
    "linear_onednn": linear_onednn,
    "quantize_dynamic": quantize_dynamic,
    "int_mm": int_mm,
    "experts": experts,
    "sparse_csr": sparse_csr,
    "attention": attention,
    "mlp_step": mlp_step,
    "fisher_loop": fisher_loop,
    "moe_step": moe_step,
}
