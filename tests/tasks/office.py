"""Small files of office programs, written for tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def write_pdf(file: Path, pages: Sequence[str], images: int = 0) -> Path:
    """A PDF of one line of text a page, in a standard font; each page draws `images` images."""
    objects = ["<< /Type /Catalog /Pages 2 0 R >>"]
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(pages)))
    objects.append(f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>")
    objects.append("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
    picture = 4 + 2 * len(pages)
    drawn = " ".join(f"/I{number} {picture} 0 R" for number in range(images))
    for number, text in enumerate(pages):
        content = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET" if text else ""
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {5 + 2 * number} 0 R "
            f"/Resources << /Font << /F1 3 0 R >> /XObject << {drawn} >> >> >>"
        )
        objects.append(f"<< /Length {len(content)} >>\nstream\n{content}\nendstream")
    objects.append(
        "<< /Type /XObject /Subtype /Image /Width 1 /Height 1 /ColorSpace /DeviceGray "
        "/BitsPerComponent 8 /Length 1 >>\nstream\nx\nendstream"
    )
    made, places = "%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(made))
        made += f"{number} 0 obj\n{content}\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    count = len(objects) + 1
    made += f"xref\n0 {count}\n0000000000 65535 f \n{table}trailer\n"
    made += f"<< /Size {count} /Root 1 0 R >>\nstartxref\n{made.index('xref')}\n%%EOF\n"
    file.write_bytes(made.encode("latin-1"))
    return file
