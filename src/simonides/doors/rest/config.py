"""How a server behaves: where it listens, whom it lets in, how much and how fast; opens and reads nothing."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from simonides.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

MEBIBYTE = 1024 * 1024
PORT = 7466
"""SIMO on the keys of a telephone."""


READ, QUICK, WRITE = "read", "quick", "write"
"""Lanes of threads: what searches, what is read in a moment, what writes."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a client may take; times are seconds.

    Attributes:
        body_bytes: the largest body of a request.
        import_bytes: the largest import.
        header_bytes: of all headers of a request, its first line included.
        header_seconds: from the opening of a connection to the end of the first headers.
        body_seconds: for the body of a request; of an import and an export, for the next piece of it.
        verb_seconds: for what the request asks for, waiting for its turn included.
        grace_seconds: for what is under way when the server is stopped.
        rate: requests a second of one credential, in the long run; 0 is no limit. Per process.
        burst: how many of them may come at once.
        strangers: failed tries to get in of one address in a minute.
        waiting: requests that may wait for a thread.
        threads: requests that are worked on at once.
        streams: imports and exports at once.
        tenants: stores that are open at once, where the credential says which.
        remembered_seconds: how long a credential that was checked is trusted; so long a revoked one still works.
    """

    body_bytes: int = 16 * MEBIBYTE
    import_bytes: int = 16 * 1024 * MEBIBYTE
    header_bytes: int = 32 * 1024
    header_seconds: float = 10.0
    body_seconds: float = 30.0
    verb_seconds: float = 60.0
    grace_seconds: float = 30.0
    rate: float = 0.0
    burst: int = 100
    strangers: int = 60
    waiting: int = 512
    threads: int = 8
    streams: int = 4
    tenants: int = 32
    remembered_seconds: float = 2.0


@dataclass(frozen=True, slots=True)
class Config:
    """What `simonides serve` was told.

    Attributes:
        host, port: where to listen; port 0 is any that is free.
        hosts: names under which it may be asked, beside its addresses and localhost; ``*`` is any.
        origins: origins of pages of others that may ask it.
        certfile, keyfile: of TLS.
        insecure: to listen in public without TLS.
        open_metrics: to show /metrics without a token.
        mem0: to answer under mem0's paths too.
        ui: to show the page.
        verify: tells who a bearer token of an identity provider is; None where there is none.
    """

    host: str = "127.0.0.1"
    port: int = PORT
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    certfile: Path | None = None
    keyfile: Path | None = None
    insecure: bool = False
    open_metrics: bool = False
    mem0: bool = False
    ui: bool = False
    verify: Callable[[str], object] | None = None
    limits: Limits = field(default_factory=Limits)

    def require_safe(self) -> None:
        """Refuse to listen in public without TLS, unless that is wanted.

        Raises:
            InputError: it would; or only one half of a certificate is named.
        """
        if (self.certfile is None) != (self.keyfile is None):
            raise InputError("--certfile", "needs --keyfile, and the other way round")
        if is_loopback(self.host) or self.certfile is not None or self.insecure:
            return
        rule = "would be reached from other machines, and tokens and memories would travel unencrypted"
        way_out = "Give --certfile and --keyfile; or --insecure, where something in front of it speaks TLS."
        raise InputError(f"--host {self.host}", rule, "", way_out)


def is_loopback(host: str) -> bool:
    """Tell whether an address to listen at is reached from this machine only."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
