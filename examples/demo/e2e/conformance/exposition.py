"""Reads an exposition with prometheus_client's parsers, as JSON on standard output.

Arguments: a Content-Type. Standard input: what came with it. The parser is the one that the type asks for, so
a text that is not what it says does not read.
"""

import json
import sys

from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as text


def spelled(value):
    """A value that reads back equal in any language: JSON has no infinity."""
    return repr(float(value))


def exemplar(found):
    """Labels, value and seconds of one, if there is one."""
    if found is None:
        return None
    timestamp = None if found.timestamp is None else float(found.timestamp)
    return [found.labels, spelled(found.value), timestamp]


def main():
    content_type = sys.argv[1]
    parse = {"application/openmetrics-text": open_metrics, "text/plain": text}[content_type.split(";")[0]]
    families = []
    for family in parse(sys.stdin.buffer.read().decode("utf-8")):
        samples = [
            {
                "name": sample.name,
                "labels": sample.labels,
                "value": spelled(sample.value),
                "exemplar": exemplar(sample.exemplar),
            }
            for sample in family.samples
        ]
        families.append(
            {
                "name": family.name,
                "type": family.type,
                "unit": family.unit,
                "help": family.documentation,
                "samples": samples,
            }
        )
    json.dump(families, sys.stdout)


if __name__ == "__main__":
    main()
