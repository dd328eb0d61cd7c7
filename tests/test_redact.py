"""Secrets are replaced by what they were; what is none stays to the character."""

from __future__ import annotations

import random
import string
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simonides.parts.redact import RULES, redact

LETTERS = string.ascii_letters + string.digits
HEX, UPPER, DIGITS, URL, BASE = (
    "0123456789abcdef",
    string.ascii_uppercase,
    string.digits,
    f"{LETTERS}-_",
    f"{LETTERS}+/",
)
DRAWN = random.Random(20260502)


def some(count: int, alphabet: str = LETTERS) -> str:
    """Return characters drawn by lot, the last no sign, so that the token has a clear end."""
    drawn = "".join(DRAWN.choice(alphabet) for _ in range(count - 1))
    return drawn + DRAWN.choice([char for char in alphabet if char.isalnum()])


# The secret, what stands before it, what stands behind it. Made here, by the formats that vendors document: none opens
# anything, and no scanner of repositories finds one in this file.
SECRETS: dict[str, tuple[str, str, str]] = {
    "aws-access-key": ("AK" + "IA" + some(16, UPPER), "", ""),
    "aws-secret-key": (some(40, BASE), "aws_secret_access_key = ", ""),
    "github-token": ("gh" + "p_" + some(36), "", ""),
    "github-token 2": ("github" + "_pat_" + some(22) + "_" + some(59), "", ""),
    "gitlab-token": ("gl" + "pat-" + some(20, URL), "", ""),
    "slack-token": ("xo" + f"xb-{some(11, DIGITS)}-{some(12, DIGITS)}-{some(24)}", "", ""),
    "slack-webhook": (f"services/T{some(10, UPPER)}/B{some(10, UPPER)}/{some(24)}", "https://hooks.slack.com/", ""),
    "stripe-key": ("sk" + "_live_" + some(24), "", ""),
    "google-api-key": ("AI" + "za" + some(35, URL), "", ""),
    "anthropic-key": ("sk-" + "ant-api03-" + some(93, URL) + "AA", "", ""),
    "openai-key": ("sk-" + "proj-" + some(120, URL), "", ""),
    "openai-key 2": ("sk-" + some(20) + "T3Blbk" + "FJ" + some(20), "", ""),
    "npm-token": ("np" + "m_" + some(36), "", ""),
    "pypi-token": ("py" + "pi-AgEIcHlwaS5vcmc" + some(70, URL), "", ""),
    "huggingface-token": ("h" + "f_" + some(34, string.ascii_letters), "", ""),
    "twilio-key": ("S" + "K" + some(32, HEX), "", ""),
    "sendgrid-key": ("S" + f"G.{some(22, URL)}.{some(43, URL)}", "", ""),
    "jwt": (f"eyJ{some(30)}.eyJ{some(60)}.{some(43, URL)}", "", ""),
    "private-key": (
        "-----BEGIN " + "RSA PRIVATE KEY-----\n" + "\n".join(some(64, BASE) for _ in range(9)) + "\n-----END " +
        "RSA PRIVATE KEY-----", "", "",
    ),
    "bearer-token": (some(30), "Authorization: Bearer ", ""),
    "bearer-token 2": (some(40), "curl -H 'authorization: bearer ", "'"),
    "connection-string": (some(14), "postgresql://app:", "@db.internal:5432/app"),
    "connection-string 2": ("p@ss" + some(8), "redis://:", "@10.0.0.7:6379"),
    "password": (some(12), 'password = "', '"'),
    "password 2": ("hunter" + "2!x", "DB_PASSWORD=", ""),
    "password 3": ("hunter" + "2x", "My password is ", "."),
    "password 4": ("hunter" + "2x", "\u5bc6\u7801\uff1a", "\uff0c\u8c22\u8c22"),
    "password 5": ("hunter" + "2x", "\u30d1\u30b9\u30ef\u30fc\u30c9\u306f", "\u3067\u3059"),
    "password 6": ("hunter" + "2x", "Passwort: ", ""),
    "secret": (some(32, HEX), "api_key: ", ""),
    "secret 2": (some(44), '{"client_secret": "', '"}'),
    "secret 3": (some(44), '{\\"client_secret\\": \\"', '\\"}'),
}  # fmt: skip
AROUND = (
    ("", ""),
    ("see ", " please"),
    ("\u5bc6\u94a5", "\u8bf7\u4fdd\u5b58"),
    ("(", ")"),
    ("\n> ", "\n"),
    ("`", "`"),
)


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("around", AROUND)
def test_a_secret_goes_and_what_stands_around_it_stays(name: str, around: tuple[str, str]) -> None:
    secret, before, behind = SECRETS[name]
    kind = name.split(maxsplit=1)[0]
    done = redact(f"{around[0]}{before}{secret}{behind}{around[1]}")
    assert secret not in done.text
    assert done.text == f"{around[0]}{before}[redacted: {kind}]{behind}{around[1]}"
    assert done.found == (kind,)


