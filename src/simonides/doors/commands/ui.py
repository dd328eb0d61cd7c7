"""`ui`: look at the store in a browser, on this machine; knows no view of it."""

from __future__ import annotations

import webbrowser

import click

from simonides.doors.desk import Desk, dumps
from simonides.doors.verb import verb
from simonides.errors import ModelMissing


@verb(
    "ui",
    examples=("simonides ui", "simonides --path notes.db ui --port 8765 --no-browser"),
    then=("simonides serve --ui      # for others, with tokens",),
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    show_default=True,
    help="The port; 0 takes a free one.",
)
@click.option("--no-browser", is_flag=True, help="Only print the address.")
def ui(desk: Desk, *, port: int, no_browser: bool) -> None:
    """Look at it all in a browser.

    Only this machine is answered, and only who has the address that is printed: its key opens once, and
    becomes a cookie. A new key is printed when one was used. Ctrl-C stops it.
    """
    try:
        from simonides.doors.ui.serving import entrance, make
    except ModuleNotFoundError as err:
        way_out = 'Install it: pip install "simonides[ui]"'
        raise ModelMissing("ui", f"needs the package {err.name}", "", way_out) from err
    url = ""

    def again(key: str) -> None:
        desk.aside(f"That key is used up. The next one: {entrance(url, key)}")

    served = make(desk.memory(), port, again)
    url = served.url
    if desk.json:
        click.echo(dumps({"url": served.url, "key_url": served.key_url}))
    else:
        click.echo(served.key_url)
    desk.aside("Ctrl-C stops it.")
    if not no_browser:
        webbrowser.open(served.key_url)
    served.run()
