# SPDX-License-Identifier: Apache-2.0
"""Reads Prometheus text strictly, and checks the accounting equation in
it."""
import re

SAMPLE = re.compile(
    r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (-?[0-9.eE+-]+|NaN|\+Inf)"
    r"(?: ([0-9]+))?$")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"(?:,|$)')


class Metrics:
    def __init__(self, text):
        self.samples = {}
        self.types = {}
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ")
                assert name not in self.types, f"{name} has two TYPE lines"
                self.types[name] = kind
            elif line and not line.startswith("#"):
                self._read_sample(line)

    def _read_sample(self, line):
        sample = SAMPLE.match(line)
        assert sample, f"this line is not a sample: {line!r}"
        name, labels, value, _ = sample.groups()
        pairs = LABEL.findall(labels or "")
        key = (name, frozenset(pairs))
        assert key not in self.samples, f"this sample occurs twice: {line!r}"
        self.samples[key] = float(value)

    def sum(self, name, /, **labels):
        """The sum of all samples of that name that have these labels."""
        wanted = set(labels.items())
        total = float(sum(value for (n, pairs), value in self.samples.items()
                          if n == name and wanted <= pairs))
        return int(total) if total.is_integer() else total

    def labels(self, name, label):
        return sorted({dict(pairs)[label] for n, pairs in self.samples
                       if n == name and label in dict(pairs)})

    def dropped(self, reason=None):
        more = {"reason": reason} if reason else {}
        return self.sum("sluiced_messages_dropped_total", **more)

    @property
    def received(self):
        return self.sum("sluiced_messages_received_total")

    @property
    def written(self):
        return self.sum("sluiced_messages_written_total")

    @property
    def dead_lettered(self):
        return self.sum("sluiced_messages_dead_lettered_total")

    @property
    def queued(self):
        return self.sum("sluiced_messages_queued")

    def failures(self, reason=None, **labels):
        if reason:
            labels["reason"] = reason
        return self.sum("sluiced_filter_failures_total", **labels)

    def check_accounting_equation(self):
        """received = written + dropped{reason} + dead_lettered + queued, and
        for each output: lines = written + dropped + queued."""
        for name in ("sluiced_messages_received_total",
                     "sluiced_messages_written_total",
                     "sluiced_messages_dead_lettered_total",
                     "sluiced_messages_queued"):
            assert self.labels(name, "output") == [], name
            assert (name, frozenset()) in self.samples, f"no {name}"
        parts = (self.written, self.dropped(), self.dead_lettered, self.queued)
        assert self.received == sum(parts), (
            f"received {self.received} differs from written + dropped + "
            f"dead-lettered + queued {parts}")
        outputs = self.labels("sluiced_output_lines_total", "output")
        assert outputs, "no output has counters"
        for output in outputs:
            lines = self.sum("sluiced_output_lines_total", output=output)
            parts = tuple(self.sum(f"sluiced_output_lines_{part}",
                                   output=output)
                          for part in ("written_total", "dropped_total",
                                       "queued"))
            assert lines == sum(parts), (
                f"{output}: lines {lines} differs from written + dropped + "
                f"queued {parts}")
