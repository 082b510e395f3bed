"""Data and files, compressed and brought back exactly: the public names of the pipeline's compression.

What is stored is one of six containers (mgit_hooks.codecs), or the data as it is where that is no larger.
"""

from __future__ import annotations

import json
import os
from typing import Any, Final, Literal, overload

from mgit_hooks import codecs
from mgit_hooks.containers import METHODS
from mgit_hooks.errors import CompressionError
from mgit_hooks.pipeline.choice import SMALLEST, TEMPERATURES, choose, sample
from mgit_hooks.pipeline.jsontext import json_text
from mgit_hooks.pipeline.packedfiles import Order, Progress, failed, pack
from mgit_hooks.pipeline.results import CompressionMethod, CompressionResult, ratio
from mgit_hooks.pipeline.unpackedfiles import Demand, UnpackedFile, unpack

__all__ = ["CompressionMethod", "CompressionResult", "DataCompressor", "FileCompressor", "UnpackedFile"]

Path = str | os.PathLike[str]
AUTO: Final = "auto"
# Bytes that one call may bring back into memory, or write to a file, unless it is told otherwise.
DATA_LIMIT: Final = 1 << 30
FILE_LIMIT: Final = 1 << 32


class DataCompressor:
    """Compresses texts, bytes and JSON values.

    ``default_method`` and ``method`` are a CompressionMethod, its name, or ``auto``: chosen by size and by what is
    gained. ``on_failure``: ``raise`` a CompressionError, or ``store`` the data as it is and say why in
    ``metadata["error"]``. With ``verify`` what was made is read back and compared. ``limit`` bounds the bytes that one
    result may bring back, None not at all. Raises ValueError on unknown words, with the known ones.
    """

    def __init__(
        self,
        default_method: CompressionMethod | str = CompressionMethod.GZIP,
        quality: str = "balanced",
        *,
        on_failure: Literal["raise", "store"] = "raise",
        verify: bool = False,
        limit: int | None = DATA_LIMIT,
    ) -> None:
        codecs.require("method", default_method, (*METHODS, AUTO))
        codecs.require("quality", quality, codecs.QUALITIES)
        codecs.require("answer to a failure", on_failure, ("raise", "store"))
        self.default_method = str(default_method)
        self.quality = quality
        self.on_failure = on_failure
        self.verify = verify
        self.limit = limit

    def compress_data(
        self, data: str | bytes, method: CompressionMethod | str | None = None, *, temperature: str = "warm"
    ) -> CompressionResult:
        """Under 100 bytes, and where the container would not be smaller, the data is stored as it is.

        ``temperature`` (``hot``, ``warm``, ``cold``) counts for ``auto``. A text keeps even lone surrogates. Raises
        CompressionError, ValueError on unknown words, and TypeError where ``data`` is neither text nor bytes.
        """
        method = str(self.default_method if method is None else method)
        codecs.require("method", method, (*METHODS, AUTO))
        codecs.require("temperature", temperature, TEMPERATURES)
        raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else _as_bytes(data)
        kind = "string" if isinstance(data, str) else "bytes"
        metadata: dict[str, Any] = {"quality": self.quality, "original_type": kind}
        if len(raw) < SMALLEST:
            return _result(len(raw), raw, "none", {**metadata, "reason": "data_too_small"})
        quality = self.quality
        if method == AUTO:
            part = sample(lambda at, length: raw[at : at + length], len(raw))
            method, quality, metadata["choice"] = choose(part, len(raw), quality, temperature)
        try:
            stored = self._packed(raw, method, quality)
        except Exception as error:  # a codec raises whatever it likes
            if self.on_failure == "raise":
                raise failed(method, error) from error
            return _result(len(raw), raw, "none", {**metadata, "error": str(failed(method, error))})
        if method != "none" and len(stored) >= len(raw):
            return _result(len(raw), raw, "none", {**metadata, "reason": "no_gain"})
        return _result(len(raw), stored, method, metadata)

    def _packed(self, raw: bytes, method: str, quality: str) -> bytes:
        stored = codecs.pack(raw, method, quality)
        if self.verify and codecs.unpack(stored, method, codecs.Bounds(len(raw))) != raw:
            raise CompressionError(f"{method} does not give back what it was given", "choose another method", "damaged")
        return stored

    def decompress_data(self, result: CompressionResult) -> str | bytes:
        """What ``compress_data`` was given: a text or bytes.

        Raises CompressionError where the data is not whole, not what the result says of it, or more than ``limit``.
        """
        kind = _metadata(result).get("original_type", "bytes")
        raw = self._unpacked(result)
        if kind == "bytes":
            return raw
        if kind != "string":
            raise _mislabelled(f"the original type {kind!r} is neither string nor bytes")
        try:
            return raw.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError as error:
            raise _mislabelled("it is said to be a text, and is no UTF-8") from error

    def _unpacked(self, result: CompressionResult) -> bytes:
        stored = result.compressed_data
        if not isinstance(stored, bytes | bytearray | memoryview):
            raise _mislabelled("the result holds no data")
        stored = bytes(stored)
        for name in ("original_size", "compressed_size"):
            size = getattr(result, name)
            if not isinstance(size, int) or isinstance(size, bool) or size < 0:
                raise _mislabelled(f"{name} is {size!r:.80}")
        if len(stored) != result.compressed_size:
            raise _mislabelled(f"{len(stored):,} bytes that are said to be {result.compressed_size:,}")
        if self.limit is not None and result.original_size > self.limit:
            raise codecs.oversized(self.limit)
        if str(result.method) not in METHODS:
            raise _mislabelled(f"the method {result.method!r} is none of {', '.join(METHODS)}")
        raw = codecs.unpack(stored, str(result.method), codecs.Bounds(result.original_size))
        if len(raw) != result.original_size:
            raise _mislabelled(f"it holds {len(raw):,} bytes and is said to hold {result.original_size:,}")
        return raw

    def compress_json_data(
        self, data: Any, method: CompressionMethod | str | None = None, *, temperature: str = "warm"
    ) -> CompressionResult:
        """A JSON value, as compact JSON.

        Raises CompressionError, whatever ``on_failure`` is, for what JSON would not bring back as the same value: NaN
        and infinities, tuples, keys that are no texts, other objects, values nested too deeply for the interpreter's
        recursion limit, integers of more digits than the interpreter converts (sys.set_int_max_str_digits).
        """
        found = self.compress_data(json_text(data), method, temperature=temperature)
        return found._replace(metadata={**found.metadata, "data_type": "json"})

    def decompress_json_data(self, result: CompressionResult) -> Any:
        """The value. Raises CompressionError as ``decompress_data`` does, and where it is no JSON."""
        if _metadata(result).get("data_type") != "json":
            raise _mislabelled("it is not said to be JSON")
        try:
            return json.loads(self.decompress_data(result))
        except (ValueError, RecursionError) as error:
            raise _mislabelled(f"it is said to be JSON: {error}") from error


