"""Replaces secrets in a text by what they were: keys, tokens, passwords; knows no store and keeps no secret.

The rules are written from the formats that vendors document; tests hold them against two scanners. Each takes linear
time: no repetition stands inside another, and what comes before a secret is bounded. Letters of any script may touch a
secret, so edges are told by ASCII alone.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

_EDGE = r"(?<![A-Za-z0-9_])"
_END = r"(?![A-Za-z0-9_])"
_PEM_MOST = 20_000
"""Characters of a private key whose end was cut off."""


@dataclass(frozen=True, slots=True)
class Redacted:
    """A text without its secrets.

    Attributes:
        text: each secret replaced by `[redacted: kind]`.
        found: the kinds that were found, in the order of the text, one for each secret.
    """

    text: str
    found: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """A kind of secret.

    Attributes:
        kind: what stands in its place.
        hints: one of these is in every text that holds it, in lower case; looked for before the pattern is.
        pattern: finds it; the group `secret` is what is replaced, else the whole match.
        doubtful: the secret must look like one too, see `_random` and `_password`.
    """

    kind: str
    hints: tuple[str, ...]
    pattern: str
    doubtful: str = ""
    flags: int = 0


def _token(kind: str, hints: str, pattern: str) -> Rule:
    return Rule(kind, tuple(hints.split()), f"{_EDGE}(?:{pattern}){_END}")


_NAMES = (
    r"(?:pass(?:word|wd|phrase|code)|pwd|secret(?:[_\- ]?(?:access[_\- ]?)?key)?|(?:api|access|auth|account|master"
    r"|private|encryption|signing|subscription|shared[_\- ]access|client|consumer|license)[_\- ]?(?:key|secret|token)"
    r"|credentials?|token)"
)
_WORDS = (
    "password|passwort|passwd|passcode|contrase\u00f1a|mot de passe|senha|wachtwoord"
    "|\u043f\u0430\u0440\u043e\u043b\u044c"
    "|\u5bc6\u7801|\u5bc6\u78bc|\u53e3\u4ee4|\u30d1\u30b9\u30ef\u30fc\u30c9|\ube44\ubc00\ubc88\ud638"
)
"""What a password is called in German, Spanish, French, Portuguese, Dutch, Russian, Chinese, Japanese and Korean."""
_ASSIGN = r"""\\{0,3}["'`]?[ \t]{0,8}(?:=>|:=|[:=\uff1a\uff1d])[ \t]{0,8}"""
_VALUE = (
    r"""\\{0,3}(?:"(?P<double>[^"\n]{4,400})"|'(?P<single>[^'\n]{4,400})'|`(?P<back>[^`\n]{4,400})`"""
    r"""|(?P<bare>[!#-&*-+\-.-:=?-Z^-_a-z|~]{4,400}))"""
)

RULES: tuple[Rule, ...] = (
    Rule(
        "private-key",
        ("private key",),
        r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
        rf"(?:(?:[^-]|-(?!----)){{0,{_PEM_MOST}}}+-----END [A-Z0-9 ]{{0,40}}PRIVATE KEY(?: BLOCK)?-----"
        r"|(?:[\s>]|\\[nr]|[A-Za-z0-9+/]{20,}+={0,2})*+)",
    ),
    Rule(
        "private-key",
        ("putty-user-key-file",),
        r"Private-Lines:[ \t]*[0-9]{1,3}\s(?P<secret>[A-Za-z0-9+/=\s]{40,8000})",
    ),
    _token("aws-access-key", "akia asia abia acca", r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}"),
    Rule(
        "aws-secret-key",
        ("aws", "secret"),
        rf"(?:aws[A-Za-z_.\- ]{{0,30}}|secret[_ ]?access[_ ]?key){_ASSIGN}[\"']?"
        r"(?P<secret>[A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])",
        flags=re.IGNORECASE,
    ),
    Rule(
        "aws-bedrock-key",
        ("bedrock-api-key-", "absk"),
        rf"{_EDGE}(?:bedrock-api-key-[A-Za-z0-9+/=]{{40,}}+|ABSK[A-Za-z0-9+/]{{100,}}+={{0,2}})",
    ),
    _token("github-token", "gh", r"gh[pousr]_[A-Za-z0-9]{36,251}"),
    _token("github-token", "github_pat_", r"github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}"),
    _token(
        "github-token",
        "ghs_",
        r"ghs_[0-9]{1,20}_eyJ[A-Za-z0-9_-]{10,2000}\.[A-Za-z0-9_-]{10,4000}"
        r"\.[A-Za-z0-9_-]{10,2000}",
    ),
    _token("gitlab-token", "gl", r"gl(?:pat|ptt|dt|rt|cbt|ft|imt|agent|oas|soat|ffct|wt|rtr)-[A-Za-z0-9_.\-]{20,300}"),
    _token("gitlab-token", "gr1348941", r"GR1348941[A-Za-z0-9_\-]{20}"),
    _token("slack-token", "xox", r"xox[abeoprs](?:\.xox[bp])?-[A-Za-z0-9-]{10,250}"),
    _token("slack-token", "xapp-", r"xapp-[0-9]-[A-Z0-9]{5,20}-[0-9]{5,20}-[A-Za-z0-9]{20,100}"),
    Rule(
        "slack-webhook",
        ("hooks.slack.com",),
        r"hooks\.slack\.com/(?P<secret>(?:services|workflows|triggers)/[A-Za-z0-9/_+\-]{20,200})",
    ),
    Rule(
        "discord-webhook",
        ("/api/webhooks/",),
        r"discord(?:app)?\.com/api/webhooks/(?P<secret>[0-9]{15,22}/[A-Za-z0-9_\-]{50,100})",
    ),
    _token("stripe-key", "_", r"(?:sk|rk)_(?:live|test|prod)_[A-Za-z0-9]{10,250}"),
    _token("stripe-key", "whsec_", r"whsec_[A-Za-z0-9+/=]{24,100}"),
    _token("google-api-key", "aiza", r"AIza[A-Za-z0-9_\-]{35}"),
    _token("google-api-key", "aq.ab", r"AQ\.Ab[A-Za-z0-9_\-]{30,100}"),
    _token("google-oauth", "gocspx-", r"GOCSPX-[A-Za-z0-9_\-]{28}"),
    Rule("google-oauth", ("ya29.",), rf"{_EDGE}ya29\.[A-Za-z0-9_\-.]{{20,2000}}"),
    _token("anthropic-key", "sk-ant-", r"sk-ant-(?:[a-z]{2,10}[0-9]{2}-)?[A-Za-z0-9_\-]{20,200}"),
    _token("openrouter-key", "sk-or-", r"sk-or-v[0-9]-[A-Za-z0-9]{32,100}"),
    _token("openai-key", "sk-", r"sk-(?:proj|svcacct|admin|None)-[A-Za-z0-9_\-]{20,250}"),
    _token("openai-key", "sk-", r"sk-[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}"),
    _token("api-key", "sk-", r"sk-(?=[A-Za-z]{0,40}[0-9])[A-Za-z0-9]{32,100}"),
    _token("xai-key", "xai-", r"xai-[A-Za-z0-9]{60,100}"),
    _token("groq-key", "gsk_", r"gsk_[A-Za-z0-9]{48,60}"),
    _token("perplexity-key", "pplx-", r"pplx-[A-Za-z0-9]{40,64}"),
    _token("replicate-token", "r8_", r"r8_[A-Za-z0-9]{37}"),
    _token("npm-token", "npm_", r"npm_[A-Za-z0-9]{36}"),
    Rule("npm-token", ("_authtoken",), r"_authToken[ \t]{0,4}=[ \t]{0,4}(?P<secret>[A-Za-z0-9_\-./+=]{16,300})"),
    _token("pypi-token", "pypi-", r"pypi-AgE[A-Za-z0-9_\-]{40,1000}"),
    _token("huggingface-token", "hf_", r"hf_[A-Za-z0-9]{30,60}"),
    _token("huggingface-token", "api_org_", r"api_org_[A-Za-z]{34}"),
    _token("twilio-key", "sk", r"SK[0-9a-f]{32}"),
    _token("sendgrid-key", "sg.", r"SG\.[A-Za-z0-9_\-]{20,24}\.[A-Za-z0-9_\-]{39,50}"),
    _token("mailgun-key", "key-", r"key-[0-9a-f]{32}"),
    _token("mailchimp-key", "-us", r"[0-9a-f]{32}-us[0-9]{1,2}"),
    _token("telegram-token", ":aa", r"[0-9]{8,10}:AA[A-Za-z0-9_\-]{33}"),
    _token("discord-token", ".", r"[MNO][A-Za-z0-9_\-]{23,27}\.[A-Za-z0-9_\-]{6}\.[A-Za-z0-9_\-]{27,40}"),
    _token("shopify-token", "shp", r"shp(?:at|ca|pa|ss)_[A-Fa-f0-9]{32}"),
    _token("square-token", "sq0", r"sq0(?:atp|csp|idp)-[A-Za-z0-9_\-]{22,43}"),
    _token("digitalocean-token", "_v1_", r"do[opr]_v1_[a-f0-9]{64}"),
    _token("databricks-token", "dapi", r"dapi[a-f0-9]{32}(?:-[0-9])?"),
    _token("hashicorp-token", "hv", r"hv[sbr]\.[A-Za-z0-9_\-]{24,300}"),
    _token("terraform-token", ".atlasv1.", r"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_\-=]{60,70}"),
    _token("docker-token", "dckr_", r"dckr_(?:pat|oat)_[A-Za-z0-9_\-]{27,40}"),
    _token("linear-key", "lin_", r"lin_(?:api|oauth)_[A-Za-z0-9]{32,64}"),
    _token("notion-token", "ntn_", r"ntn_[A-Za-z0-9]{40,60}"),
    _token("sentry-token", "sntr", r"sntr(?:ys|yu)_[A-Za-z0-9_+/=\-]{40,400}"),
    _token("grafana-token", "gl", r"gl(?:sa|c)_[A-Za-z0-9_+/=]{32,400}"),
    _token("newrelic-key", "nra", r"NRAK-[A-Z0-9]{27}"),
    _token("postman-key", "pmak-", r"PMAK-[a-f0-9]{24}-[a-f0-9]{34}"),
    _token("atlassian-token", "atatt3", r"ATATT3[A-Za-z0-9_\-=]{100,300}"),
    _token("supabase-key", "sb", r"sb(?:p_[a-f0-9]{40}|_secret_[A-Za-z0-9_\-]{20,60})"),
    _token("langsmith-key", "lsv2_", r"lsv2_(?:pt|sk)_[a-f0-9]{32}_[a-f0-9]{10}"),
    _token("age-key", "age-secret-key-1", r"AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}"),
    _token("1password-token", "ops_eyj", r"ops_eyJ[A-Za-z0-9+/]{200,4000}={0,3}"),
    _token("simonides-token", "sim_", r"sim_(?:-|[a-z2-7]{1,120})_[A-Za-z0-9\-]{4,64}_[A-Za-z0-9_\-]{16,200}"),
    Rule(
        "jwt",
        ("eyj",),
        r"(?<![A-Za-z0-9_\-])eyJ[A-Za-z0-9_\-]{8,}+\.(?:eyJ)?[A-Za-z0-9_\-]{8,}+(?:\.[A-Za-z0-9_\-]{0,}+){1,3}",
    ),
    Rule(
        "azure-key",
        ("accountkey", "sharedaccesskey"),
        r"(?:AccountKey|SharedAccessKey)=(?P<secret>[A-Za-z0-9+/]{40,100}={0,2})",
    ),
    Rule("azure-sas", ("sig=",), r"[?&]sig=(?P<secret>[A-Za-z0-9%+/]{40,120}={0,2})"),
    Rule(
        "bearer-token",
        ("authorization",),
        r"authorization[\"']?[ \t]{0,4}[:=][ \t]{0,4}[\"']?(?:(?:bearer|basic|token|apikey|digest)[ \t]{1,4})?"
        r"(?P<secret>[A-Za-z0-9_\-.~+/=]{8,4000})",
        doubtful="header",
        flags=re.IGNORECASE,
    ),
    Rule(
        "bearer-token", ("bearer",), rf"{_EDGE}bearer[ \t]{{1,4}}(?P<secret>[A-Za-z0-9_\-.~+/]{{20,4000}}={{0,2}})",
        doubtful="random", flags=re.IGNORECASE,
    ),
    Rule(
        "connection-string",
        ("://",),
        r"(?<![A-Za-z0-9+.\-])[A-Za-z][A-Za-z0-9+.\-]{1,30}://[^\s:/?#@\"'`<>\[\]]{0,100}"
        r":(?P<secret>[^\s/\"'`<>]{1,200})@(?=[A-Za-z0-9\[$])",
        doubtful="address",
    ),
    Rule(
        "password",
        ("pass", "pwd"),
        rf"(?:pass(?:word|wd|phrase|code)|(?<![A-Za-z])(?:pass|pwd))[0-9]?{_ASSIGN}{_VALUE}",
        doubtful="password",
        flags=re.IGNORECASE,
    ),
    Rule(
        "password",
        tuple(_WORDS.split("|")),
        rf"(?:{_WORDS})[ \t]{{0,4}}(?:is|ist|es|est|\u00e9|\u662f|\u306f|\u4e3a|[:=\uff1a\uff1d\u2014-])[ \t]{{0,4}}"
        rf"{_VALUE}",
        doubtful="spoken",
        flags=re.IGNORECASE,
    ),
    Rule(
        "secret",
        ("key", "secret", "token", "credential", "pass"),
        rf"{_NAMES}{_ASSIGN}{_VALUE}",
        doubtful="random",
        flags=re.IGNORECASE,
    ),
)  # fmt: skip
"""In this order: where two overlap, the one that begins first stands, and among those the earlier rule."""


def redact(text: str) -> Redacted:
    """Return the text with its secrets replaced, and which kinds they were; never the secrets themselves.

    Redacting twice is the same as once. What no rule knows, such as a password that is a plain word in a sentence,
    stays: this lowers a risk, it does not remove it.
    """
    spans = sorted(_spans(text), key=lambda span: span[0])
    if not spans:
        return Redacted(text, ())
    merged: list[tuple[int, int, str]] = []
    for start, end, kind in spans:
        if merged and start < merged[-1][1]:
            first, last, known = merged[-1]
            merged[-1] = (first, max(last, end), known)
        else:
            merged.append((start, end, kind))
    parts: list[str] = []
    place = 0
    for start, end, kind in merged:
        parts += (text[place:start], f"[redacted: {kind}]")
        place = end
    return Redacted("".join([*parts, text[place:]]), tuple(kind for _, _, kind in merged))


def _spans(text: str) -> Iterator[tuple[int, int, str]]:
    lower = text.lower()
    for number, rule in enumerate(RULES):
        if not any(hint in lower for hint in rule.hints):
            continue
        for match in _compiled(number).finditer(text):
            span = _secret(rule, match)
            if span is not None:
                yield *span, rule.kind


@cache
def _compiled(number: int) -> re.Pattern[str]:
    """Compile a rule when a text first hints at it: all of them take longer than a hook has."""
    rule = RULES[number]
    return re.compile(rule.pattern, rule.flags)


def _secret(rule: Rule, match: re.Match[str]) -> tuple[int, int] | None:
    """Return where the secret of a match is; None when what was found is doubtful and looks like none."""
    groups = match.re.groupindex
    name = next(
        (name for name in ("secret", "double", "single", "back", "bare") if name in groups and match[name]),
        "",
    )
    start, end = match.span(name) if name else match.span()
    value = match.string[start:end]
    if name in ("double", "single", "back"):
        value = value.rstrip("\\")  # the quote itself was escaped
        end = start + len(value)
    if name == "bare":
        shorter = value.rstrip(".:!?")
        value, end = shorter, start + len(shorter)
        if match.string[end : end + 1] in ("(", "["):
            return None
    if not rule.doubtful:
        return start, end
    return (start, end) if not _placeholder(value) and _LOOKS[rule.doubtful](value, name) else None


_PLACEHOLDER = re.compile(
    r"[<$%{(]|\[redacted|\*{3}|x{4}|\.{3}|\u2026|your|example|change.?me|placeholder|dummy|sample|process\.env|environ"
    r"|getenv|secrets?\.|config\.|settings\.",
    re.IGNORECASE,
)
_NO_SECRET = frozenset(
    "password passwd passphrase string secret required optional hidden none null true false undefined empty unknown"
    " invalid incorrect missing default username changeit redacted bearer basic token authorization".split()
)
_NAME = re.compile(r"[A-Za-z]+[0-9]{0,2}(?:[_.:/\-]+[A-Za-z]*[0-9]{0,2})*")


def _placeholder(value: str) -> bool:
    """Tell whether a value stands for one: `<token>`, `${TOKEN}`, `your-key`, `****`, `os.environ`."""
    marked = _PLACEHOLDER.search(value) if len(value) < 60 else _PLACEHOLDER.match(value)
    return marked is not None or value.lower() in _NO_SECRET or len(set(value)) <= 2


def _random(value: str, _name: str) -> bool:
    """Tell whether a value looks drawn by lot: long, letters and digits, no words put together."""
    if len(value) < 16 or " " in value or not _digit(value) or not any(char.isalpha() for char in value):
        return False
    if _NAME.fullmatch(value) or "://" in value:
        return False
    counts = Counter(value)
    entropy = -sum(n / len(value) * math.log2(n / len(value)) for n in counts.values())
    return entropy >= 2.8


def _password(value: str, name: str) -> bool:
    """Tell whether a value may be a password: in quotes one word, bare one with a digit or a sign in it."""
    if len(value) < 6 or value.startswith(("/", "\\")):
        return False
    if name != "bare":
        return " " not in value or _digit(value)
    return _digit(value) or re.search(r"[!#%&*+=?@^~|]", value) is not None


def _spoken(value: str, _name: str) -> bool:
    return len(value) >= 6 and _digit(value)


def _header(value: str, _name: str) -> bool:
    return _digit(value) or (value.lower() != value and value.upper() != value and not value.istitle())


def _address(value: str, _name: str) -> bool:
    return True


def _digit(value: str) -> bool:
    return any("0" <= char <= "9" for char in value)


_LOOKS = {"random": _random, "password": _password, "spoken": _spoken, "header": _header, "address": _address}
