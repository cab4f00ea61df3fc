"""Counts what it is told in lines on its input with Python's prometheus_client, and pushes after each.

python3 pushgateway_client.py HOST JOB GROUPINGS [gzip]
"""

import json
import sys

import prometheus_client as prometheus

host, job, groupings, *flags = sys.argv[1:]
registry = prometheus.CollectorRegistry()
loads = prometheus.Counter("loads", "Loads.", ["app"], registry=registry)
runs = prometheus.Counter("runs", "Runs.", registry=registry)
wait = prometheus.Histogram("wait_seconds", "Waits.", ["page"], buckets=[0.1, 1], registry=registry)
workers = prometheus.Gauge("workers", "Workers.", registry=registry)
pushes = {"push": prometheus.push_to_gateway, "pushAdd": prometheus.pushadd_to_gateway}
compression = {"compression": "gzip"} if "gzip" in flags else {}
group = json.loads(groupings)
for line in sys.stdin:
    told = json.loads(line)
    for app, n in told["loads"]:
        loads.labels(app).inc(n)
    runs.inc(told["runs"])
    for seconds in told["waits"]:
        wait.labels("/home").observe(seconds)
    if "workers" in told:
        workers.set(told["workers"])
    if told["call"] == "delete":
        prometheus.delete_from_gateway(host, job, group)
    else:
        pushes[told["call"]](host, job, registry, group, **compression)
    print("done", flush=True)
