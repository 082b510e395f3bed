"""Which repository was checked, as far as its remote's URL tells: without credentials, as a URI."""

from __future__ import annotations

import os
import re
from typing import Final
from urllib.parse import quote

from mgit_hooks import credentials
from mgit_hooks.checking.forms import Provenance
from mgit_hooks.git import plumbing
from mgit_hooks.layout import Location
from mgit_hooks.record import readable

# git-clone(1): [user@]host:path, where no slash stands before the first colon
_SCP: Final = re.compile(r"(?:[^@/:]+@)?([^/:]+):(?!//)(.*)", re.DOTALL)
_SAFE: Final = ":/?#[]@!$&'()*+,;=%-._~"


def of(location: Location, directory: str) -> Provenance | None:
    """None where there is no remote, or the remote is a folder: what it is called says nothing elsewhere."""
    named = plumbing.run(("config", "-z", "--get-regexp", r"^remote\..*\.url$"), directory=directory)
    urls: dict[str, str] = {}
    for entry in os.fsdecode(named.stdout).split("\0")[:-1]:
        key, _, value = entry.partition("\n")
        urls.setdefault(key[7:-4], value)
    url = urls.get("origin") or next(iter(urls.values()), None)
    uri = None if url is None else _uri(url)
    if uri is None:
        return None
    head = plumbing.run(("rev-parse", "-q", "--verify", "HEAD"), directory=directory)
    branch = plumbing.run(("symbolic-ref", "-q", "--short", "HEAD"), directory=directory)
    return Provenance(
        uri,
        head.stdout.decode("ascii").strip() if head.status == 0 else None,
        readable(branch.stdout.rstrip(b"\n"))[0] if branch.status == 0 else None,
    )


def _uri(url: str) -> str | None:
    if "://" in url:
        # Quoted first: a space would end the URL that credentials are looked for in.
        return None if url.startswith("file:") else credentials.strip(quote(os.fsencode(url), safe=_SAFE))
    match = _SCP.fullmatch(url)
    if match is None or url.startswith(("/", ".")):
        return None
    whole = f"ssh://{match[1]}/{match[2].lstrip('/')}"
    return credentials.strip(quote(os.fsencode(whole), safe=_SAFE))
