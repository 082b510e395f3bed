"""Packed files brought back, as streams, and held against what their ``.meta`` says where there is one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from hashlib import sha256
from typing import BinaryIO, NamedTuple

from mgit_hooks import codecs, files
from mgit_hooks.containers import EXTENSIONS, METHODS, method_of_name, recognized
from mgit_hooks.errors import CompressionError, UsageError
from mgit_hooks.pipeline import packedmeta
from mgit_hooks.pipeline.packedfiles import PIECE, Progress
from mgit_hooks.pipeline.placing import Staged, require_free, require_replaceable, staged


class Demand(NamedTuple):
    """Where to, and on what terms. Without ``output_file`` into ``folder``, without that into the packed file's own;
    with ``write`` False nowhere. ``limit`` is in bytes of output, None for none."""

    output_file: str | None = None
    folder: str | None = None
    method: str | None = None
    limit: int | None = None
    use_meta: bool = True
    force: bool = False
    write: bool = True
    progress: Progress | None = None


class UnpackedFile(NamedTuple):
    """``output_file`` is None where nothing was to be written; ``checked``: a ``.meta`` was there, and fits."""

    output_file: str | None
    method: str
    original_size: int
    compressed_size: int
    sha256: str
    checked: bool


def unpack(path: str, demand: Demand) -> UnpackedFile:
    """Raises CompressionError, UsageError where the output is there already or has no name, OSError."""
    with files.open_to_read(path) as file:
        status = os.fstat(file.fileno())
        meta = packedmeta.read(path) if demand.use_meta else None
        method = _method(file, path, demand.method, meta)
        if not demand.write:
            size, digest = _stream(file, path, method, meta, demand, None)
            return UnpackedFile(None, method, size, status.st_size, digest, meta is not None)
        target = demand.output_file or os.path.join(_folder(path, demand), _name(path, method, meta))
        if os.path.realpath(target) in map(os.path.realpath, (path, path + packedmeta.EXTENSION)):
            raise UsageError(f"'{target}' is what is to be unpacked, or its .meta", "name another output")
        (require_replaceable if demand.force else require_free)(target)
        with staged(os.path.dirname(target)) as made:
            size, digest = _stream(file, path, method, meta, demand, made)
            made.publish(target, status.st_mode, force=demand.force)
    return UnpackedFile(target, method, size, status.st_size, digest, meta is not None)


def _folder(path: str, demand: Demand) -> str:
    return os.path.dirname(path) if demand.folder is None else demand.folder


def _method(file: BinaryIO, path: str, asked: str | None, meta: packedmeta.Meta | None) -> str:
    """By what was asked for, by the ``.meta``, by what the bytes say, by the name; each is held against the bytes."""
    if asked is not None:
        codecs.require("method", asked, METHODS)
    said = asked or (meta and meta.compression_method)
    head = file.read(10)
    file.seek(0)
    own = recognized(head)
    named = method_of_name(path)
    if said is None and named is not None and own not in (None, named) and named != "none":
        what = f"{path} is {own} data, and its name says {named}"
        raise CompressionError(what, f"rename it, or say --method {own}", "mislabelled")
    method = said or named or own
    if method is None:
        raise CompressionError(f"{path} is none of {', '.join(METHODS[1:])}", "say --method if it is", "foreign")
    return method


def _name(path: str, method: str, meta: packedmeta.Meta | None) -> str:
    """The packed file's own name without the extension, as gunzip has it; another's word counts only without one."""
    name = os.path.basename(path)
    stem = name.removesuffix(EXTENSIONS[method])
    if stem not in ("", name):
        return stem
    given = None if meta is None else packedmeta.plain_name(meta)
    if given is None or given == name:
        raise UsageError(f"'{name}' does not end in {EXTENSIONS[method]}", "name the output with --output-file")
    return given


def _stream(
    file: BinaryIO, path: str, method: str, meta: packedmeta.Meta | None, demand: Demand, made: Staged | None
) -> tuple[int, str]:
    """The content's size and SHA-256, all of it written to ``made``."""
    total = os.fstat(file.fileno()).st_size
    bound = demand.limit
    if meta is not None:
        if meta.compressed_size != total:
            what = f"the packed file has {total:,} bytes, and {meta.compressed_size:,} are said"
            raise packedmeta.mislabelled(path + packedmeta.EXTENSION, what)
        if bound is not None and meta.original_size > bound:
            raise codecs.oversized(bound)
        bound = meta.original_size
    digest, size = sha256(), 0
    try:
        for piece in codecs.unpacked(_pieces(file, total, demand.progress), method, codecs.Bounds(bound)):
            digest.update(piece)
            size += len(piece)
            if made is not None:
                made.write(piece)
    except CompressionError as error:
        if meta is None or error.message != codecs.oversized(meta.original_size).message:
            raise
        what = f"it holds more than the {meta.original_size:,} bytes that are said"
        raise packedmeta.mislabelled(path + packedmeta.EXTENSION, what) from error
    if meta is not None and (size, digest.hexdigest()) != (meta.original_size, meta.sha256):
        raise packedmeta.mislabelled(path + packedmeta.EXTENSION, "the content is not the one that it is for")
    return size, digest.hexdigest()


def _pieces(file: BinaryIO, total: int, progress: Progress | None) -> Iterator[bytes]:
    while piece := file.read(PIECE):
        yield piece
        if progress is not None:
            progress(min(file.tell(), total), total)
