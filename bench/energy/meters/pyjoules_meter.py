"""pyJoules on a tree of files: every domain that it finds there, its root path replaced. It reads when it begins and when it ends."""
import json
import sys

from pyJoules.device import rapl_device
from pyJoules.energy_meter import EnergyMeter
from pyJoules.exception import NoSuchDeviceError

rapl_device.RAPL_API_DIR = f"{sys.argv[1]}/intel-rapl"


def say(answer):
    print(json.dumps(answer), flush=True)


try:
    device = rapl_device.RaplDevice()
    device.configure(rapl_device.RaplDevice.available_domains())
    meter = EnergyMeter([device])
    say("open")
    sys.stdin.readline()
    meter.start()
    say("begun")
    sys.stdin.readline()
    meter.stop()
    [sample] = meter.get_trace()
    counted = {name: joules for name, joules in sample.energy.items() if name.startswith(("package", "dram"))}
    if counted:
        say({"joules": sum(counted.values()) / 1e6, "dram": any(name.startswith("dram") for name in counted)})
    else:
        say({"unavailable": "no domain of a package"})
except NoSuchDeviceError as error:
    say({"unavailable": type(error).__name__})
except BaseException as error:
    say({"raised": f"{type(error).__name__}: {error}"})
