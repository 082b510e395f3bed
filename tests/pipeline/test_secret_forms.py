"""What is taken for a secret by its name or its content, and what is not; no text makes the looking slow."""

from __future__ import annotations

import os
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgit_hooks.changesets import secretforms
from mgit_hooks.changesets.secretforms import by_content, by_name

HEX = "0123456789abcdef" * 4
MIXED = "a1B2c3D4e5F6g7H8i9J0" * 5
# Texts around the literal of a form, put together here so that no file of ours holds a token.
_AWS = "ecret_access_key SECRET_ACCESS_KEY ecretAccessKey ession_token SESSION_TOKEN essionToken"
AFTER = {
    "-----BEGIN ": "RSA PRIVATE KEY-----",
    "-----END ": "PGP PRIVATE KEY BLOCK-----",
    "PuTTY-User-Key-File-": "3: ssh-rsa",
    "AGE-SECRET-KEY-1": "QPZRY9X8GF2TVDW0S3JN54",
    "LS0tLS1CRUdJTi": "BSU0EgUFJJVkFURSBLRVktLS0tLQ",
    "hooks.slack.com/": f"services/{MIXED}",
    "/api/webhooks/": f"123456789012345678/{MIXED}",
    "-us": "12",
    "SG.": f"{MIXED[:22]}.{MIXED[:43]}",
    "hf_": "abcdefgHIJ" * 4,
    "NRAK-": "ABCDE12345" * 3,
    ":AA": MIXED[:33],
    "eyJ": f"{MIXED}.eyJ{MIXED}.{MIXED}",
    "kind": ": Secret\n",
    "://": "ada:l0velace@host/x",
    "_auth": f"={MIXED}",
    "_password": f" = {MIXED}",
    **dict.fromkeys(["key-", "SK", "dapi"], HEX[:32]),
    **dict.fromkeys(["dop_v1_", "doo_v1_", "dor_v1_", "shpat_", "shpca_", "shppa_", "shpss_"], HEX),
    **dict.fromkeys(["AKIA", "ASIA", "ABIA", "ACCA"], "ABCDEFGH12345678"),
    **dict.fromkeys(_AWS.split(" "), f" = '{MIXED[:40]}'"),
}
BEFORE = {
    "-us": HEX[:32],
    "T3BlbkFJ": f"sk-{MIXED[:20]}",
    ".atlasv1.": MIXED[:14],
    ":AA": "1234567890",
    "://": "https",
    "/api/webhooks/": "https://discord.com",
    **dict(zip(_AWS.split(" "), ["aws_s", "AWS_", "s", "aws_s", "AWS_", "s"], strict=True)),
}
TOKENS = [
    (form.kind, BEFORE.get(name, "") + name + AFTER.get(name, MIXED))
    for form in (*secretforms._WORDS, *secretforms._TEXTS)
    for name in (literal.decode() for literal in form.literals)
]


SECRET_NAMES = """
    .env .ENV a/.env .env.local .env.production prod.env .envrc .env~ .env.bak .env.1 .env.swp ..env.swp
    #.env# .env.gz .env.txt id_rsa .ssh/id_ed25519 deploy_id_rsa id_rsa.old id_ecdsa_sk x/server.key a.pem
    b.p12 c.PFX d.jks .netrc _netrc .pgpass .git-credentials .npmrc .pypirc .aws/credentials home/.aws/config
    .kube/config .docker/config.json kubeconfig credentials credentials.json aws_credentials secrets.yaml
    secret.json config/secrets.yml token tokens.txt api_key.txt apikeys.json github-token.txt passwords.csv
    client_secret_123.json my-service-account.json terraform.tfstate prod.auto.tfvars .bash_history
    .id_rsa.swp credentials.json.gpg .htpasswd keys.kdbx wallet.dat gh/hosts.yml private_key
"""
OTHER_NAMES = """
    a.py env environment.py .env.example .env.sample config/.env.template secrets.py credentials.go
    test_tokens.py tokenizer.json id_rsa.pub .ssh/id_ed25519.pub keyboard.c monkey.txt README.md passwords.md
    .github/workflows/token.yml.erb package.json .environment turkey public.asc env.d.ts secretary.txt
"""


