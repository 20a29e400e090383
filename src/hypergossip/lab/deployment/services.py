"""What starts agents on their machines: a unit of systemd for each agent, and a file of Docker Compose for all."""

import json
import os
from collections.abc import Sequence

from hypergossip import __version__
from hypergossip.lab.deployment.agent_file import FILE

UNIT = """\
# Agent {name}. On its machine, as root:
#   python3 -m venv /opt/hypergossip && /opt/hypergossip/bin/pip install "hypergossip[lab,peers]=={version}"
#   useradd --system hypergossip
#   cp -r {name} /var/lib/hypergossip/{name}      (the folder of this agent; after `mkdir -p /var/lib/hypergossip`)
#   cp hypergossip-{name}.service /etc/systemd/system/
#   systemctl daemon-reload && systemctl enable --now hypergossip-{name}
[Unit]
Description=hypergossip agent {name}
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
User=hypergossip
Group=hypergossip
# systemd gives this folder, and so the private key in it, to the user above.
StateDirectory=hypergossip/{name}
StateDirectoryMode=0700
CacheDirectory=hypergossip
Environment=XDG_CACHE_HOME=/var/cache/hypergossip PYTHONUNBUFFERED=1
WorkingDirectory=/var/lib/hypergossip/{name}
ExecStart=/opt/hypergossip/bin/hypergossip agent --config {file}
# A restarted agent continues from its checkpoint. Status 2 is an error in the configuration, which a restart keeps.
Restart=on-failure
RestartSec=2
RestartPreventExitStatus=2
SuccessExitStatus=143
TimeoutStopSec=60
UMask=0077
NoNewPrivileges=yes
PrivateTmp=yes
ProtectHome=yes
ProtectSystem=strict

[Install]
WantedBy=multi-user.target
"""

COMPOSE = """\
# All agents, for Docker Compose: `docker compose up --build` starts those of one machine,
# `docker compose up --build paris` starts one. Its folder must be beside this file.
x-agent: &agent
  image: hypergossip-agent:{version}
  build:
    context: .
    dockerfile_inline: |
      FROM python:3.13-slim
      RUN pip install --no-cache-dir "hypergossip[lab,peers]=={version}"
  # Addresses are those of the plan, so that containers use the network of their machine.
  network_mode: host
  # The owner of the private keys, which nobody else can read.
  user: "{user}"
  environment:
    PYTHONUNBUFFERED: "1"
    XDG_CACHE_HOME: /agent/state/cache
  working_dir: /agent
  command: ["hypergossip", "agent", "--config", "{file}"]
  restart: on-failure
  stop_grace_period: 60s
services:
"""


def unit(name: str) -> str:
    """Returns the unit of systemd of the agent `name`."""
    return UNIT.format(name=name, version=__version__, file=FILE)


def compose(names: Sequence[str]) -> str:
    """Returns the file of Docker Compose for the agents of the given `names`."""
    user = f"{os.getuid()}:{os.getgid()}" if hasattr(os, "getuid") else "1000:1000"
    head = COMPOSE.format(version=__version__, user=user, file=FILE).replace(
        "up --build paris", f"up --build {names[0]}"
    )
    services = [
        # Compose allows only lower-case names of projects, but any of these characters in names of services.
        f"  {json.dumps(name)}:\n    <<: *agent\n    volumes:\n      - {json.dumps(f'./{name}:/agent')}\n"
        for name in names
    ]
    return head + "".join(services)
