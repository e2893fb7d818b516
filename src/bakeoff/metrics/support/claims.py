"""An answer cut into claims: sentences and list items that say something about the passages' world.

What an answer says about itself or its passages is no claim: prefaces ("Here is a summary:"),
headings, questions, source marks, sign-offs. Lead-ins ("According to passage 2,") are cut off.
"""

from __future__ import annotations

import re
from functools import lru_cache

from bakeoff.metrics.lexical.claims import Claim, sentence_spans, without_citations
from bakeoff.metrics.lexical.words import Word, listed, read_words

_SOURCE = (
    r"(?:passages?|contexts?|texts?|documents?|articles?|sources?|data|tables?|records?|stor(?:y|ies)"
    r"|excerpts?|information|details|evidence|references?|results?|reviews?|search results)"
)
_GIVEN = r"(?:provided|given|above|following|supplied|available|retrieved|attached)"
_LEAD = re.compile(
    r"\s*(?:(?:well|so|yes|no|sure|overall|however|additionally|furthermore|moreover|finally|lastly"
    r"|in (?:summary|conclusion|short|general|addition|fact|other words|brief)"
    r"|to (?:summarize|sum up)|in (?:a nutshell|essence|sum)|simply put|to put it simply"
    r"|to answer your question"
    r"|(?:final |short |brief |full )?"
    r"(?:answer|summary|response|overview|conclusion|tl;?dr)(?=\s*:)"
    r"|as a result|therefore|thus|also|note that|please note that"
    r"|it (?:is|'s|should be) (?:also )?(?:important|worth|interesting|noted)(?: to note| noting"
    r"| to mention| mentioning)?(?: that)?"
    rf"|(?:based on|according to"
    r"|as (?:stated|mentioned|described|noted|shown|seen|explained) (?:in|by)"
    rf"|from|per|given|in|using) (?:the |these |this |all )?(?:{_GIVEN} )?(?:\w+ )?{_SOURCE}"
    rf"(?: (?:\d{{1,2}}|[A-Z]|{_GIVEN}))?"
    rf"(?: (?:and|&|or|,) (?:the )?(?:{_SOURCE} )?\d{{1,2}})?"
    rf"|(?:the |these |this )?(?:{_GIVEN} )?{_SOURCE}(?: \d{{1,2}})?(?: also)?"
    r" (?:states?|mentions?|says?|notes?|indicates?|suggests?|explains?|shows?|describes?)(?: that)"
    r")\s*[,:]?\s+)+",
    re.IGNORECASE,
)
_MARK = re.compile(
    rf"\s*[\[(](?:see |from |source:? |sources:? |ref\.? )*(?:{_SOURCE})[\s#:]*\d[\d\s,;&and]*[\])]"
    r"|\s*[\[(](?:source|ref)s?:? [^\])]{0,80}[\])]",
    re.IGNORECASE,
)
_LIST_MARK = re.compile(r"\s*(?:[-*•–—·#>]+|\(?(?:\d{1,2}[.)]|[a-zA-Z]\)))\s+")
_HEADING = re.compile(r"\s*(?:#{1,6}\s.*|\*\*[^*]+\*\*:?|__[^_]+__:?|[-=*_]{3,})\s*")
_OPENING = re.compile(
    r"\s*(?:sure|certainly|of course|absolutely|okay|ok|great|thank|thanks|hello|hi|happy to"
    r"|here(?:'s|’s| is| are)|below (?:is|are)|the following"
    r"|this is (?:a|an|the) (?:\w+ )?(?:summary|answer)"
    r"|let me|i'd be|i would be|i'm happy|i can help|as an ai|as a language)\b",
    re.IGNORECASE,
)
_ABOUT_SOURCES = re.compile(
    rf"\b{_SOURCE}\b[^.]{{0,40}}?\b(?:do|does|did)(?: not|n't|n’t)(?: \w+){{0,2}}"
    r" (?:mention|provide"
    r"|contain|specify|say|state|include|give|discuss|describe|explain|address|offer|indicate)"
    r"|\bno (?:\w+ )?mention (?:is made )?of\b"
    rf"|\bno (?:\w+ )?(?:information|details?)\b[^.]*\b(?:in|from|by) (?:the |these |this )?"
    rf"(?:{_GIVEN} )?{_SOURCE}"
    rf"|\bnot (?:\w+ )?(?:mentioned|specified|provided|stated|discussed|given) (?:\w+ )?"
    rf"(?:in|by) (?:the |these |this )?(?:{_GIVEN} )?{_SOURCE}",
    re.IGNORECASE,
)


def _stems(words: str) -> frozenset[str]:
    return frozenset([read.key for word in listed(words) for read in read_words(word)[0]])


_TALK = _stems(
    """
    answer answers question questions summary summaries summarize summarized overview summarization
    passage passages context text texts document documents article information info sentence
    sentences paragraph paragraphs response requested request words word
    """
)
_ASIDE = _TALK | _stems(
    """
    asked ask provided provide given based following follow sure certainly course absolutely happy
    glad help helps helpful hope let know feel free please thank thanks welcome anything else need
    assistance assist further more details detail brief short concise reply write written describe
    description explain explanation generated create created data list steps great good best
    excellent interesting note conclusion key points main available source sources clarification
    clarify nice like would want understand consult review here there
    """
)


@lru_cache(maxsize=256)
def claims(answer: str) -> tuple[Claim, ...]:
    """The sentences and list items of an answer that say something that can be looked up.

    An answer of nothing but talk about itself has none; one that only says what its passages
    do not hold keeps that as its claim.
    """
    spans = list(sentence_spans(answer))
    kept: list[Claim] = []
    aside: list[Claim] = []
    for place, (start, end) in enumerate(spans):
        edge = place < 2 or place >= len(spans) - 2
        claim = _claim(answer, start, end, edge, place + 1 < len(spans))
        if claim:
            (aside if _ABOUT_SOURCES.search(claim.text) else kept).append(claim)
    return tuple(kept or aside)


def _claim(answer: str, start: int, end: int, edge: bool, more: bool) -> Claim | None:
    sentence = answer[start:end]
    if _HEADING.fullmatch(sentence):
        return None
    mark = _LIST_MARK.match(answer, start, end)
    start = mark.end() if mark else start
    lead = _LEAD.match(answer, start, end)
    if lead and lead.end() < end:
        start = lead.end()
    text = answer[start:end].strip()
    plain = bare(text)
    if more and text.endswith((":", "：")):
        return None
    words = [word for word in read_words(plain)[0] if word.content]
    if not words or _is_talk(plain, words, edge):
        return None
    start = answer.index(text, start)
    return Claim(text, start, start + len(text))


def bare(text: str) -> str:
    """The text without source marks: what a sentence cites is nothing that it states."""
    return _MARK.sub("", without_citations(text)) if "[" in text or "(" in text else text


def _is_talk(text: str, words: list[Word], edge: bool) -> bool:
    """Whether a sentence is about the answer itself; first and last ones are more easily so."""
    own = sum(word.key in _ASIDE for word in words)
    told = any(word.key in _TALK for word in words)
    if own == len(words):
        return told or edge
    if not edge:
        return False
    if told:
        # "in 42 words"
        own += sum(word.number for word in words)
    if _OPENING.match(text):
        return own >= 0.5 * len(words) or text.endswith(":")
    return told and own >= 0.75 * len(words)
