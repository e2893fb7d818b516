"""Documents of every format are read as text; what is left out is counted."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import docx
import pypdf
import pytest
from docx.oxml import parse_xml

from bakeoff.core.words import BakeoffError
from bakeoff.tasks.readers import Reading, reader_of
from office import write_pdf

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


def read(file: Path, content: str | bytes | None = None) -> tuple[str, dict[str, int]]:
    """The text of a file, and what was left out."""
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    reading = Reading()
    text = reader_of(file).text
    assert text
    return text(file, reading), {what: n for what, n in reading.dropped.items() if n}


PAGE = """<!doctype html><html><head><title>Returns &amp; refunds</title>
<style>p {color: red}</style><script>track("<p>no</p>")</script></head>
<body><nav><a href="/">Home</a> <a href="/faq">FAQ</a></nav>
<h2>How <em>long</em></h2><!-- draft -->
<p>Goods come back within <b>30&nbsp;days</b>,
   on form&#32;R-4.<br>Keep the receipt.</p>
<ul><li>unused<li>in the <a href="x">box</a></ul>
<table><tr><th>form</th><th>days</th></tr><tr><td>R-4</td><td><p>30</p></td></tr></table>
<pre>if late:
    ask()</pre><img src="a.png"><p hidden>secret</p><p>Inter<b>national</b> too.</p>
<footer>Imprint</footer></body></html>"""


def test_a_page_is_text_with_headings_and_no_markup(tmp_path: Path) -> None:
    text, dropped = read(tmp_path / "a.html", PAGE)
    assert text == (
        "# Returns & refunds\n\n## How long\n\nGoods come back within 30\xa0days, on form R-4.\n"
        "Keep the receipt.\n\n- unused\n- in the box\n\nform | days\nR-4 | 30\n\n"
        "if late:\n    ask()\n\nInternational too."
    ).replace("\xa0", " ")
    assert dropped == {"images": 1, "menus and footers": 2}


def test_a_page_with_a_heading_keeps_it_and_not_its_title(tmp_path: Path) -> None:
    page = "<title>Shop | Returns</title><header><h1>Returns</h1></header><p>30 days"
    assert read(tmp_path / "a.htm", page) == ("# Returns\n\n30 days", {})


def test_a_page_states_its_encoding(tmp_path: Path) -> None:
    page = '<meta charset="iso-8859-1"><p>für 5 €'.encode("cp1252")
    assert read(tmp_path / "a.html", page)[0] == "für 5 €"
    page = '<meta http-equiv="Content-Type" content="text/html; charset=windows-1251"><p>Где?'
    assert read(tmp_path / "a.html", page.encode("cp1251"))[0] == "Где?"


def test_a_page_that_is_nested_without_end_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BakeoffError, match=r"a\.html: elements are nested too deeply"):
        read(tmp_path / "a.html", "<div>" * 20_000)


RST = """\
.. _returns:

=========
 Returns
=========

.. comment
   over two lines

How long
--------

Goods come back within **30 days**, see :ref:`the form <form>` and
`our shop <https://shop.example>`_::

    form R-4

.. note::

   Keep the ``receipt``.

.. image:: box.png
   :alt: a box

.. code-block:: python
   :linenos:

   ask()

Where
-----

+------+------+
| form | days |
+------+------+

Each
~~~~

to the desk
"""


def test_restructured_text_has_headings_and_no_directives(tmp_path: Path) -> None:
    text, dropped = read(tmp_path / "a.rst", RST)
    assert text == (
        "# Returns\n\n## How long\n\nGoods come back within **30 days**, see the form and\n"
        "our shop:\n\n    form R-4\n\n   Keep the receipt.\n\n   ask()\n\n## Where\n\n"
        "+------+------+\n| form | days |\n+------+------+\n\n### Each\n\nto the desk"
    )
    assert dropped == {"comments": 1, "images": 1}


def test_a_pdf_is_its_pages_and_empty_ones_are_counted(tmp_path: Path) -> None:
    file = write_pdf(tmp_path / "a.pdf", ["Goods come back", "", "within 30 days"], images=2)
    assert read(file) == (
        "Goods come back\n\nwithin 30 days",
        {"images": 6, "pages without text": 1},
    )


def test_a_pdf_with_a_password_or_damage_is_refused(tmp_path: Path) -> None:
    plain = write_pdf(tmp_path / "a.pdf", ["secret"])
    writer = pypdf.PdfWriter(plain)
    writer.encrypt("key", algorithm="RC4-128")
    writer.write(tmp_path / "b.pdf")
    with pytest.raises(BakeoffError, match=r"b\.pdf: has a password; save a copy without one"):
        read(tmp_path / "b.pdf")
    writer.encrypt("", "owner", algorithm="RC4-128")
    writer.write(tmp_path / "c.pdf")
    assert read(tmp_path / "c.pdf")[0] == "secret"
    with pytest.raises(
        BakeoffError, match=r"d\.pdf: cannot be read as PDF: .*; leave the file out"
    ):
        read(tmp_path / "d.pdf", "no PDF")


def test_a_word_document_has_headings_lists_and_tables(tmp_path: Path) -> None:
    document = docx.Document()
    document.add_heading("Returns", 0)
    document.add_heading("How long", 2)
    document.add_paragraph("Goods come back within ").add_run("30 days").bold = True
    for text in ("unused", "in the box"):
        document.add_paragraph(text, "List Bullet")
    table = document.add_table(2, 2)
    for cell, text in zip(
        (c for row in table.rows for c in row.cells), ("form", "days", "R-4", "30"), strict=True
    ):
        cell.text = text
    document.add_picture(io.BytesIO(PIXEL))
    body = document.element.body
    body.insert(3, parse_xml(
        f"<w:p {W}><w:r><w:t>Within </w:t></w:r><w:ins><w:r><w:t>40</w:t></w:r></w:ins>"
        "<w:del><w:r><w:delText>30</w:delText></w:r></w:del><w:r><w:tab/><w:t>days</w:t></w:r></w:p>"
    ))  # fmt: skip
    body.insert(4, parse_xml(
        f"<w:sdt {W}><w:sdtContent><w:p><w:r><w:t>Filled in</w:t></w:r></w:p></w:sdtContent>"
        "</w:sdt>"
    ))  # fmt: skip
    document.save(str(tmp_path / "a.docx"))
    assert read(tmp_path / "a.docx") == (
        "# Returns\n\n## How long\n\nGoods come back within 30 days\n\nWithin 40\tdays\n\n"
        "Filled in\n\n- unused\n- in the box\nform | days\nR-4 | 30",
        {"images": 1},
    )


def test_a_word_document_with_a_password_or_damage_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BakeoffError, match=r"a\.docx: has a password; save a copy without one"):
        read(tmp_path / "a.docx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500))
    with pytest.raises(BakeoffError, match=r"b\.docx: cannot be read as DOCX"):
        read(tmp_path / "b.docx", "no document")


@pytest.mark.parametrize(
    ("name", "mend"),
    [("a.doc", "save it as .docx"), ("a.odt", "save it as .docx"), ("a.xls", "save it as .xlsx")],
)
def test_formats_that_are_not_read_say_what_would_work(
    name: str, mend: str, tmp_path: Path
) -> None:
    with pytest.raises(BakeoffError, match=f"{name}: .* is not read: {mend}"):
        read(tmp_path / name, b"x")
