"""Credentials never reach the journal, the spool or the log: every text that may hold a URL passes here."""

from __future__ import annotations

import re

# Userinfo runs to the last "@" before the path: a token may itself hold an "@". Behind a colon that no
# port follows stands a password, and that runs to the last "@" whatever is in it.
_USERINFO = re.compile(r"://(?:[^\s/?#]*@|[^\s/?#@:\[]+:(?!\d+(?:[\s/?#,;'\")\]]|$)|[\s/?#]|$)\S*@)")
# A URL that was taken for a path, and tidied as one
_TIDIED = re.compile(r"\b(https?|ssh|git|ftps?):/(?!/)[^\s/]*@")
_QUERY = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://[^\s?#]*)[?#]\S*")
# user:password@host:path, which is no URL but what someone may type for one
_SCP = re.compile(r"(?<![^\s'\"(=])(?P<user>[^\s:/@'\"]+):[^\s/@]+@(?=[^\s:/]+:)")


def strip(text: str) -> str:
    """``text`` with userinfo, query and fragment taken out of every URL in it."""
    if "://" in text:
        text = _QUERY.sub(r"\1", _USERINFO.sub("://", text))
    if "@" in text:
        text = _SCP.sub("", _TIDIED.sub(r"\1:/", text))
    return text
