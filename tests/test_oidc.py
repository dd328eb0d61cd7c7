"""Tokens of an identity provider: a provider on loopback with real keys, and those who would like to get in."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt import algorithms

from serving import serving
from simonides import Client
from simonides.doors.rest import oidc
from simonides.doors.rest.oidc import Claims, Provider, verifier
from simonides.errors import Forbidden, InputError, NotFound, StoreBusy
from simonides.types import Scope

HOUR = 3600
RSA = rsa.generate_private_key(65537, 2048)
OTHER = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()


def jwk(key: Any, kid: str, **more: str) -> dict[str, Any]:
    """Return the public half of a key, as a provider shows it."""
    kinds: dict[type, Any] = {
        rsa.RSAPrivateKey: algorithms.RSAAlgorithm,
        ec.EllipticCurvePrivateKey: algorithms.ECAlgorithm,
        ed25519.Ed25519PrivateKey: algorithms.OKPAlgorithm,
    }
    algorithm = next(one for kind, one in kinds.items() if isinstance(key, kind))
    return {**algorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, **more}


class Issuer:
    """A provider: discovery and keys over HTTP; counts who asks."""

    def __init__(self) -> None:
        self.keys = [jwk(RSA, "one", alg="RS256", use="sig"), jwk(EC, "two"), jwk(ED, "three")]
        self.asked: list[str] = []
        self.broken = False
        self.says: dict[str, Any] = {}
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked.append(self.path)
                if issuer.broken:
                    self.send_error(500)
                    return
                told: dict[str, Any] = {"keys": issuer.keys}
                if self.path.endswith("openid-configuration"):
                    told = {"issuer": issuer.url, "jwks_uri": f"{issuer.url}/keys", **issuer.says}
                body = json.dumps(told).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    made = Issuer()
    yield made
    made.close()


class Seconds:
    """A clock that moves when it is told."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def provider(issuer: Issuer, seconds: Seconds) -> Provider:
    return Provider(issuer.url, "simonides", clock=seconds)


def token(
    issuer: Issuer, key: Any = RSA, kid: str | None = "one", algorithm: str = "RS256", **more: Any
) -> str:
    told = {
        "iss": issuer.url, "aud": "simonides", "sub": "ana", "iat": int(time.time()), "exp": int(time.time()) + HOUR,
        **more,
    }  # fmt: skip
    claims = {name: value for name, value in told.items() if value is not None}
    return jwt.encode(claims, key, algorithm, headers={"kid": kid} if kid else {})


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_who_comes_with_a_token_of_the_provider_sees_what_is_theirs(
    issuer: Issuer, provider: Provider
) -> None:
    found = provider(token(issuer))
    assert (found.name, found.scope, found.rights, found.tenant) == (
        "ana",
        Scope(user="ana"),
        ("read", "write"),
        "",
    )
    assert found.expires is not None
    assert found.expires.timestamp() > time.time()
    assert provider(token(issuer)).id == found.id != provider(token(issuer, sub="ben")).id


@pytest.mark.parametrize(
    ("key", "kid", "algorithm"),
    [(RSA, "one", "RS256"), (EC, "two", "ES256"), (ED, "three", "EdDSA"), (EC, None, "ES256")],
)
def test_keys_of_each_kind(
    issuer: Issuer, provider: Provider, key: Any, kid: str | None, algorithm: str
) -> None:
    assert provider(token(issuer, key, kid, algorithm)).name == "ana"
    assert provider(token(issuer, key, kid, algorithm)).name == "ana"
    assert len(issuer.asked) == 2, "discovery and keys, once"


def test_claims_say_scope_tenant_and_rights(issuer: Issuer) -> None:
    claims = Claims.of(("project=team", "tenant=org", "rights=scope", "name=email"))
    provider = Provider(issuer.url, "simonides", claims=claims)
    told: dict[str, Any] = {"team": "blue", "org": "acme", "email": "ana@example.org"}
    found = provider(token(issuer, **told, scope="openid memory:read memory:erase admin"))
    assert found.scope == Scope(user="ana", project="blue")
    assert (found.tenant, found.rights, found.name) == ("acme", ("read", "erase"), "ana@example.org")
    assert provider(token(issuer, **told, scope=["memory:admin"])).rights == ("admin",)
    for wrong in ({"scope": "openid"}, {"scope": None}, {"scope": "memory:read", "team": None},
                  {"scope": "memory:read", "org": ""}, {"scope": "memory:read", "team": ["blue"]},
                  {"scope": "memory:read", "team": "x" * 5000}):  # fmt: skip
        with pytest.raises(Forbidden, match=r"^token: "):
            provider(token(issuer, **told | wrong))


def unsigned(issuer: Issuer) -> str:
    body = token(issuer).split(".")[1]
    return f"{part({'alg': 'none', 'typ': 'JWT'})}.{body}."


