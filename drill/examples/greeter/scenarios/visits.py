#!/usr/bin/env python3
"""Visits the greeter ten times a second, until it is interrupted: the load while a drill has stopped it."""

import contextlib
import json
import os
import signal
import sys
import time
import urllib.request

URL = os.environ.get("GREETER_URL", "http://127.0.0.1:8000")


def request(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    urllib.request.urlopen(urllib.request.Request(URL + path, data, method=method), timeout=5).read()


@contextlib.contextmanager
def fault(settings):
    """Injects a fault, and ends it whatever happens."""
    request("PUT", "/faults", settings)
    try:
        yield
    finally:
        request("DELETE", "/faults")


def greet_until_interrupted():
    interrupted = []
    signal.signal(signal.SIGINT, lambda *_: interrupted.append(True))
    while not interrupted:
        with contextlib.suppress(OSError):  # it may be down
            request("GET", "/hello")
        time.sleep(0.1)


if __name__ == "__main__":
    greet_until_interrupted()
    sys.exit(0)
