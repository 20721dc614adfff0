"""Keys: a master secret (jobs/key_stores.py), a signing key in a file of mode 0600, and what is derived from them.

Keys never go into a query plan, a log, an argument vector or a table: pseudonyms are computed outside the engine.
"""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from jobs import key_stores
from jobs.errors import KeysUnreadable
from jobs.key_files import read_own, write_once

SIGNING = "signing.pem"
PUBLIC = "signing.pub.pem"


def create(folder: Path, place: str = "file") -> bool:
    """Make the master secret in its place and the signing key where they do not exist; True when something was made."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    made = key_stores.create(folder, place)
    key = Ed25519PrivateKey.generate()
    made |= write_once(folder / SIGNING, key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    public = signing_key(folder).public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    write_once(folder / PUBLIC, public)
    return made


def domain_key(folder: Path, domain: str, place: str = "file") -> bytes:
    """The 32-byte key of a pseudonym domain: HKDF-SHA256 (RFC 5869) of the master secret. Raises KeysUnreadable."""
    master = key_stores.master(folder, place)
    return HKDF(hashes.SHA256(), 32, salt=b"concord", info=b"pseudonym/" + domain.encode()).derive(master)


def signing_key(folder: Path) -> Ed25519PrivateKey:
    """The platform's Ed25519 key (RFC 8032). Raises KeysUnreadable."""
    try:
        key = serialization.load_pem_private_key(read_own(folder / SIGNING), password=None)
    except ValueError:
        raise KeysUnreadable(f"{folder / SIGNING} is no private key; restore it from its backup") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeysUnreadable(f"{folder / SIGNING} is no Ed25519 key; restore it from its backup")
    return key


def public_key(folder: Path) -> Ed25519PublicKey:
    """The key that checks the platform's signatures. Raises KeysUnreadable."""
    return signing_key(folder).public_key()
