"""`python -P -m simonides.doors.hooks EVENT`: `simonides hook`, without what only the command line needs to load.

This is what `connect` writes: a cold start takes some 40 ms less. `-P` keeps the agent's folder off the import path.
"""

from __future__ import annotations

import gc
import sys

gc.disable()  # the process is over before there is anything to collect

from simonides.doors.hooks.running import Options, number, run  # noqa: E402

OPTIONS = ("--budget", "--tokens", "--project", "--path", "--key-file")


def main(words: list[str]) -> None:
    """Run the hook that the words name; what they say beyond the options above is passed over."""
    said = {name: words[place + 1] for place, name in enumerate(words[:-1]) if name in OPTIONS}
    run(
        words[0] if words else "",
        Options(
            number(said.get("--budget", "")),
            number(said.get("--tokens", "")),
            said.get("--project", ""),
            said.get("--path"),
            said.get("--key-file"),
        ),
    )


if __name__ == "__main__":
    main(sys.argv[1:])