def signed_with_the_public_key(issuer: Issuer) -> str:
    pem = RSA.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    text = f"{part({'alg': 'HS256', 'kid': 'one'})}.{token(issuer).split('.')[1]}"
    mac = hmac.new(pem, text.encode(), hashlib.sha256).digest()
    return f"{text}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def with_a_key_of_its_own(issuer: Issuer) -> str:
    told = {"iss": issuer.url, "aud": "simonides", "sub": "ana", "exp": int(time.time()) + HOUR}
    more = {"kid": "one", "jwk": jwk(OTHER, "one"), "jku": "http://127.0.0.1:1/keys"}
    return jwt.encode(told, OTHER, "RS256", headers=more)


def changed(issuer: Issuer) -> str:
    head, _, signature = token(issuer).split(".")
    told = {"iss": issuer.url, "aud": "simonides", "sub": "ben", "exp": int(time.time()) + HOUR}
    return f"{head}.{part(told)}.{signature}"


ATTACKS: dict[str, tuple[Callable[[Issuer], str], str]] = {
    "unsigned": (unsigned, "must be signed"),
    "signed with what everybody can read": (signed_with_the_public_key, "must be signed"),
    "signed with a secret": (lambda issuer: token(issuer, "secret" * 8, "one", "HS256"), "must be signed"),
    "brings its own key": (with_a_key_of_its_own, "is not valid"),
    "changed after it was signed": (changed, "is not valid"),
    "another key under a known name": (lambda issuer: token(issuer, OTHER), "is not valid"),
    "a key of another kind": (lambda issuer: token(issuer, RSA, "two"), "is signed with a key"),
    "an unknown key": (lambda issuer: token(issuer, OTHER, "nobody"), "is signed with a key"),
    "expired": (lambda issuer: token(issuer, exp=int(time.time()) - HOUR), "has expired"),
    "not yet": (lambda issuer: token(issuer, nbf=int(time.time()) + HOUR), "is not valid"),
    "for ever": (lambda issuer: token(issuer, exp=None), "says no exp"),
    "an end like no other": (lambda issuer: token(issuer, exp=10**30), "is not valid|names a time"),
    "another issuer": (
        lambda issuer: token(issuer, iss="https://evil.example"),
        "of another identity provider",
    ),
    "an issuer with a slash": (
        lambda issuer: token(issuer, iss=issuer.url + "/"),
        "of another identity provider",
    ),
    "no issuer": (lambda issuer: token(issuer, iss=None), "iss"),
    "another audience": (lambda issuer: token(issuer, aud="mail"), "for another program"),
    "no audience": (lambda issuer: token(issuer, aud=None), "aud"),
    "nobody": (lambda issuer: token(issuer, sub=None), "says no sub"),
    "an empty name": (lambda issuer: token(issuer, sub=""), "says no sub"),
    "a name with a line end": (lambda issuer: token(issuer, sub="ana\x00"), "says something in sub"),
    "no token": (lambda issuer: "x", "no JWT"),
    "three dots": (lambda issuer: "...", "no JWT"),
    "too long": (lambda issuer: "x" * 20_000, "too long"),
    "deep": (lambda issuer: f"{base64.urlsafe_b64encode(b'[' * 9000).decode()}.e30.x", "no JWT"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_nobody_else_gets_in_and_the_message_holds_no_token(
    issuer: Issuer, provider: Provider, attack: str
) -> None:
    make, rule = ATTACKS[attack]
    forged = make(issuer)
    with pytest.raises(Forbidden, match=rule) as refused:
        provider(forged)
    assert forged[-30:] not in str(refused.value) or len(forged) < 4


def test_a_flood_of_unknown_keys_is_not_passed_on(
    issuer: Issuer, provider: Provider, seconds: Seconds
) -> None:
    provider(token(issuer))
    asked = len(issuer.asked)
    seconds.at += oidc.PAUSE_SECONDS
    for number in range(50):
        with pytest.raises(Forbidden):
            provider(token(issuer, OTHER, f"flood-{number}"))
    assert len(issuer.asked) <= asked + 2, "one more reading at most"
    assert provider(token(issuer)).name == "ana"


def test_a_new_key_is_found_and_one_that_is_gone_ends(
    issuer: Issuer, provider: Provider, seconds: Seconds
) -> None:
    provider(token(issuer))
    issuer.keys = [jwk(OTHER, "new", use="sig")]
    with pytest.raises(Forbidden):
        provider(token(issuer, OTHER, "new"))
    assert provider(token(issuer)).name == "ana", "the old keys are good until they are read again"
    seconds.at += oidc.PAUSE_SECONDS
    assert provider(token(issuer, OTHER, "new")).name == "ana"
    with pytest.raises(Forbidden):
        provider(token(issuer))


def test_the_keys_are_read_again_in_time(issuer: Issuer, provider: Provider, seconds: Seconds) -> None:
    provider(token(issuer))
    issuer.keys = issuer.keys[1:]
    seconds.at += oidc.FRESH_SECONDS
    with pytest.raises(Forbidden):
        provider(token(issuer))


def test_an_outage_is_survived_for_a_while_and_does_not_hammer(
    issuer: Issuer, provider: Provider, seconds: Seconds
) -> None:
    provider(token(issuer))
    issuer.broken = True
    asked = len(issuer.asked)
    seconds.at += oidc.FRESH_SECONDS
    for _ in range(20):
        assert provider(token(issuer)).name == "ana"
    assert len(issuer.asked) == asked + 1
    seconds.at += oidc.STALE_SECONDS
    with pytest.raises(StoreBusy, match="can't be asked for its keys"):
        provider(token(issuer))
    issuer.broken = False
    seconds.at += oidc.PAUSE_SECONDS
    assert provider(token(issuer)).name == "ana"


@pytest.mark.parametrize(
    "says",
    [
        {"issuer": "https://evil.example"},
        {"jwks_uri": "http://evil.example/keys"},
        {"jwks_uri": "file:///etc"},
    ],
)
def test_a_provider_that_points_elsewhere_is_not_followed(
    issuer: Issuer, provider: Provider, says: dict[str, str]
) -> None:
    issuer.says = says
    with pytest.raises(StoreBusy):
        provider(token(issuer))
    assert not any("keys" in path for path in issuer.asked)


def test_keys_that_do_not_sign_are_passed_over(issuer: Issuer, provider: Provider) -> None:
    issuer.keys = [
        jwk(RSA, "one", use="enc"),
        jwk(OTHER, "two", alg="HS256"),
        {"kty": "oct", "k": "c2VjcmV0", "kid": "three"},
        {"kty": "RSA", "kid": "four"},
        {"kid": "five"},
        jwk(EC, "good"),
    ]
    assert provider(token(issuer, EC, "good", "ES256")).name == "ana"
    for kid in ("one", "two", "three", "four", "five"):
        with pytest.raises(Forbidden):
            provider(token(issuer, RSA, kid))


def test_keys_can_lie_in_a_file(issuer: Issuer, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({"keys": issuer.keys}))
    provider = verifier({"oidc_issuer": issuer.url, "oidc_audience": "simonides", "oidc_keys": str(file)})
    assert provider(token(issuer)).name == "ana"
    assert issuer.asked == []


@pytest.mark.parametrize(
    ("told", "rule"),
    [
        ({"oidc_issuer": "http://idp.example"}, "--oidc-issuer: must be an https"),
        ({"oidc_issuer": "file:///etc/passwd"}, "--oidc-issuer: must be an https"),
        ({"oidc_issuer": "https://[::"}, "--oidc-issuer: must be an https"),
        ({"oidc_audience": None}, "--oidc-audience: must be given"),
        ({"oidc_keys": "http://idp.example/keys"}, "--oidc-keys: must be an https"),
        ({"oidc_keys": "/nowhere/keys.json"}, "--oidc-keys: must be a URL or a file"),
        ({"oidc_claims": ("color=red",)}, "--oidc-claim: names no such field"),
    ],
)
def test_what_would_not_be_safe_does_not_start(told: dict[str, Any], rule: str) -> None:
    usual = {"oidc_issuer": "https://idp.example", "oidc_audience": "simonides", "oidc_keys": ""}
    with pytest.raises(InputError, match=rule):
        verifier(usual | told)


def test_a_server_lets_them_in_and_nobody_else(issuer: Issuer, tmp_path: Path) -> None:
    options = ("--oidc-issuer", issuer.url, "--oidc-audience", "simonides", "--oidc-claim", "rights=scope")
    with serving(str(tmp_path / "memory.db"), *options, before=("--set", "meaning=off")) as (url, owner):
        with Client(url, owner) as client:
            hidden = client.add("of somebody else", user="ben").id
        with Client(url, token(issuer, scope="memory:read memory:write")) as ana:
            one = ana.add("mine").id
            assert (ana.get(one).scope.user, ana.get(one).actor) == ("ana", "ana")
            assert [each.id for each in ana.list()] == [one]
            with pytest.raises(NotFound):
                ana.get(hidden)
            with pytest.raises(Forbidden, match="may not erase"):
                ana.erase(one)
        for attack in (
            "unsigned",
            "signed with what everybody can read",
            "brings its own key",
            "another audience",
        ):
            with Client(url, ATTACKS[attack][0](issuer)) as nobody, pytest.raises(Forbidden):
                nobody.list()
