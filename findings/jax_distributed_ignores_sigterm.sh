#!/usr/bin/env bash
# jax and jaxlib 0.10.2: after jax.distributed.initialize, SIGTERM does not end a process.
#
# A scheduler (SLURM, Kubernetes) sends SIGTERM before it ends a job. A Python process ends at it, but one that has
# called jax.distributed.initialize goes on: JAX's preemption service has installed a handler that records the
# preemption, for programs that ask for it, and nothing else. The process is ended by the SIGKILL that follows, without
# any of its own clean-up. With jax_enable_preemption_service set to False before the call, SIGTERM ends it as usual.
#
# Exits with 0 where the process survives by default and ends with the option, and with 1 otherwise.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet jax==0.10.2 jaxlib==0.10.2
cat >"$folder/process.py" <<'PYTHON'
import os
import signal
import socket
import sys
import time

import jax

if sys.argv[1] == "off":
    jax.config.update("jax_enable_preemption_service", False)
with socket.socket() as listener:
    listener.bind(("127.0.0.1", 0))
    port = listener.getsockname()[1]
jax.distributed.initialize(f"127.0.0.1:{port}", 1, 0)
os.kill(os.getpid(), signal.SIGTERM)
time.sleep(3)
print("still running", flush=True)
PYTHON
status=0
for service in default off; do
    said=$(JAX_PLATFORMS=cpu "$folder/venv/bin/python" "$folder/process.py" "$service" 2>/dev/null) && code=0 || code=$?
    echo "preemption service $service: exit status $code, printed '$said'"
    if [ "$service" = default ]; then [ "$said" = "still running" ] || status=1; else [ "$code" -eq 143 ] || status=1; fi
done
exit $status
