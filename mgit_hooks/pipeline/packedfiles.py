"""Files packed into containers, as streams: a file of any size takes the codec's memory and little more.

A file appears under its name whole or not at all. What a kill leaves is a hidden ``.mgit-….new``, which means nothing,
or a packed file without its ``.meta``, which is unpacked without it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from hashlib import sha256
from typing import Any, BinaryIO, Final, NamedTuple

from mgit_hooks import codecs, files
from mgit_hooks.containers import EXTENSIONS
from mgit_hooks.errors import CompressionError, UsageError
from mgit_hooks.pipeline import packedmeta
from mgit_hooks.pipeline.choice import SMALLEST, choose, sample
from mgit_hooks.pipeline.placing import Staged, require_free, require_replaceable, staged
from mgit_hooks.pipeline.results import ratio

Progress = Callable[[int, int], None]  # bytes of the input that are done, of how many
PIECE: Final = 1 << 18


class Order(NamedTuple):
    """How a file is to be packed. ``method`` may be ``auto``."""

    method: str
    quality: str
    temperature: str = "warm"
    force: bool = False
    write_meta: bool = True
    verify: bool = False
    store_on_failure: bool = False
    progress: Progress | None = None


class PackedFile(NamedTuple):
    """``sha256`` is that of the content, in hexadecimal; ``metadata`` that of a CompressionResult."""

    output_file: str
    meta_file: str | None
    method: str
    original_size: int
    compressed_size: int
    compression_ratio: float
    sha256: str
    metadata: dict[str, Any]


class _Input(NamedTuple):
    file: BinaryIO
    path: str
    size: int
    mode: int
    changed: int  # when its content last was, in nanoseconds


def pack(path: str, output: str | None, order: Order) -> PackedFile:
    """``path`` packed into ``output``, or into its own name and the method's extension.

    Raises CompressionError, UsageError where a file is there already, OSError.
    """
    with files.open_to_read(path) as file:
        source = _opened(file, path)
        folder = os.path.dirname(output or path)
        with ExitStack() as stack:
            made = stack.enter_context(staged(folder))
            done = _pack(made, source, output, order)
            meta_path = done.output_file + packedmeta.EXTENSION
            beside = stack.enter_context(staged(folder)) if order.write_meta else None
            if beside is not None:  # on the disk before the packed file has its name: a full disk leaves neither
                beside.write(packedmeta.Meta(os.path.basename(path), *done[2:6], done.metadata, done.sha256).encode())
                beside.sync()
            if order.force and files.lexists(meta_path):
                os.unlink(meta_path)  # first: another file's would not fit
            made.publish(done.output_file, source.mode, force=order.force)
            if beside is not None:
                beside.publish(meta_path, source.mode, force=order.force)
                done = done._replace(meta_file=meta_path)
    return done


def _opened(file: BinaryIO, path: str) -> _Input:
    """Raises CompressionError for what says nothing of its size, as files in /proc: it would be packed as empty."""
    status = os.fstat(file.fileno())
    if not status.st_size and file.read(1) and not os.fstat(file.fileno()).st_size:
        raise CompressionError(
            f"{path} says that it is empty, and is not", "copy it into a file, and pack that", "refused"
        )
    return _Input(file, path, status.st_size, status.st_mode, status.st_mtime_ns)


def _pack(made: Staged, source: _Input, output: str | None, order: Order) -> PackedFile:
    """The whole file, written and not yet published, in the container that it is to have."""
    metadata: dict[str, Any] = {"quality": order.quality, "original_type": "bytes"}
    method, quality = _chosen(source, order, metadata, named=output is not None)
    try:
        done = _packed(made, source, output, method, quality, order, metadata)
    except (UsageError, OSError):  # the files', not the codec's
        raise
    except Exception as error:  # a codec raises whatever it likes
        if not order.store_on_failure:
            raise failed(method, error) from error
        metadata["error"] = str(failed(method, error))
    else:
        if method == "none" or output is not None or done.compressed_size < done.original_size:
            return done
        # As data in memory: what does not shrink is stored as it is, here under a name that says so.
        metadata["reason"] = "no_gain"
    made.empty()
    return _packed(made, source, output, "none", quality, order, metadata)


def _chosen(source: _Input, order: Order, metadata: dict[str, Any], *, named: bool) -> tuple[str, str]:
    """The method and its quality. Who names the output has named its container too, and gets it."""
    if source.size < SMALLEST and not (named and order.method != "auto"):
        metadata["reason"] = "data_too_small"
        return "none", order.quality
    if order.method != "auto":
        return order.method, order.quality

    def read(offset: int, length: int) -> bytes:
        source.file.seek(offset)
        return source.file.read(length)

    part = sample(read, source.size)
    method, quality, metadata["choice"] = choose(part, source.size, order.quality, order.temperature, for_file=True)
    return method, quality


def _packed(
    made: Staged,
    source: _Input,
    output: str | None,
    method: str,
    quality: str,
    order: Order,
    metadata: dict[str, Any],
) -> PackedFile:
    target = output or source.path + EXTENSIONS[method]
    both = (target, target + packedmeta.EXTENSION)
    for name in both:  # with force either of them is replaced, or removed
        if os.path.realpath(name) == os.path.realpath(source.path):
            raise UsageError(f"'{name}' is what is to be packed", "name another output")
    # Before the work; publishing holds to it whoever comes first.
    for name in both if order.force else both[: 1 + order.write_meta]:
        (require_replaceable if order.force else require_free)(name)
    digest = sha256()
    for piece in codecs.packed(_pieces(source, digest.update, order.progress), method, quality, source.size):
        made.write(piece)
    now = os.fstat(source.file.fileno())
    if now.st_mtime_ns != source.changed and now.st_size == source.size:  # a longer one was appended to
        raise CompressionError("the input changed while it was read", "run it again", "refused")
    if order.verify:
        _verify(made, method, source.size, digest.hexdigest())
    share = ratio(made.size, source.size)
    return PackedFile(target, None, method, source.size, made.size, share, digest.hexdigest(), metadata)


def _pieces(source: _Input, seen: Callable[[bytes], None], progress: Progress | None) -> Iterator[bytes]:
    """The file as it was when it was opened: what has been appended since is not of it."""
    source.file.seek(0)
    left = source.size
    while left and (piece := source.file.read(min(PIECE, left))):
        seen(piece)
        left -= len(piece)
        yield piece
        if progress is not None:
            progress(source.size - left, source.size)


def _verify(made: Staged, method: str, size: int, digest: str) -> None:
    """Raises CompressionError where what was written does not give the content back."""
    found = sha256()
    with open(made.path, "rb") as file:
        for piece in codecs.unpacked(iter(lambda: file.read(PIECE), b""), method, codecs.Bounds(size)):
            found.update(piece)
    if found.hexdigest() != digest:
        raise CompressionError(f"{method} does not give back what it was given", "choose another method", "damaged")


def failed(method: str, error: Exception) -> CompressionError:
    """The error that says so."""
    if isinstance(error, CompressionError):
        return error
    what = "not enough memory" if isinstance(error, MemoryError) else str(error) or type(error).__name__
    return CompressionError(f"{method} failed: {what}", "choose another method", "refused")
