"""Where the key of an encrypted file comes from: a file, the keychain of the system, a prompt; never the command line.

Knows no store. What is found here is handed on and printed nowhere.
"""

from __future__ import annotations

import os
import secrets
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from simonides.errors import InputError, ModelMissing, StoreUnusable
from simonides.ledger.db import opened_here
from simonides.ledger.drivers import holds_encrypted

if TYPE_CHECKING:
    from types import ModuleType

VARIABLE = "SIMONIDES_KEY_FILE"
"""Names a key file; the key itself has no place in the environment, which other programs can read."""
SERVICE = "simonides"
KEY_BYTES, SALT_BYTES = 32, 16
_LONGEST = 4096


def key_for(
    place: Path, file: str | None, *, ask: bool = False, environment: Mapping[str, str] = os.environ
) -> str | bytes | None:
    """Return the key to open a file with, None for a plain one.

    It is that of the key file, else what is typed at a prompt if asked for; a file that is encrypted already is looked
    up in the keychain, and asked for on a terminal.

    Raises:
        InputError: the key file can't be used.
    """
    named = file or environment.get(VARIABLE)
    if named:
        return from_file(Path(named).expanduser())
    encrypted = place.exists() and is_encrypted(place)
    if ask:
        return prompted(place, twice=not encrypted)
    if not encrypted:
        return None
    return from_keychain(place) or (prompted(place) if sys.stdin.isatty() else None)


def from_file(path: Path) -> str | bytes:
    """Return the key in a file: 64 hexadecimal digits are 32 bytes, anything else is a passphrase.

    Raises:
        InputError: it can't be read, others may read it, or it is empty.
    """
    subject = f"key file {path}"
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if os.name == "posix" and stat.S_ISREG(mode) and mode & 0o077:
                raise InputError(
                    subject, "may be read by others", f"mode {mode & 0o777:o}", f"chmod 600 {path}"
                )
            text = file.read(_LONGEST + 1)
    except OSError as err:
        raise InputError(subject, "can't be read", err.strerror, "Is it the right path, and yours?") from err
    if len(text) > _LONGEST:
        raise InputError(subject, f"is longer than {_LONGEST} bytes", "", "Is it a key?")
    try:
        return _read(text.decode("utf-8-sig").rstrip("\r\n"))
    except UnicodeDecodeError as err:
        raise InputError(subject, "is not text", "", "Write 64 hexadecimal digits, or a passphrase.") from err
    except ValueError as err:
        raise InputError(subject, "is empty", "", "Write 64 hexadecimal digits, or a passphrase.") from err


def make_file(path: Path) -> bytes:
    """Make a random key, in a new file that only its owner can read."""
    subject = f"key file {path}"
    key = secrets.token_bytes(KEY_BYTES)
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(f"{key.hex()}\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as err:
        raise InputError(
            subject, "can't be made", err.strerror, "Choose a new path that you may write."
        ) from err
    return key


def prompted(place: Path, *, twice: bool = False) -> str:
    """Ask on the terminal, without showing what is typed.

    Raises:
        InputError: nothing was typed, or not the same twice.
    """
    from getpass import getpass

    if not sys.stdin.isatty():
        way_out = f"Use --{'new-' if twice else ''}key-file FILE."
        raise InputError("passphrase", "can't be asked for without a terminal", "", way_out)
    given = getpass(f"Passphrase for {place}: ")
    if twice and getpass("Once more: ") != given:
        raise InputError("passphrase", "was not the same twice", "", "Try again; nothing was written.")
    if not given:
        raise InputError("passphrase", "must not be empty", "", "Type one, or use a key file.")
    return given


def from_keychain(place: Path) -> str | bytes | None:
    """Return the key that the keychain of the system holds for an encrypted file, None where there is none."""
    try:
        found = _keychain().get_password(SERVICE, salt_of(place))
    except ModelMissing:
        return None
    except Exception:  # a keychain that is locked, missing or broken: there are other ways to give a key
        return None
    return _read(found) if found else None


def to_keychain(place: Path, key: bytes) -> None:
    """Keep a key in the keychain of the system, under the salt of the file, which moves with it and its backups.

    Raises:
        ModelMissing: the package keyring isn't installed.
        StoreUnusable: the system has no keychain, or it is locked.
    """
    try:
        _keychain().set_password(SERVICE, salt_of(place), key.hex())
    except ModelMissing:
        raise
    except Exception as err:
        way_out = "Use a key file: --key-file FILE."
        raise StoreUnusable("keychain", "could not keep the key", type(err).__name__, way_out) from err


def require_keychain() -> None:
    """Refuse to go on where keyring isn't installed.

    Raises:
        ModelMissing: it isn't.
    """
    _keychain()


def salt_of(place: Path) -> str:
    """Return the first 16 bytes of an encrypted file, which name its key."""
    with place.open("rb") as file:
        return file.read(SALT_BYTES).hex()


def is_encrypted(place: Path) -> bool:
    """Tell whether a file needs a key; one that this process has open is not looked at, as closing it drops locks."""
    here = opened_here(place)
    return here[0].encrypted if here else holds_encrypted(place)


def _read(text: str) -> str | bytes:
    if not text:
        raise ValueError("empty")
    if len(text) == 2 * KEY_BYTES and all(sign in "0123456789abcdefABCDEF" for sign in text):
        return bytes.fromhex(text)
    return text


def _keychain() -> ModuleType:
    try:
        import keyring
    except ImportError as err:
        way_out = "pip install 'simonides[encrypted]'."
        raise ModelMissing("keychain", "the package keyring is not installed", "", way_out) from err
    return keyring
