"""The network's own certificate authority: it signs one certificate for each agent."""

import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypergossip.peers.link_settings import Certificates
from hypergossip.support.extras import require

PURPOSE = "a certificate"


@dataclass(frozen=True)
class Authority:
    """A certificate authority, made once for a network. Its key signs certificates and is then no longer needed.

    Attributes:
        certificate: Its certificate, an object of the package cryptography.
        key: Its private key, likewise.
        days: The number of days for which certificates are valid.
    """

    certificate: Any
    key: Any
    days: int

    @classmethod
    def create(cls, network: str, days: int = 825) -> "Authority":
        """Returns a new authority with a key on the curve P-256.

        Args:
            network: The network's name.
            days: The number of days for which certificates are valid.
        """
        x509 = require("cryptography.x509", "peers", PURPOSE)
        key = _new_key()
        name = _name(f"{network} authority")
        usage = dict.fromkeys(
            ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only",
             "decipher_only"),
            False,
        )  # fmt: skip
        builder = _dated(x509.CertificateBuilder(), days).subject_name(name).issuer_name(name)
        builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(
            x509.KeyUsage(digital_signature=True, key_cert_sign=True, crl_sign=True, **usage), critical=True
        )
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        return cls(builder.sign(key, _hash()), key, days)

    @classmethod
    def load(cls, certificate: Path, key: Path, days: int = 825) -> "Authority":
        """Returns the authority of two files (PEM).

        Args:
            certificate: Its certificate.
            key: Its private key.
            days: The number of days for which new certificates are valid, at most as long as its own.

        Raises:
            ValueError: If a file is not what it should be, or the key is not that of the certificate.
        """
        x509 = require("cryptography.x509", "peers", PURPOSE)
        serialization = require("cryptography.hazmat.primitives.serialization", "peers", PURPOSE)
        try:
            signed = x509.load_pem_x509_certificate(certificate.read_bytes())
            own = serialization.load_pem_private_key(key.read_bytes(), None)
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"{certificate} or {key} is not a certificate or a private key in PEM ({error}); restore both files "
                "from a copy, or remove both, and all certificates are made again."
            ) from None
        if own.public_key() != signed.public_key():
            raise ValueError(
                f"{key} is not the private key of {certificate}; restore both files from one copy, or remove both, and "
                "all certificates are made again."
            )
        return cls(signed, own, days)

    def issue(self, name: str, hosts: Sequence[str], folder: Path, stem: str) -> Certificates:
        """Writes a certificate and its private key, which only its owner can read; returns the paths.

        Args:
            name: The agent's name, which becomes the common name.
            hosts: The host names and addresses at which its neighbours reach it.
            folder: The folder.
            stem: The beginning of the files' names.
        """
        x509 = require("cryptography.x509", "peers", PURPOSE)
        oid = x509.oid.ExtendedKeyUsageOID
        key = _new_key()
        last = self.certificate.not_valid_after_utc
        builder = _dated(x509.CertificateBuilder(), self.days, last).subject_name(_name(name))
        builder = builder.issuer_name(self.certificate.subject).public_key(key.public_key())
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.add_extension(x509.SubjectAlternativeName([_host(host) for host in hosts]), critical=False)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([oid.SERVER_AUTH, oid.CLIENT_AUTH]), critical=False)
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False
        )
        folder.mkdir(parents=True, exist_ok=True)
        paths = Certificates(folder / "authority.pem", folder / f"{stem}.pem", folder / f"{stem}.key")
        write_private(paths.key, _private_bytes(key))
        paths.certificate.write_bytes(_public_bytes(builder.sign(self.key, _hash())))
        paths.authority.write_bytes(self.public_bytes())
        return paths

    def public_bytes(self) -> bytes:
        """Returns the authority's certificate (PEM)."""
        return _public_bytes(self.certificate)

    def private_bytes(self) -> bytes:
        """Returns the authority's private key (PEM)."""
        return _private_bytes(self.key)


def write_private(path: Path, content: bytes) -> None:
    """Writes a file that only its owner can read, from the first byte on.

    Args:
        path: The file.
        content: Its content.
    """
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)


def _new_key() -> Any:
    ec = require("cryptography.hazmat.primitives.asymmetric.ec", "peers", PURPOSE)
    return ec.generate_private_key(ec.SECP256R1())


def _hash() -> Any:
    return require("cryptography.hazmat.primitives.hashes", "peers", PURPOSE).SHA256()


def _name(name: str) -> Any:
    x509 = require("cryptography.x509", "peers", PURPOSE)
    return x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, name)])


def _host(host: str) -> Any:
    x509 = require("cryptography.x509", "peers", PURPOSE)
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _dated(builder: Any, days: int, last: datetime | None = None) -> Any:
    now = datetime.now(UTC)
    end = now + timedelta(days=days)
    # An hour earlier, because the clocks of the machines differ.
    return builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(end if last is None else min(end, last))


def _private_bytes(key: Any) -> bytes:
    s = require("cryptography.hazmat.primitives.serialization", "peers", PURPOSE)
    return key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption())


def _public_bytes(certificate: Any) -> bytes:
    s = require("cryptography.hazmat.primitives.serialization", "peers", PURPOSE)
    return certificate.public_bytes(s.Encoding.PEM)
