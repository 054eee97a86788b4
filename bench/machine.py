"""What the machine is worth just now: a calibration, so that runs can be told apart."""

from __future__ import annotations

import os
import platform
import time

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa


def rsa_2048_a_s(seconds: float = 1.0) -> float:
    """RSA-2048 signatures that one core makes in a second."""
    key = rsa.generate_private_key(65537, 2048)
    began, count = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        key.sign(b"calibration", padding.PKCS1v15(), hashes.SHA256())
        count += 1
    return count / (time.perf_counter() - began)


def described() -> dict[str, object]:
    """Cores, load and kernel."""
    return {
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
    }
