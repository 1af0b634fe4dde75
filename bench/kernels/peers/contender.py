"""What every peer is to the server."""


class Contender:
    """`run` does one call of the case; `output` gives what the last one computed, as a numpy array."""

    def __init__(self, name, version, run, output, prepare=None, rest=None, close=None):
        self.name, self.version, self.run, self.output = name, version, run, output
        nothing = lambda: None  # noqa: E731
        self.prepare, self.rest, self.close = prepare or nothing, rest or nothing, close or nothing
