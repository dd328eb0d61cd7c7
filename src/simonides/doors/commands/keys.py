"""`encrypt`, `rekey`, `decrypt`: give the file a key, another one, or none; knows no memory in it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from simonides.doors.paper import count
from simonides.doors.verb import verb
from simonides.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from simonides.doors.desk import Desk
    from simonides.doors.paper import Paper

ELSEWHERE = (
    "Older copies (backups, exports, *.backup, *.before-restore) are as they were, and a disk may keep deleted text"
    " for a while."
)


def _options(command: Callable[..., None]) -> Callable[..., None]:
    new = click.option(
        "--new-key-file",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="The key in this file; a random one is made where there is none.",
    )
    chain = click.option("--keychain", is_flag=True, help="A random key, kept in the keychain of the system.")
    return new(chain(command))


@verb(
    "encrypt",
    examples=(
        "simonides encrypt                                   # asks for a passphrase",
        "simonides encrypt --new-key-file ~/.simonides.key   # makes one",
        "simonides encrypt --keychain",
    ),
    then=("simonides --key-file ~/.simonides.key status", "simonides doctor"),
)
@_options
def encrypt(desk: Desk, *, new_key_file: Path | None, keychain: bool) -> None:
    """Make the file readable with a key only.

    Everything in it is encrypted, and what SQLite writes beside it. Without the key nobody can read it
    again, you included: keep the key where you will find it. All programs that have the file open must
    end first. Needs `simonides[encrypted]`.
    """
    from simonides.doors.keys import is_encrypted

    place = _existing(desk)
    if is_encrypted(place):
        raise InputError(f"store {place}", "is encrypted already", "", "`simonides rekey` changes its key.")
    _convert(desk, place, "Encrypted", new_key_file, keychain=keychain)


@verb(
    "rekey",
    examples=("simonides rekey", "simonides --key-file old.key rekey --new-key-file new.key"),
    then=("simonides --key-file new.key doctor",),
)
@_options
def rekey(desk: Desk, *, new_key_file: Path | None, keychain: bool) -> None:
    """Give an encrypted file another key.

    Backups made before keep the old one. All programs that have the file open must end first.
    """
    _convert(desk, _encrypted(desk), "Encrypted anew", new_key_file, keychain=keychain)


@verb(
    "decrypt",
    examples=("simonides decrypt", "simonides --key-file old.key decrypt"),
    then=("simonides status",),
)
def decrypt(desk: Desk) -> None:
    """Make an encrypted file plain again.

    All programs that have the file open must end first.
    """
    from simonides.ledger.backup import convert
    from simonides.ledger.drivers import STANDARD

    place = _encrypted(desk)
    convert(place, desk.driver(), STANDARD)
    desk.answer(
        {"file": str(place), "encrypted": False},
        lambda paper: paper.line(f"{place} is plain; anyone can read it."),
    )


def _convert(desk: Desk, place: Path, done: str, new_key_file: Path | None, *, keychain: bool) -> None:
    import secrets

    from simonides.doors import keys
    from simonides.ledger.backup import convert
    from simonides.ledger.encrypted import KEY_BYTES, Vault

    if keychain and new_key_file is not None:
        raise click.UsageError("Name a key file or the keychain, not both.")
    old, before = desk.driver(), None
    if keychain:
        made = secrets.token_bytes(KEY_BYTES)
        new, kept, before = made, "in the keychain", partial(keys.to_keychain, key=made)
        keys.require_keychain()
    elif new_key_file is not None:
        new = keys.from_file(new_key_file) if new_key_file.exists() else keys.make_file(new_key_file)
        kept = f"in {new_key_file}"
    else:
        new, kept = keys.prompted(place, twice=True), "the passphrase"
    copy = convert(place, old, Vault(new), before=before)

    def people(paper: Paper) -> None:
        paper.line(f"{done}: {place} ({count(copy.versions, 'version')} of memories).")
        paper.line(f"Its key is {kept}; without it nobody can read the file again.")
        paper.line(paper.dim(ELSEWHERE))

    desk.answer({"file": str(place), "encrypted": True, "key": kept}, people)


def _existing(desk: Desk) -> Path:
    place = desk.place
    if not place.is_file():
        raise InputError(f"store {place}", "does not exist", "", "Name another with --path.")
    return place


def _encrypted(desk: Desk) -> Path:
    from simonides.doors.keys import is_encrypted

    place = _existing(desk)
    if not is_encrypted(place):
        raise InputError(f"store {place}", "is not encrypted", "", "`simonides encrypt` does that.")
    return place
