"""Keys: a master secret and a signing key in files of mode 0600, and what is derived from them.

Keys never go into a query plan, a log, an argument vector or a table: pseudonyms are computed outside the engine.
"""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from jobs.errors import KeysUnreadable

MASTER = "master.key"
SIGNING = "signing.pem"
PUBLIC = "signing.pub.pem"
SHORTEST_MASTER = 32


def create(folder: Path) -> bool:
    """Make the master secret and the signing key where they do not exist; True when something was made."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    made = _write_once(folder / MASTER, secrets.token_hex(32).encode())
    key = Ed25519PrivateKey.generate()
    made |= _write_once(folder / SIGNING, key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    public = signing_key(folder).public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    _write_once(folder / PUBLIC, public)
    return made


def domain_key(folder: Path, domain: str) -> bytes:
    """The 32-byte key of a pseudonym domain: HKDF-SHA256 (RFC 5869) of the master secret. Raises KeysUnreadable."""
    try:
        master = bytes.fromhex(_read(folder / MASTER).decode().strip())
    except ValueError:
        master = b""
    if len(master) < SHORTEST_MASTER:
        raise KeysUnreadable(f"{folder / MASTER} holds no secret of {SHORTEST_MASTER} bytes; restore it from its backup")
    return HKDF(hashes.SHA256(), 32, salt=b"concord", info=b"pseudonym/" + domain.encode()).derive(master)


def signing_key(folder: Path) -> Ed25519PrivateKey:
    """The platform's Ed25519 key (RFC 8032). Raises KeysUnreadable."""
    try:
        key = serialization.load_pem_private_key(_read(folder / SIGNING), password=None)
    except ValueError:
        raise KeysUnreadable(f"{folder / SIGNING} is no private key; restore it from its backup") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeysUnreadable(f"{folder / SIGNING} is no Ed25519 key; restore it from its backup")
    return key


def public_key(folder: Path) -> Ed25519PublicKey:
    """The key that checks the platform's signatures. Raises KeysUnreadable."""
    return signing_key(folder).public_key()


def _read(path: Path) -> bytes:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            raise KeysUnreadable(f"{path} can be read by others (mode {mode:04o}); run chmod 600 {path}")
        return path.read_bytes()
    except OSError as error:
        raise KeysUnreadable(f"{path} cannot be read ({error.strerror}); run `concord keys create` once, or restore "
                             "the file from its backup") from None


def _write_once(path: Path, content: bytes) -> bool:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    return True
