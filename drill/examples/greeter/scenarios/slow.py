#!/usr/bin/env python3
"""Triggers GreetingsSlow: a greeting takes 0.7 s. A drill ends it with SIGINT, as Ctrl-C does."""

import sys

sys.dont_write_bytecode = True
import visits

with visits.fault({"slow_seconds": 0.7}):
    visits.greet_until_interrupted()
