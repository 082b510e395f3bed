"""What kind of content a file has: its MIME type, and whether it is packed, so that nobody can look into it.

The content's own signature counts first, the file's name after it, and a name never makes a text of bytes or bytes of a
text. The table of names is the standard library's, without the system's files: the same answer on every machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mimetypes import MimeTypes

BINARY: Final = "binary"
UNKNOWN: Final = "unknown-8bit"  # text in one of many encodings of eight bits, as file(1) calls it
_BYTES: Final = "application/octet-stream"
_SIGNATURES: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"\x7fELF", "application/x-elf"),
    (b"SQLite format 3\0", "application/vnd.sqlite3"),
    (b"\0asm", "application/wasm"),
    (b"\xca\xfe\xba\xbe", "application/java-vm"),
    (b"OggS", "audio/ogg"),
    (b"ID3", "audio/mpeg"),
    (b"\0\0\1\0", "image/vnd.microsoft.icon"),
    (b"wOF2", "font/woff2"),
)
_PACKED: Final = (
    (b"PK\3\4", "application/zip"),
    (b"PK\5\6", "application/zip"),
    (b"\x1f\x8b", "application/gzip"),
    (b"\xfd7zXZ\0", "application/x-xz"),
    (b"BZh", "application/x-bzip2"),
    (b"\x28\xb5\x2f\xfd", "application/zstd"),
    (b"\x04\x22\x4d\x18", "application/x-lz4"),
    (b"\xff\x06\0\0sNaPpY", "application/x-snappy-framed"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"Rar!", "application/vnd.rar"),
    (b"\x1f\x9d", "application/x-compress"),
    (b"LZIP", "application/x-lzip"),
    (b"MSCF", "application/vnd.ms-cab-compressed"),
    (b"\xed\xab\xee\xdb", "application/x-rpm"),
    (b"!<arch>\n", "application/x-archive"),
    (b"%PDF-", "application/pdf"),
    (b"PACK\0", "application/x-git-pack"),
    (b"# v2 git bundle\n", "application/x-git-bundle"),
    (b"# v3 git bundle\n", "application/x-git-bundle"),
    (b"MGIT", _BYTES),
    (b"Salted__", "application/x-encrypted"),
    (b"age-encryption.org/", "application/x-encrypted"),
    *((b"\x78" + level, "application/zlib") for level in (b"\x01", b"\x5e", b"\x9c", b"\xda")),
    (b"\x5d\0\0", "application/x-lzma"),
)
# What can be UTF-8 to its end: "x^2", "MGIT" and "BZh" begin a text as well.
_PACKED_TEXT: Final = (
    b"PK\3\4", b"PK\5\6", b"\x78\x01", b"%PDF-", b"# v2 git bundle\n", b"# v3 git bundle\n", b"Salted__",
    b"age-encryption.org/",
)  # fmt: skip
# The library's table has these not at all, or not in every version of Python.
_NAMES: Final = {
    ".go": "text/x-go", ".md": "text/markdown", ".rs": "text/x-rust", ".sh": "application/x-sh",
    ".toml": "application/toml", ".ts": "text/x-typescript", ".yaml": "application/yaml", ".yml": "application/yaml",
}  # fmt: skip
_TEXTS: Final = frozenset(
    f"application/{name}"
    for name in ("javascript", "json", "sql", "toml", "x-csh", "x-latex", "x-sh", "x-tcl", "x-tex", "xml", "yaml")
)


def packed(head: bytes, charset: str) -> bool:
    """Whether a file that begins so holds what it holds compressed or encrypted. Texts may begin so."""
    signatures = _PACKED_TEXT if charset == "utf-8" else tuple(signature for signature, _ in _PACKED)
    return head.startswith(signatures)


def mime_type(path: str, head: bytes | None, charset: str | None) -> str | None:
    """By how the file begins (None: nobody looked), by whether that is text, and by its name.

    Text that is not UTF-8 has its charset told, as file(1) does. None where there is only a name, and it says nothing.
    """
    named = _by_name(path)
    if head is None or charset is None:
        return named
    if charset != BINARY:
        fits = named is not None and (named.startswith("text/") or named in _TEXTS or named.endswith(("+xml", "+json")))
        kind = named if fits and named is not None else "text/plain"
        return kind if charset == "utf-8" else f"{kind}; charset={charset}"
    for signature, kind in (*_SIGNATURES, *_PACKED):
        if head.startswith(signature):
            return kind
    return _BYTES if named is None or named.startswith("text/") or named in _TEXTS else named


_table: list[MimeTypes] = []


def _by_name(path: str) -> str | None:
    if not _table:
        from mimetypes import MimeTypes

        _table.append(MimeTypes(filenames=()))
    name = path.rpartition("/")[2].lower()
    ending = name[name.rfind(".") :] if "." in name else ""
    if ending in _NAMES:
        return _NAMES[ending]
    kinds = _table[0].types_map
    return kinds[1].get(ending) or kinds[0].get(ending)
