"""CodeCarbon on a tree of files: its own tracker, its own choice of counters, pointed there by `rapl_dir`.

It samples every second here (15 by default), so that it sees what happens within a fault that lasts two.
"""
import json
import logging
import sys

from codecarbon import OfflineEmissionsTracker
from codecarbon.core import cpu
from codecarbon.external import hardware

root = f"{sys.argv[1]}/intel-rapl/subsystem"
warned = []


class Warnings(logging.Handler):
    def emit(self, record):
        warned.append(record.getMessage())


def say(answer):
    print(json.dumps(answer), flush=True)


is_rapl_available = cpu.is_rapl_available
cpu.is_rapl_available = lambda: is_rapl_available(root)
# The tracker passes no `rapl_dir` on: the default of the same argument.
hardware.CPU.__init__.__defaults__ = (root, *hardware.CPU.__init__.__defaults__[1:])
try:
    logging.getLogger("codecarbon").addHandler(Warnings(level=logging.WARNING))
    tracker = OfflineEmissionsTracker(
        country_iso_code="FRA", measure_power_secs=1, save_to_file=False, log_level="critical", allow_multiple_runs=True
    )
    logging.getLogger("codecarbon").setLevel(logging.WARNING)
    say("open")
    sys.stdin.readline()
    tracker.start()
    say("begun")
    sys.stdin.readline()
    tracker.stop()
    [chip] = [part for part in tracker._hardware if isinstance(part, hardware.CPU)]
    joules = tracker.final_emissions_data.cpu_energy * 3.6e6
    measured = chip._mode == "intel_rapl"
    say({"joules": joules, "method": "counters" if measured else "model", "warned": len(warned) > 0, "dram": False})
except BaseException as error:
    say({"raised": f"{type(error).__name__}: {error}"})
