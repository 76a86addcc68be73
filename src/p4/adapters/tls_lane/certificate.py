"""A certificate for one lane: nobody looks at anything but its fingerprint."""

from __future__ import annotations

import datetime as dt
import os
import secrets
import ssl
import tempfile
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

__all__ = ["client_context", "fingerprint", "server_context"]

_VALID = dt.timedelta(days=2)
"""Before and after now: clocks differ, and nobody checks it."""


def server_context() -> tuple[ssl.SSLContext, bytes]:
    """TLS 1.3 with a new key, and the SHA-256 of its certificate. Takes milliseconds; call it in a thread."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "lane")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _VALID)
        .not_valid_after(now + _VALID)
        .sign(key, hashes.SHA256())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0  # nobody comes back
    # The ssl module reads keys from files only: so what lies there for a moment is encrypted.
    password = secrets.token_bytes(32).hex().encode()
    handle, path = tempfile.mkstemp(prefix="p4-lane-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(
                key.private_bytes(
                    serialization.Encoding.PEM,
                    serialization.PrivateFormat.PKCS8,
                    serialization.BestAvailableEncryption(password),
                )
            )
            file.write(certificate.public_bytes(serialization.Encoding.PEM))
        context.load_cert_chain(path, password=password)
    finally:
        Path(path).unlink()
    return context, certificate.fingerprint(hashes.SHA256())


def client_context() -> ssl.SSLContext:
    """TLS 1.3 that takes any certificate: its `fingerprint` is what counts, and the caller looks at it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def fingerprint(connection: ssl.SSLObject) -> bytes:
    """SHA-256 of the certificate that the other side has shown; empty if it has shown none."""
    certificate = connection.getpeercert(binary_form=True)
    if certificate is None:
        return b""
    return x509.load_der_x509_certificate(certificate).fingerprint(hashes.SHA256())
