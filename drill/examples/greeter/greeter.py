"""A service that greets: `ADDRESS=127.0.0.1:8000 python3 greeter.py`. It needs the standard library alone.

GET /hello greets, GET /metrics has its metrics, and /faults makes it fail or slow (PUT), says so (GET), and ends that (DELETE).
"""

import json
import os
import random
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SLOW_SECONDS = 0.5

lock = threading.Lock()
greetings = {"ok": 0, "failed": 0}
seconds = 0.0
no_faults = {"failing_ratio": 0, "slow_seconds": 0}
faults = dict(no_faults)


def log(level, message, **fields):
    """Writes a log record: a line of JSON, in which `message` is the name of the event."""
    print(json.dumps({"level": level, "message": message, **fields}), flush=True)


def metrics():
    with lock:
        lines = ["# TYPE greetings_total counter"]
        lines += [f'greetings_total{{outcome="{outcome}"}} {count}' for outcome, count in greetings.items()]
        lines += ["# TYPE greeting_seconds summary"]
        lines += [f"greeting_seconds_sum {seconds}", f"greeting_seconds_count {sum(greetings.values())}"]
    return "\n".join(lines) + "\n"


def greet():
    global seconds
    start = time.monotonic()
    time.sleep(faults["slow_seconds"])
    outcome = "failed" if random.random() < faults["failing_ratio"] else "ok"
    took = time.monotonic() - start
    with lock:
        greetings[outcome] += 1
        seconds += took
    if took >= SLOW_SECONDS:
        log("WARN", "greeting_slow", seconds=took)
    if outcome == "failed":
        log("ERROR", "greeting_failed")
    return (500, "sorry\n") if outcome == "failed" else (200, "hello\n")


class Handler(BaseHTTPRequestHandler):
    def answer(self, status, text):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/hello":
            self.answer(*greet())
        elif self.path == "/metrics":
            self.answer(200, metrics())
        elif self.path == "/faults":
            self.answer(200, json.dumps(faults))
        else:
            self.answer(404, "not found\n")

    def do_PUT(self):
        faults.update(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.answer(200, json.dumps(faults))

    def do_DELETE(self):
        faults.update(no_faults)
        self.answer(200, json.dumps(faults))

    def log_message(self, *arguments):
        pass  # the log has events, not requests


if __name__ == "__main__":
    host, port = os.environ.get("ADDRESS", "127.0.0.1:8000").rsplit(":", 1)
    server = ThreadingHTTPServer((host, int(port)), Handler)
    log("INFO", "greeter_started", address=f"{host}:{port}")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        sys.exit(0)
