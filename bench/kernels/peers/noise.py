"""The twin of noise.mjs: the same numbers for the same seed, cut from one file."""

import numpy as np

_pool = None


def read_pool(path):
    global _pool
    _pool = np.fromfile(path, dtype=np.float32)


def noise(seed, *shape):
    """Uniform in [-1, 1): the pool from a start that depends on the seed, wrapping around its end."""
    length = int(np.prod(shape))
    start = seed * 104729 % len(_pool)
    out = np.empty(length, np.float32)
    done = 0
    while done < length:
        part = _pool[start : start + length - done]
        out[done : done + len(part)] = part
        done += len(part)
        start = 0
    return out.reshape(shape)
