"""`serve`: answer programs over REST; what it serves and how lies in doors/rest, loaded when it runs."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Any

import click

from simonides.doors.desk import Desk
from simonides.doors.paper import Paper
from simonides.doors.verb import verb
from simonides.errors import InputError, ModelMissing

_FILE = click.Path(path_type=Path, dir_okay=False)


@verb(
    "serve",
    examples=(
        "simonides serve",
        "simonides serve --port 0 --ui",
        "simonides serve --host 0.0.0.0 --certfile cert.pem --keyfile key.pem --allow-host memory.example",
        "simonides --path postgresql://db/memory serve --host 0.0.0.0 --insecure   # behind a proxy with TLS",
    ),
    then=("simonides token create --help", "curl http://127.0.0.1:7466/health/ready"),
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Listen at this address.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=7466, show_default=True, help="0 is any free one."
)
@click.option("--token-file", type=_FILE, help="Where the owner's token lies; made if it is not there.")
@click.option("--no-owner", is_flag=True, help="No token of the owner: only those of `simonides token`.")
@click.option("--allow-host", "hosts", multiple=True, help="A name it may be asked under. Repeatable.")
@click.option("--allow-origin", "origins", multiple=True, help="Pages of this origin may ask. Repeatable.")
@click.option("--certfile", type=_FILE, help="Certificate of TLS, in PEM.")
@click.option("--keyfile", type=_FILE, help="Its private key, in PEM.")
@click.option("--insecure", is_flag=True, help="Listen in public without TLS: something in front has it.")
@click.option("--oidc-issuer", help="Take bearer tokens of this identity provider.")
@click.option("--oidc-audience", help="What they must be meant for.")
@click.option(
    "--oidc-keys", metavar="URL|FILE", help="Where its keys are; found out at the issuer if left out."
)
@click.option(
    "--oidc-claim",
    "oidc_claims",
    metavar="FIELD=CLAIM",
    multiple=True,
    help="Which claim says user, agent, session, project, tenant, rights or name. Repeatable.",
)
@click.option("--mem0", is_flag=True, help="Answer under mem0's paths too.")
@click.option("--ui", is_flag=True, help="Show the page under /ui.")
@click.option("--open-metrics", is_flag=True, help="Show /metrics without a token.")
@click.option(
    "--rate", type=click.FloatRange(min=0), default=0.0, help="Requests a second of a credential; 0 is any."
)
@click.option("--burst", type=click.IntRange(min=1), default=100, show_default=True, help="So many at once.")
@click.option(
    "--body-limit", type=click.IntRange(min=1), default=16, show_default=True, help="MiB of a request."
)
@click.option(
    "--timeout", type=click.FloatRange(min=0.1), default=60.0, show_default=True, help="Seconds of a verb."
)
@click.option(
    "--grace", type=click.FloatRange(min=0), default=30.0, show_default=True, help="Seconds to stop in."
)
@click.option("--threads", type=click.IntRange(1, 256), default=8, show_default=True, help="Verbs at once.")
def serve(desk: Desk, **told: Any) -> None:
    """Serve programs over REST.

    Every request needs a token. The owner's lies in a file beside the store, readable for its owner alone;
    `simonides token` makes others, for less. Replicas: start as many as you like on one PostgreSQL.
    """
    try:
        from simonides.doors.rest.start import serving
    except ModuleNotFoundError as err:
        raise _missing(err) from err
    if bool(told["oidc_audience"] or told["oidc_keys"] or told["oidc_claims"]) and not told["oidc_issuer"]:
        raise InputError("--oidc-issuer", "must be given with the other --oidc options")
    with serving(desk, told) as (run, token):
        stopped = run(lambda url: _say(desk, url, token, told))
    if stopped == signal.SIGINT:
        raise KeyboardInterrupt


def _say(desk: Desk, url: str, token: Path | None, told: dict[str, Any]) -> None:
    answer: dict[str, Any] = {"url": url, "token_file": None if token is None else str(token)}

    def people(paper: Paper) -> None:
        paper.line(f"Serving {desk.server or desk.place} at {url}")
        if token is not None:
            paper.line(f"The token of the owner: cat {token}")
        else:
            paper.line("Tokens: simonides token create NAME")
        if told["ui"]:
            paper.line(f"The page: {url}/ui")

    desk.answer(answer, people)
    if told["insecure"]:
        desk.aside("Without TLS: let nothing but a proxy that speaks it reach this port.")
    sys.stdout.flush()


def _missing(err: ModuleNotFoundError) -> Exception:
    """Return the error for a package that is not installed; one of ours is a mistake of ours."""
    if err.name is None or err.name.split(".")[0] == "simonides":
        return err
    return ModelMissing("serve", f"needs {err.name}", "", 'pip install "simonides[server]"')
