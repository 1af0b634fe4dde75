"""The Python peers of the bench, in one process that answers one JSON line for each that it reads.

open  {peer, settings}   → {handle, name, version}     one contender, set up for one case
time  {handle, count}    → {seconds}                   seconds per call over `count` calls in a row
sample {handle, indices} → {values}                    elements of its last output, flattened
close {handle}           → {}
An error answers {error} and leaves the process as it was.
"""

import gc
import importlib
import json
import os
import sys
import time

from noise import read_pool

# Where a contender keeps threads, they may go on spinning after a call (OpenBLAS for more than 50 ms): nobody else is measured before
# they sleep, or have had enough time to.
LOOK_SECONDS = 0.005
MOST_LOOKS = 100

protocol = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # what a library prints goes to stderr, not between the answers

contenders = {}
handles = iter(range(1, 1 << 30))


def open_contender(peer, settings):
    family, case = peer.split(".")
    module = importlib.import_module(f"{family}_peers")
    contender = module.CASES[case](**settings)
    contender.run()
    handle = next(handles)
    contenders[handle] = (contender, settings["threads"])
    return {"handle": handle, "name": contender.name, "version": contender.version}


def time_contender(handle, count):
    contender, threads = contenders[handle]
    contender.prepare()
    start = time.perf_counter()
    for _ in range(count):
        contender.run()
    seconds = (time.perf_counter() - start) / count
    contender.rest()
    if threads > 1:
        settle()
    return {"seconds": seconds}


def settle():
    for _ in range(MOST_LOOKS):
        before = time.process_time()
        time.sleep(LOOK_SECONDS)
        if time.process_time() - before < LOOK_SECONDS / 5:
            return


def sample_contender(handle, indices):
    flat = contenders[handle][0].output().reshape(-1)
    return {"values": [float(flat[index]) for index in indices], "length": int(flat.size)}


def close_contender(handle):
    contender, _ = contenders.pop(handle)
    contender.close()
    del contender
    gc.collect()
    return {}


OPERATIONS = {
    "open": open_contender,
    "time": time_contender,
    "sample": sample_contender,
    "close": close_contender,
}


def main():
    read_pool(sys.argv[1])
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = OPERATIONS[request.pop("operation")](**request)
        except Exception as error:  # noqa: BLE001 whatever a library raises is this answer
            answer = {"error": f"{type(error).__name__}: {error}".splitlines()[0][:200]}
        protocol.write(json.dumps(answer) + "\n")
        protocol.flush()


main()
