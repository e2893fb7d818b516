"""The text of a PDF file. The door to `pypdf`."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bakeoff.core.words import BakeoffError
from bakeoff.tasks.formats.decoding import Reading

if TYPE_CHECKING:
    from pypdf import PageObject

_SIGNS = str.maketrans(
    {"\xad": "", "ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "\0": ""}
)
"""Signs of typesetting that no question is written in."""


def pdf_text(file: Path, reading: Reading) -> str:
    """The text of all pages; pages without text and images are counted.

    Raises `BakeoffError` for a file that is damaged or has a password.
    """
    try:
        import pypdf
        from pypdf.errors import DependencyError
    except ImportError as error:
        raise BakeoffError(f"{file}: PDF needs pypdf: pip install 'bakeoff[files]'") from error
    logging.getLogger("pypdf").setLevel(logging.ERROR)
    try:
        with pypdf.PdfReader(file) as pdf:
            if pdf.is_encrypted and not pdf.decrypt(""):
                raise BakeoffError(f"{file}: has a password; save a copy without one")
            pages = [page.extract_text().strip() for page in pdf.pages]
            reading.dropped["images"] += sum(map(_images, pdf.pages))
    except BakeoffError:
        raise
    except DependencyError as error:
        raise BakeoffError(f"{file}: is encrypted; save a copy without a password") from error
    except Exception as error:  # pypdf raises many unrelated types for damaged files
        reason = " ".join(str(error).split()) or type(error).__name__
        raise BakeoffError(
            f"{file}: cannot be read as PDF: {reason}; leave the file out, or save it anew as PDF "
            "or text"
        ) from error
    reading.dropped["pages without text"] += sum(not page for page in pages)
    text = "\n\n".join(page for page in pages if page).translate(_SIGNS)
    # Fonts without a table of their signs give halves of pairs, which no file can hold.
    return text.encode("utf-8", "replace").decode()


def _images(page: PageObject) -> int:
    """The images that a page draws."""
    resources: Any = page.get("/Resources")
    objects: Any = resources.get_object().get("/XObject") if resources else None
    if not objects:
        return 0
    drawn = objects.get_object().values()
    return sum(part.get_object().get("/Subtype") == "/Image" for part in drawn)
