"""No password, token or query leaves a URL, whatever text it stands in; what is no credential stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgit_hooks.credentials import strip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://user:hunter2@example.org/a.git", "https://example.org/a.git"),
        ("there is no /tmp/https:/user:hunter2@example.org/a", "there is no /tmp/https:/example.org/a"),
        ("there is no ssh:/hunter2@example.org", "there is no ssh:/example.org"),
        ("https://hunter2@example.org/a.git", "https://example.org/a.git"),
        ("https://user:hunter2@example.org:8443/a.git", "https://example.org:8443/a.git"),
        ("https://user:hun@ter2@example.org/a", "https://example.org/a"),
        ("https://user:hun/ter2@example.org/a", "https://example.org/a"),
        ("https://user:hun?ter2@example.org/a", "https://example.org/a"),
        ("https://user:hun#ter2@example.org/a", "https://example.org/a"),
        ("https://user:;hun?ter2@example.org/a", "https://example.org/a"),
        ("https://user:'hun?ter2@example.org/a", "https://example.org/a"),
        ("HTTPS://user:hunter2@example.org", "HTTPS://example.org"),
        ("ssh://git:hunter2@example.org/a", "ssh://example.org/a"),
        ("git+ssh://git:hunter2@example.org/a", "git+ssh://example.org/a"),
        ("https://example.org/a?token=hunter2", "https://example.org/a"),
        ("https://example.org/a?x=1&t=hunter2#hunter2", "https://example.org/a"),
        ("https://example.org/a#hunter2", "https://example.org/a"),
        ("https://u:hunter2@[2001:db8::1]:80/a", "https://[2001:db8::1]:80/a"),
        ("pull https://u:hunter2@h/a main: Fast-forward", "pull https://h/a main: Fast-forward"),
        ("https://a:hunter2@h/x,https://b:hunter2@h/y", "https://h/x,https://h/y"),
        ("'https://a:hunter2@h/x' and \"https://b:hunter2@h/y\"", "'https://h/x' and \"https://h/y\""),
        ("line\nhttps://a:hunter2@h/x\tnext", "line\nhttps://h/x\tnext"),
        ("user:hunter2@example.org:a.git", "example.org:a.git"),
        ("pull user:hunter2@example.org:a.git", "pull example.org:a.git"),
    ],
)
def test_a_credential_is_taken_out(text: str, expected: str) -> None:
    assert strip(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "", "plain", "git@example.org:team/a.git", "https://example.org/a.git", "https://example.org:8443/a",
        "/srv/git/a.git", "file:///srv/git/a.git", "../a.git", "Ada <ada@example.org>", "https://[::1]:80/@scope/x",
        "https://example.org/@scope/package", "https://example.org:443/@scope", "commit: a note: see x@y",
        "C:\\repositories\\a", "/srv/a:/b@c/d", "C:/a@b/c", "refs/heads/main@{1}", "What? #7",
    ],
)  # fmt: skip
def test_what_is_no_credential_stays(text: str) -> None:
    assert strip(text) == text


secrets = st.text(st.characters(exclude_categories=("Cs", "Cc", "Z")), min_size=8, max_size=20)


@given(secrets, st.sampled_from(["https", "http", "ssh", "git", "ftp"]), st.text(max_size=10), st.text(max_size=10))
def test_no_secret_survives_wherever_the_url_stands(secret: str, scheme: str, before: str, after: str) -> None:
    # A secret that is all digits may be a port, and one of the host's or path's own letters is no secret.
    text = f"{before} {scheme}://user:~{secret}@host/path {after}"
    assert f"~{secret}" not in strip(text) or f"~{secret}" in before + after


@given(st.text(max_size=60))
def test_stripping_twice_is_stripping_once(text: str) -> None:
    once = strip(text)
    assert strip(once) == once
