"""Whether the observer's own certificate can be right, which the agents that refuse it cannot say."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hypergossip.peers.link_settings import Certificates
from hypergossip.support.extras import require

PURPOSE = "hypergossip watch"
AGAIN = "let `hypergossip deploy` write the network's certificates again"


def check(certificates: Certificates) -> None:
    """Checks that a certificate is valid today, of the network's authority, and of the private key beside it.

    Args:
        certificates: The files.

    Raises:
        ValueError: If it is not, or a file holds something else.
    """
    x509 = require("cryptography.x509", "peers", PURPOSE)
    serialization = require("cryptography.hazmat.primitives.serialization", "peers", PURPOSE)
    invalid = require("cryptography.exceptions", "peers", PURPOSE).InvalidSignature
    own = _read(certificates.certificate, x509.load_pem_x509_certificate, "a certificate")
    authority = _read(certificates.authority, x509.load_pem_x509_certificate, "a certificate")
    key = _read(certificates.key, lambda pem: serialization.load_pem_private_key(pem, None), "a private key")
    if key.public_key() != own.public_key():
        raise ValueError(f"{certificates.key} is not the private key of {certificates.certificate}; {AGAIN}.")
    try:
        own.verify_directly_issued_by(authority)
    except (ValueError, TypeError, invalid):
        raise ValueError(
            f"{certificates.certificate} is not of the authority in {certificates.authority}; {AGAIN}."
        ) from None
    for path, each in ((certificates.certificate, own), (certificates.authority, authority)):
        now = datetime.now(UTC)
        if now > each.not_valid_after_utc:
            raise ValueError(f"{path} has expired on {each.not_valid_after_utc:%Y-%m-%d}; {AGAIN}.")
        if now < each.not_valid_before_utc:
            raise ValueError(f"{path} is valid from {each.not_valid_before_utc:%Y-%m-%d}; check this machine's clock.")


def _read(path: Path, read: Any, what: str) -> Any:
    try:
        return read(path.read_bytes())
    except (ValueError, TypeError):
        raise ValueError(f"{path} is not {what} (PEM); {AGAIN}.") from None
