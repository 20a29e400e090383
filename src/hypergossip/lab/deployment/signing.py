"""Certificates of a deployment: which can be used, which are kept, and which are signed."""

import ipaddress
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypergossip.lab.deployment.agent_file import certificate_table
from hypergossip.peers.certificates import Authority, write_private
from hypergossip.peers.link_settings import Certificates
from hypergossip.support.extras import require

PURPOSE = "a certificate"
RENEW = timedelta(days=30)  # one that is valid for less than this is signed again
CERTIFICATE, KEY = "authority.pem", "authority.key"


@dataclass(frozen=True)
class Holder:
    """Who gets a certificate.

    Attributes:
        name: The common name.
        hosts: The host names and addresses at which it is reached.
        folder: The folder of its certificate.
        stem: The beginning of the files' names.
    """

    name: str
    hosts: tuple[str, ...]
    folder: Path
    stem: str

    @property
    def files(self) -> Certificates:
        """The files, whether or not they exist."""
        table = certificate_table(self.stem)
        return Certificates(*(self.folder / table[part] for part in ("authority", "certificate", "key")))


def refuse_unusable(files: Certificates, name: str) -> None:
    """Raises ValueError if an agent's certificate cannot be used: missing, expired, of another name or authority.

    Args:
        files: The files.
        name: The agent's name.
    """
    files.check()
    if (fault := fault_of(files, name)) is not None:
        raise ValueError(
            f"the certificate {files.certificate} cannot be used, because {fault}; run `hypergossip deploy` again and "
            "copy the agent's folder to its machine."
        )


def fault_of(files: Certificates, name: str, hosts: Sequence[str] = (), margin: timedelta = timedelta(0)) -> str | None:
    """Returns why a certificate cannot be used, or None.

    Args:
        files: The files, which exist.
        name: The common name that it must have.
        hosts: The host names and addresses that it must have.
        margin: For how long it must still be valid.
    """
    x509 = require("cryptography.x509", "peers", PURPOSE)
    serialization = require("cryptography.hazmat.primitives.serialization", "peers", PURPOSE)
    refused = require("cryptography.exceptions", "peers", PURPOSE).InvalidSignature
    try:
        authority, own = (x509.load_pem_x509_certificate(f.read_bytes()) for f in (files.authority, files.certificate))
        key = serialization.load_pem_private_key(files.key.read_bytes(), None)
    except (ValueError, TypeError) as error:
        return f"one of its files is not PEM ({error})"
    for subject, certificate in (("it", own), ("its authority's certificate", authority)):
        if fault := _fault_of_dates(certificate, margin):
            return f"{subject} {fault}"
    names = [part.value for part in own.subject.get_attributes_for_oid(x509.oid.NameOID.COMMON_NAME)]
    if names != [name]:
        return f"its common name is {', '.join(map(repr, names)) or 'missing'}, not {name!r}"
    if own.public_key() != key.public_key():
        return f"{files.key.name} is not its private key"
    try:
        own.verify_directly_issued_by(authority)
    except (ValueError, TypeError, refused):
        return f"it was not signed by the authority of {files.authority.name}"
    if missing := [host for host in hosts if _normal(host) not in _hosts(own)]:
        return f"it does not name the host {missing[0]}"
    return None


class Signatures:
    """The certificates of a deployment: what must be signed is known before anything is written.

    Attributes:
        folder: The folder of the deployment.
        holders: Who gets a certificate.
        wanted: Those of them whose certificate is missing or cannot be kept.
        renewed: Whether there is no authority yet, or its certificate expires, so that all certificates are new.
    """

    folder: Path
    holders: tuple[Holder, ...]
    wanted: tuple[Holder, ...]
    renewed: bool

    def __init__(self, folder: Path, holders: Sequence[Holder], network: str) -> None:
        """Finds out what must be signed.

        Args:
            folder: The folder of the deployment.
            holders: Who gets a certificate.
            network: The network's name.

        Raises:
            ValueError: If something must be signed and the authority's private key is gone, or others can read it.
        """
        self.folder, self.holders = folder, tuple(holders)
        self._certificate, self._key = folder / CERTIFICATE, folder / KEY
        known = self._certificate.is_file()
        if known and self._key.is_file():
            _refuse_readable(self._key)
            self._authority = Authority.load(self._certificate, self._key)
            self.renewed = _fault_of_dates(self._authority.certificate, RENEW) is not None
        else:
            self._authority, self.renewed = None, not known
        if self.renewed:
            self._authority = Authority.create(network)
        self.wanted = tuple(holder for holder in holders if self.renewed or not self._keeps(holder))
        if self.wanted and self._authority is None:
            raise ValueError(
                f"{self.wanted[0].name} needs a certificate, but the authority's private key {self._key} is gone; put "
                f"it back, or remove {self._certificate} as well, and every agent gets a new certificate."
            )

    def write(self) -> None:
        """Writes the authority's files and the certificates that are wanted."""
        if self.renewed and self._authority is not None:
            write_private(self._key, self._authority.private_bytes())
            self._certificate.write_bytes(self._authority.public_bytes())
        for holder in self.holders:
            if holder in self.wanted and self._authority is not None:
                self._authority.issue(holder.name, holder.hosts, holder.folder, holder.stem)
            else:
                holder.files.authority.write_bytes(self._certificate.read_bytes())

    def _keeps(self, holder: Holder) -> bool:
        files = holder.files
        if not all(path.is_file() for path in (files.certificate, files.key)):
            return False
        _refuse_readable(files.key)
        own = Certificates(self._certificate, files.certificate, files.key)
        return fault_of(own, holder.name, holder.hosts, RENEW) is None


def _refuse_readable(key: Path) -> None:
    if (mode := stat.S_IMODE(key.stat().st_mode)) & 0o077:
        raise ValueError(
            f"{key} can be read by other users (mode {mode:04o}); run: chmod 600 {key}, or remove it and its "
            "certificate if somebody may have copied it."
        )


def _fault_of_dates(certificate: Any, margin: timedelta) -> str | None:
    now = datetime.now(UTC)
    if (last := certificate.not_valid_after_utc) < now + margin:
        return f"{'expired' if last < now else 'expires'} on {last:%Y-%m-%d}"
    if (first := certificate.not_valid_before_utc) > now:
        return f"is valid from {first:%Y-%m-%d %H:%M} UTC on, which this machine's clock has not reached"
    return None


def _hosts(certificate: Any) -> set[str]:
    x509 = require("cryptography.x509", "peers", PURPOSE)
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    addresses = names.get_values_for_type(x509.IPAddress)
    return {*names.get_values_for_type(x509.DNSName), *map(str, addresses)}


def _normal(host: str) -> str:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return host
