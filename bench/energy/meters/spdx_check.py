"""Reads SPDX 3.0.1 documents, one per path, by the SPDX project's own bindings, which are made from the official model (SHACL) and check
types, enumerations and counts; writes `[null or why it was refused, …]` as JSON."""

import io
import json
import sys

from spdx_python_model import v3_0_1 as spdx


def refusal(path):
    objects = spdx.SHACLObjectSet()
    try:
        with open(path, encoding="utf-8") as file:
            spdx.JSONLDDeserializer().read(file, objects)
        # Counts are checked when it is written.
        spdx.JSONLDSerializer().write(objects, io.BytesIO())
    except Exception as error:
        return str(error)[:200]
    missing = sorted(map(str, objects.missing_ids))
    return f"names what it does not hold: {missing}" if missing else None


print(json.dumps([refusal(path) for path in sys.argv[1:]]))