@pytest.mark.parametrize("name", SECRETS)
def test_no_part_of_a_secret_is_left(name: str) -> None:
    secret, before, behind = SECRETS[name]
    text = redact(f"{before}{secret}{behind}").text
    assert not any(secret[place : place + 9] in text for place in range(max(1, len(secret) - 8)))


def test_many_secrets_in_one_text_are_each_named() -> None:
    text = "\n".join(f"{before}{secret}{behind}" for secret, before, behind in SECRETS.values())
    done = redact(text)
    assert len(done.found) == len(SECRETS)
    assert redact(done.text) == type(done)(done.text, ())


def test_a_private_key_that_was_cut_off_goes_as_far_as_it_is_there() -> None:
    secret = SECRETS["private-key"][0]
    done = redact(f"here:\n{secret[:400]}\n\nThat was the key, and I will not show the rest.")
    assert done.text == "here:\n[redacted: private-key]That was the key, and I will not show the rest."


@pytest.mark.parametrize(
    "text",
    [
        "I forgot my password again, is there a way to reset the password?",
        "The password must have 8 characters, one digit and one sign.",
        "password: str | None = None",
        'password = getpass.getpass("Password: ")',
        "password = os.environ['DB_PASSWORD1']",
        "api_key = os.getenv('OPENAI_API_KEY')",
        "token = request.headers.get('X-Token')",
        "Set OPENAI_API_KEY=<your key> first.",
        "api_key: ${API_KEY}",
        'password: "********"',
        'secret: "your-secret-key-goes-here-1"',
        "max_tokens=4096, total_tokens: 123456789012345678",
        "key: value, token: next_token_id_2",
        "git@github.com:simonides/simonides.git at 0123456789abcdef0123456789abcdef01234567",
        "https://example.org:8080/@user/path",
        "commit 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b",
        "id 018f6d2e-7b1c-7c3e-8d2a-5b6c7d8e9f00",
        "Authorization: required",
        "the bearer of this letter is a friend",
        "sk-learn, sk-1, and a task-force of 32",
        "I keep the secret ingredient: cinnamon2!",
        "Basic authentication is described in RFC 7617.",
        "\u5bc6\u7801\u662f\u4ec0\u4e48\uff1f",
        "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text).text == text


@given(st.text(max_size=300))
def test_any_text_is_redacted_once_and_for_all(text: str) -> None:
    once = redact(text)
    assert redact(once.text).text == once.text
    assert bool(once.found) == (once.text != text)


HINTS = sorted({hint for rule in RULES for hint in rule.hints})
TAILS = ("", "a", "A1", "-", "=", ": ", "://", "@", ".", "eyJ", "/+", '"', " ", "\n", "\u5bc6")


@given(st.lists(st.sampled_from([*HINTS, *TAILS]), min_size=1, max_size=5).map("".join))
def test_no_text_takes_long(part: str) -> None:
    text = (part * (40_000 // len(part) + 1))[:40_000]
    started = time.process_time()
    redact(text)
    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    "part",
    ["eyJ", "eyJaaaaaaaa.", "-----BEGIN PRIVATE KEY-----", "glpat-", "xoxb-", "a:b@", "x://a:", "password=",
     "secret ", "sk-", "authorization: ", "bearer ", "aws", "'", '"', "AccountKey=", "A", "0", "key-", "password is "],
)  # fmt: skip
def test_it_takes_linear_time(part: str) -> None:
    def seconds(size: int) -> float:
        text = part * (size // len(part))
        started = time.process_time()
        redact(text)
        return time.process_time() - started

    small = min(seconds(50_000) for _ in range(2))
    assert (
        seconds(400_000) < 40 * small + 0.2
    )  # eight times the text; quadratic would be sixty-four times the seconds