@pytest.mark.parametrize(("kind", "token"), TOKENS)
def test_each_form_is_known_wherever_it_stands(kind: str, token: str) -> None:
    assert len(token) < secretforms.LONGEST_FORM
    for text in (token, f"\n{token}\n", f'x = "{token}"', f"a\r\n\tkey: {token} # mine"):
        assert by_content(text.encode()) == kind
        assert by_content(text.encode("utf-16-le")) == kind
        assert by_content(b"\xff\xfe\0\0" + text.encode("utf-32-le")) == kind


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sk_live_ is how Stripe's keys begin, ghp_ and AKIA are others'",
        "def test_that_a_long_name_of_a_function_is_no_token_of_anything(): ...",
        "https://example.org/a:b@c and ssh://git@host:22/x and https://$USER:$TOKEN@host and http://user:password@host",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n-----BEGIN PUBLIC KEY-----",
        "AKIAABCDEFGH12345678X and xAKIAABCDEFGH12345678",
        "kind: SealedSecret\nkind: Secrets",
        f"commit {HEX[:40]}\nsha256 {HEX}",
        "_authToken=${NPM_TOKEN}",
        "aws_secret_access_key = os.environ['KEY']",
        "eyJhbGciOi.eyJ",
    ],
)
def test_what_only_resembles_one_is_none(text: str) -> None:
    assert by_content(text.encode()) is None


@pytest.mark.parametrize("path", SECRET_NAMES.split())
def test_a_name_of_a_secret(path: str) -> None:
    assert by_name(path) is not None


@pytest.mark.parametrize(
    "path", [".env ", ".env\n", ".env.", "\u200b.env", ".e\u00adnv", ".env\udcff", "a\nb.pem", "x/ id_rsa"]
)
def test_what_nobody_sees_in_a_name_makes_no_other_name(path: str) -> None:
    assert by_name(path) is not None


@pytest.mark.parametrize("path", OTHER_NAMES.split())
def test_a_name_that_is_none(path: str) -> None:
    assert by_name(path) is None


@given(st.binary(max_size=40), st.sampled_from(("", "/", "x/")))
def test_a_secret_s_name_is_one_in_any_folder(folder: bytes, slash: str) -> None:
    assert by_name(f"{os.fsdecode(folder)}/{slash}.env") is not None


@given(st.binary(max_size=300), st.binary(max_size=300), st.sampled_from(TOKENS))
def test_a_token_is_found_amid_anything(before: bytes, after: bytes, one: tuple[str, str]) -> None:
    assert by_content(before.replace(b"\0", b"0") + b"\n" + one[1].encode() + b"\n" + after) is not None


def nearly(token: str) -> list[bytes]:
    """Texts of one piece's size that are made to keep a search busy."""
    size = 16 * 1024
    return [
        (token[:cut] * (size // cut + 1))[:size].encode() for cut in (len(token) // 3, len(token) // 2, len(token) - 1)
    ]


def test_nothing_that_nearly_fits_takes_long() -> None:
    """By processor time: 16 KiB within 0.05 s (ordinary text takes 0.5 ms), so 16 MiB within a minute at the worst."""
    texts = [text for _, token in TOKENS for text in nearly(token)]
    texts += [
        b"eyJ" + b"a" * 16384,
        b"://" + b"a:" * 8192,
        b"a://" * 4096,
        b"-----BEGIN " + b"A " * 8192,
        b"\0" * 16384,
    ]
    texts += [literal * (16384 // len(literal)) for form in secretforms._TEXTS for literal in form.literals]
    slowest = 0.0
    for text in texts:
        began = time.process_time()
        by_content(text)
        slowest = max(slowest, time.process_time() - began)
    assert slowest < 0.05
