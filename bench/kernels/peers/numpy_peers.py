"""numpy, which multiplies by the OpenBLAS in its wheel."""

import numpy as np
from contender import Contender
from noise import noise
from threadpoolctl import threadpool_info, threadpool_limits

_blas = next((library for library in threadpool_info() if library["user_api"] == "blas"), None)
VERSION = f"{np.__version__}, {_blas['internal_api']} {_blas['version']} {_blas.get('architecture', '')}".strip()


def contender(call, out, threads):
    def prepare():
        threadpool_limits(threads, user_api="blas")
        if threads > 1:
            call()  # its threads take milliseconds to wake

    prepare()
    return Contender("numpy", VERSION, call, lambda: out, prepare)


def matmul(m, n, k, threads):
    a, b, out = noise(1, m, k), noise(2, k, n), np.empty((m, n), np.float32)
    return contender(lambda: np.matmul(a, b, out=out), out, threads)


def linear(m, n, k, layers, threads):
    x, out = noise(1, m, k), np.empty((m, n), np.float32)
    weights = [noise(10 + layer, n, k) for layer in range(layers)]

    def call():
        for weight in weights:
            np.matmul(x, weight.T, out=out)

    return contender(call, out, threads)


CASES = {"matmul": matmul, "linear": linear}
