"""Certificates of a made-up authority, by openssl: of a broker, of a client."""

from __future__ import annotations

import subprocess
from pathlib import Path


class Authority:
    """Signs certificates; all files stand in its folder.

    Args:
        folder: where its files stand; it is made.
        name: of the authority.
    """

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.certificate = folder / "ca.pem"
        self._key = folder / "ca.key"
        _openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", f"/CN={name}", "-addext", "basicConstraints=critical,CA:TRUE",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-keyout", self._key, "-out", self.certificate,
        )  # fmt: skip

    def signed(self, name: str, alternative: str = "", password: str = "") -> tuple[Path, Path]:
        """A new certificate and its key, as PEM files.

        Args:
            name: of whom it is.
            alternative: what a broker is reached by, "IP:127.0.0.1" or "DNS:localhost".
            password: the key is encrypted by it; "": it is not.
        """
        key, request, certificate, extensions = (self.folder / f"{name}.{end}" for end in ("key", "csr", "pem", "ext"))
        encrypted = ("-aes256", "-pass", f"pass:{password}") if password else ()
        _openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", *encrypted, "-out", key)
        passed = ("-passin", f"pass:{password}") if password else ()
        _openssl("req", "-new", "-key", key, *passed, "-subj", f"/CN={name}", "-out", request)
        extensions.write_text(
            "keyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth,clientAuth\n"
            + (f"subjectAltName={alternative}\n" if alternative else "")
        )
        _openssl(
            "x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self._key, "-CAcreateserial",
            "-days", "2", "-extfile", extensions, "-out", certificate,
        )  # fmt: skip
        return certificate, key


def keystore(certificate: Path, key: Path, to: Path) -> Path:
    """One PEM file with both, as a broker wants it."""
    to.write_text(key.read_text() + certificate.read_text())
    return to


def _openssl(*words: str | Path) -> None:
    done = subprocess.run(["openssl", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"openssl {words[0]} failed: {done.stderr.strip()}")
