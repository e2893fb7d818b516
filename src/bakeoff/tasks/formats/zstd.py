"""What is compressed with zstd, by the codec of pyarrow: Python reads it from 3.14 on."""

from __future__ import annotations


def unzstd(packed: bytes) -> bytes:
    """The bytes that were compressed. Raises `OSError` or `ValueError` for what is damaged."""
    import pyarrow

    with pyarrow.CompressedInputStream(pyarrow.BufferReader(packed), "zstd") as stream:
        data: bytes = stream.read()
    return data
