#!/usr/bin/env bash
# eclipse-zenoh 1.10.2: each refused TLS handshake is logged with the advice to raise the limit of open files.
#
# A peer with mutual TLS refuses a client that shows no certificate. The log has one warning for it, which names the
# cause and goes on "Hint: increase the system open file limit." The limit has nothing to do with it: the line comes with
# a few files open out of thousands. Whoever reads the log after a certificate has expired, or a neighbour was given one
# of another authority, looks for the cause in the wrong place.
#
# Exits with 0 where the warning has the hint although the limit is far away, and with 1 otherwise.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet eclipse-zenoh==1.10.2 cryptography==50.0.2
cat >"$folder/refused.py" <<'PYTHON'
import datetime
import json
import os
import resource
import socket
import ssl
import sys
import time
from pathlib import Path

import zenoh
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

folder = Path(sys.argv[1])
now, key = datetime.datetime.now(datetime.timezone.utc), ec.generate_private_key(ec.SECP256R1())
name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "peer")])
certificate = (
    x509.CertificateBuilder()
    .subject_name(name)
    .issuer_name(name)
    .public_key(key.public_key())
    .serial_number(x509.random_serial_number())
    .not_valid_before(now - datetime.timedelta(days=1))
    .not_valid_after(now + datetime.timedelta(days=1))
    .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False)
    .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
    .sign(key, hashes.SHA256())
)
(folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
(folder / "key.pem").write_bytes(
    key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
)
with socket.create_server(("127.0.0.1", 0)) as free:
    port = free.getsockname()[1]
os.environ["NO_COLOR"] = "1"
zenoh.init_log_from_env_or("zenoh_link_tls=warn")
config = zenoh.Config()
config.insert_json5("mode", '"peer"')
config.insert_json5("scouting/multicast/enabled", "false")
config.insert_json5("listen/endpoints", json.dumps([f"tls/127.0.0.1:{port}"]))
tls = {
    "root_ca_certificate": str(folder / "cert.pem"),
    "listen_private_key": str(folder / "key.pem"),
    "listen_certificate": str(folder / "cert.pem"),
    "enable_mtls": True,
}
config.insert_json5("transport/link/tls", json.dumps(tls))
session = zenoh.open(config)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
try:
    with socket.create_connection(("127.0.0.1", port)) as plain, context.wrap_socket(plain) as client:
        client.recv(1)
except ssl.SSLError as error:
    print("the client:", error.reason)
time.sleep(1)
used, limit = len(os.listdir("/proc/self/fd")), resource.getrlimit(resource.RLIMIT_NOFILE)[0]
print(f"open files: {used} of {limit}", flush=True)
session.close()
assert used < limit / 4
PYTHON
env -u RUST_LOG "$folder/venv/bin/python" "$folder/refused.py" "$folder" | tee "$folder/log"
grep -q "no certificates.*open file limit" "$folder/log"
