"""Keys: a master secret (jobs/key_stores.py), a signing key and salts in files of mode 0600, and what is derived from them.

Keys never go into a query plan, a log, an argument vector or a table: pseudonyms are computed outside the engine. The key of a
domain's epoch needs a salt of its own beside the master secret, so that it is gone once the salt is.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from jobs import key_stores
from jobs.errors import KeysUnreadable
from jobs.key_files import destroy, read_own, write_once

SALT_BYTES = 32
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


def begin_epoch(folder: Path, domain: str, epoch: int) -> None:
    """Make the salt of an epoch that has no pseudonyms yet; one that is there stays, unless a kill left half of it."""
    path = _salt(folder, domain, epoch)
    if not write_once(path, secrets.token_bytes(SALT_BYTES)) and len(read_own(path)) != SALT_BYTES:
        destroy(path)
        write_once(path, secrets.token_bytes(SALT_BYTES))


def epoch_key(folder: Path, domain: str, epoch: int, place: str = "file") -> bytes:
    """The 32-byte key of a pseudonym domain in one of its epochs: HKDF-SHA256 (RFC 5869) of the master secret, with the epoch's
    salt. Raises KeysUnreadable, also without the salt: never is another one made for pseudonyms that are there."""
    path = _salt(folder, domain, epoch)
    advice = (f"restore this salt, of epoch {epoch} of {domain}, from its backup; where there is none, begin another epoch: "
              f"concord keys rotate {domain}")
    salt = read_own(path, advice)
    if len(salt) != SALT_BYTES:
        raise KeysUnreadable(f"{path} holds no {SALT_BYTES} bytes; {advice}")
    return _derived(key_stores.master(folder, place), salt, f"pseudonym/{domain}/{epoch}")


def end_epoch(folder: Path, domain: str, epoch: int) -> None:
    """Destroy the salt of an epoch, and so its key for ever; one that is gone already is gone. Raises KeysUnreadable."""
    destroy(_salt(folder, domain, epoch))


def has_salt(folder: Path, domain: str, epoch: int) -> bool:
    """Whether the salt of an epoch is there."""
    return _salt(folder, domain, epoch).exists()


def reference_key(folder: Path, name: str, place: str = "file") -> bytes:
    """The 32-byte key of references that are no pseudonyms of a domain, and have no epochs. Raises KeysUnreadable."""
    return _derived(key_stores.master(folder, place), b"concord", f"reference/{name}")


def _derived(master: bytes, salt: bytes, info: str) -> bytes:
    return HKDF(hashes.SHA256(), 32, salt=salt, info=info.encode()).derive(master)


def _salt(folder: Path, domain: str, epoch: int) -> Path:
    return folder / f"{domain}.{epoch}.salt"


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
