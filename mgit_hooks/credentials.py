"""Credentials never reach the journal, the spool or the log: every text that may hold a URL passes here."""

from __future__ import annotations

import re

# scheme://userinfo@host/path?query#fragment, wherever it stands in a text. Userinfo runs to the last "@"
# before the path: a token may itself hold an "@".
_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)(?:[^\s/?#]*@)?(?P<rest>[^\s?#]*)(?:[?#]\S*)?")
# user:password@host:path, which is no URL but what someone may type for one
_SCP = re.compile(r"(?<![^\s'\"(=])(?P<user>[^\s:/@'\"]+):[^\s/@]+@(?=[^\s:/]+:)")


def strip(text: str) -> str:
    """``text`` with userinfo, query and fragment taken out of every URL in it."""
    if "://" in text:
        text = _URL.sub(r"\g<scheme>\g<rest>", text)
    if "@" in text:
        text = _SCP.sub("", text)
    return text