class FileCompressor:
    """Compresses files and brings them back, in bounded memory, and never writes over a file unasked.

    Method, quality and what happens on a failure are the compressor's: DataCompressor() where none is given.
    """

    def __init__(self, compressor: DataCompressor | None = None) -> None:
        self.compressor = DataCompressor() if compressor is None else compressor

    def compress_file(
        self,
        input_file: Path,
        output_file: Path | None = None,
        method: CompressionMethod | str | None = None,
        *,
        temperature: str = "warm",
        force: bool = False,
        write_meta: bool = True,
        progress: Progress | None = None,
    ) -> CompressionResult:
        """``input_file`` packed into ``output_file``, or into its own name and the method's extension; it stays.

        Beside it comes ``OUTPUT.meta``. ``metadata`` says where they are: ``output_file``, ``meta_file`` (or None), and
        ``sha256`` of the content. A named output is the container that was asked for, however small the input. Raises
        CompressionError, UsageError where a file is there already and ``force`` is not given, OSError.
        """
        chosen = str(self.compressor.default_method if method is None else method)
        codecs.require("method", chosen, (*METHODS, AUTO))
        codecs.require("temperature", temperature, TEMPERATURES)
        order = Order(
            chosen,
            self.compressor.quality,
            temperature,
            force=force,
            write_meta=write_meta,
            verify=self.compressor.verify,
            store_on_failure=self.compressor.on_failure == "store",
            progress=progress,
        )
        done = pack(_path(input_file), _path(output_file), order)
        made = {"output_file": done.output_file, "meta_file": done.meta_file, "sha256": done.sha256}
        return CompressionResult(
            done.original_size,
            done.compressed_size,
            done.compression_ratio,
            CompressionMethod(done.method),
            None,
            {**done.metadata, **made},
        )

    def decompress_file(
        self,
        input_file: Path,
        output_file: Path | None = None,
        *,
        folder: Path | None = None,
        method: CompressionMethod | str | None = None,
        use_meta: bool = True,
        force: bool = False,
        limit: int | None = FILE_LIMIT,
        progress: Progress | None = None,
    ) -> UnpackedFile:
        """What ``input_file`` holds, in ``output_file``, or in ``folder`` (or its own) without the extension.

        The ``.meta`` beside it is held against it where there is one. ``limit``: bytes of output, None for any. Raises
        CompressionError, UsageError where the output is there already and ``force`` is not given, OSError.
        """
        demand = Demand(
            _path(output_file), _path(folder), _word(method), limit, use_meta, force, write=True, progress=progress
        )
        return unpack(_path(input_file), demand)

    def check_file(
        self,
        input_file: Path,
        *,
        method: CompressionMethod | str | None = None,
        use_meta: bool = True,
        limit: int | None = FILE_LIMIT,
        progress: Progress | None = None,
    ) -> UnpackedFile:
        """As ``decompress_file``, and writes nothing."""
        demand = Demand(method=_word(method), limit=limit, use_meta=use_meta, write=False, progress=progress)
        return unpack(_path(input_file), demand)


def _result(original_size: int, stored: bytes, method: str, metadata: dict[str, Any]) -> CompressionResult:
    size = len(stored)
    return CompressionResult(
        original_size, size, ratio(size, original_size), CompressionMethod(method), stored, metadata
    )


def _metadata(result: CompressionResult) -> dict[str, Any]:
    """Raises TypeError for what is no result, as decompress_data(bytes)."""
    if not isinstance(result, CompressionResult):
        raise TypeError(f"this is a {type(result).__name__}, not a CompressionResult")
    if not isinstance(result.metadata, dict):
        raise _mislabelled("its metadata is no dictionary")
    return result.metadata


@overload
def _path(path: Path) -> str: ...
@overload
def _path(path: None) -> None: ...
@overload
def _path(path: Path | None) -> str | None: ...
def _path(path: Path | None) -> str | None:
    return None if path is None else os.fspath(path)


def _word(method: CompressionMethod | str | None) -> str | None:
    return None if method is None else str(method)


def _as_bytes(data: object) -> bytes:
    if isinstance(data, bytes | bytearray | memoryview):
        return bytes(data)
    raise TypeError(f"data is a str or bytes, not {type(data).__name__}; for other values there is compress_json_data")


def _mislabelled(what: str) -> CompressionError:
    return CompressionError(
        f"the compressed data is not what it is said to be: {what}", "take another copy of it", "mislabelled"
    )
