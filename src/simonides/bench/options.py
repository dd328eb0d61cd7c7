"""The options that several benches take, each spelt once; knows no bench."""

from __future__ import annotations

from pathlib import Path

import click

out = click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Save the report here.")
folder = click.option(
    "--folder", type=click.Path(file_okay=False, path_type=Path), help="Where to put the stores."
)
seed = click.option("--seed", type=int, default=1, show_default=True, help="Where chance begins.")
