#!/usr/bin/env bash
# jax 0.10.2: Ctrl-C is lost where it comes while the garbage collector runs.
#
# `import jax` adds a Python function to `gc.callbacks`. Python runs handlers of signals between two instructions of the
# main thread, thus also in that function, and forgets exceptions that are raised in a callback of the garbage
# collector. The KeyboardInterrupt of Ctrl-C, or the exception that a program's own handler of SIGTERM raises, is then
# printed as "Exception ignored in: <function _xla_gc_callback ...>", and the program continues as if nobody had asked
# it to end. A program that allocates little loses few of its signals; the one below collects without pause. Without
# JAX none is lost. What helps: a handler that sets a flag, or `sys.unraisablehook`, which sees the forgotten exception.
#
# Exits with 0 where signals are lost with JAX and none without, and with 1 otherwise.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet jax==0.10.2 jaxlib==0.10.2
cat >"$folder/signals.py" <<'PYTHON'
import gc
import os
import signal
import sys
import threading
import time

if sys.argv[1] == "jax":
    import jax  # noqa: F401

lost = []
sys.unraisablehook = lambda forgotten: lost.append(forgotten.exc_type)
signal.signal(signal.SIGINT, signal.default_int_handler)
for _ in range(200):
    before = len(lost)
    sender = threading.Timer(0.002, os.kill, (os.getpid(), signal.SIGINT))
    sender.start()
    try:
        until = time.monotonic() + 0.1
        while time.monotonic() < until and len(lost) == before:
            gc.collect(0)
    except KeyboardInterrupt:
        pass
    sender.join()
assert all(exception is KeyboardInterrupt for exception in lost)
print(len(lost))
PYTHON
plain=$("$folder/venv/bin/python" "$folder/signals.py" plain)
jax=$("$folder/venv/bin/python" "$folder/signals.py" jax)
echo "of 200 SIGINT, lost without JAX: $plain, with JAX: $jax"
[ "$plain" -eq 0 ] && [ "$jax" -gt 5 ]
