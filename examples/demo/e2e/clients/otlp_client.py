"""Counts what it is told with OpenTelemetry's SDK for Python, and pushes after each round.

python3 otlp_client.py ENDPOINT SERVICE delta|cumulative BOUNDS ROUNDS, the last two as JSON.
"""

import json
import math
import sys

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk import metrics
from opentelemetry.sdk.metrics import view
from opentelemetry.sdk.metrics.export import AggregationTemporality, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource

endpoint, service, name, bounds, rounds = sys.argv[1:]
temporality = AggregationTemporality[name.upper()]
preferred = {metrics.Counter: temporality, metrics.Histogram: temporality}
exporter = OTLPMetricExporter(endpoint=endpoint, preferred_temporality=preferred)
reader = PeriodicExportingMetricReader(exporter, export_interval_millis=math.inf)
provider = metrics.MeterProvider(
    metric_readers=[reader],
    resource=Resource({"service.name": service}),
    views=[
        view.View(instrument_name="page.load", aggregation=view.ExplicitBucketHistogramAggregation(json.loads(bounds))),
        view.View(instrument_name="step", aggregation=view.ExponentialBucketHistogramAggregation()),
    ],
)
meter = provider.get_meter("e2e")
loads = meter.create_counter("app.loads")
load = meter.create_histogram("page.load", unit="s")
step = meter.create_histogram("step", unit="s")
users = meter.create_up_down_counter("users")
for done in json.loads(rounds):
    for app, n in done["loads"]:
        loads.add(n, {"app": app, "build": 17})
    for seconds in done["load"]:
        load.record(seconds)
    for seconds in done["step"]:
        step.record(seconds)
    if done["users"]:
        users.add(done["users"])
    if not provider.force_flush():
        sys.exit("the push failed")
provider.shutdown()
