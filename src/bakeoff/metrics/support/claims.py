"""An answer cut into claims: sentences and list items that say something about the passages' world.

What an answer says about itself or its passages is no claim: prefaces ("Here is a summary:"),
headings, questions, source marks, sign-offs. Lead-ins ("According to passage 2,") are cut off.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from bakeoff.metrics.lexical.claims import Claim, without_citations
from bakeoff.metrics.lexical.words import Word, listed, read_words
from bakeoff.metrics.support.sentences import sentence_spans

_TEXTS = (
    r"(?:passages?|contexts?|texts?|documents?|articles?|sources?|data|excerpts?|search results"
    r"|information)"
)
_SOURCE = (
    rf"(?:{_TEXTS}|tables?|records?|stor(?:y|ies)|details|evidence|references?|results?|reviews?)"
)
_GIVEN = r"(?:provided|given|above|following|supplied|available|retrieved|attached)"
_SAYS = (
    r"(?:states?|mentions?|says?|notes?|indicates?|suggests?|explains?|shows?|describes?|tells us)"
)
_NUMBERED = r"\b(?:articles?|tables?|records?) \d"
"""What a claim may be about: an article of a law, a table."""
_LEAD = re.compile(
    r"\s*(?:[*_]{0,3}(?:(?:well|so|yes|no|sure|also)[*_]{0,3}[,:;!–—]"
    r"|(?:overall|however|additionally|furthermore|moreover|finally|lastly"
    r"|in (?:summary|conclusion|short|general|addition|fact|other words|brief)"
    r"|to (?:summarize|sum up)|in (?:a nutshell|essence|sum)|simply put|to put it simply"
    r"|to answer your question"
    r"|(?:final |short |brief |full )?"
    r"(?:answer|summary|response|overview|conclusion|tl;?dr)(?=[*_]{0,3}\s*:)"
    r"|(?:so |therefore,? |thus,? )?(?:the |my )?(?:final |correct |short )?answer"
    r" (?:is|was|would be|should be)(?: that)?"
    r"|as a result|therefore|thus|note that|please note that"
    r"|it (?:seems|appears)(?: that)?|(?:i think|i believe|did you know) that"
    r"|it (?:is|'s|should be) (?:also )?(?:important|worth|interesting|noted)(?: to note| noting"
    r"| to mention| mentioning)?(?: that)?"
    rf"|it (?:also )?{_SAYS} that"
    rf"|(?:based on|according to|as per"
    r"|as (?:stated|mentioned|described|noted|shown|seen|explained) (?:in|by)"
    r"|from what (?:i|we) (?:can )?(?:see|read|know) in"
    rf"|from|per|given|in|using) (?:the |these |this |all )?(?:{_GIVEN} )?(?:\w+ )?{_SOURCE}"
    rf"(?: (?:\d{{1,2}}|[A-Z]|{_GIVEN}))?"
    r"(?: (?:that )?you (?:have )?(?:gave|given|provided)(?: me)?)?"
    rf"(?: (?:and|&|or|,) (?:the )?(?:{_SOURCE} )?\d{{1,2}})?"
    rf"|(?:the |these |this )?(?:{_GIVEN} )?{_SOURCE}(?: \d{{1,2}})?(?: also| clearly| explicitly)?"
    rf" {_SAYS}(?: that|(?=:))"
    r")[*_]{0,3}\s*[,:]?)[*_]{0,3}\s+)+",
    re.IGNORECASE,
)
_CITED = rf"(?:{_SOURCE}|docs?\.?|refs?\.?|chunks?)"
_MARK = re.compile(
    rf"\s*[\[(](?:see |from |source:? |sources:? |ref\.? )*{_CITED}[\s#:]*\d"
    rf"(?:[\s#:,;&–-]|and|{_CITED}|\d){{0,60}}[\])]"
    r"|\s*[\[(](?:source|ref)s?:? [^\])]{0,80}[\])]"
    r"|\s*\[(?:\^|P)?\d{1,3}(?:\s*[-–,;]\s*\d{1,3})*\]"
    r"|\s*【[^】]{0,40}】|(?:(?<=[.!?,;])|(?<=[a-z]{3})|(?<=[a-z]{3} ))<sup>[^<]{0,20}</sup>"
    r"|</?(?:answer|final|response|output)>"
    r"|\s*\(\[[^\]]{1,60}\]\(https?://[^)\s]*\)\)|\s*\(https?://[^\s)]+\)",
    re.IGNORECASE,
)
_LIST_MARK = re.compile(
    r"\s*(?:[-*•–—·#>]+|(?:\*\*|__)?(?:\(?(?:\d{1,2}[.)]|[a-zA-Z]\))|Step \d{1,2}[:.])"
    "|\\d\\ufe0f?\\u20e3)\\s+"
)
_HEADING = re.compile(r"\s*(?:#{1,6}\s.*|[-=*_]{3,})\s*")
_BOLD = re.compile(r"\s*(?:\*\*[^*]+\*\*:?|__[^_]+__:?)\s*")
_SOURCES = re.compile(
    r"[\s#*_]*(?:sources?|references?|citations?|works cited)[*_]*\s*:?[*_]*\s*", re.IGNORECASE
)
_ENDED = re.compile(r"[.!?][*_\"')\]]*\s*$")
_THOUGHTS = re.compile(r"<(think|thinking|reasoning)>.*?</\1>", re.DOTALL | re.IGNORECASE)
_OPENING = re.compile(
    r"\s*(?:sure|certainly|of course|absolutely|okay|ok|great|thank|thanks|hello|hi|happy to"
    r"|glad to|hope|feel free|anything else|please"
    r"|here(?:'s|’s| is| are)|below (?:is|are)|the following"
    r"|this is (?:a|an|the) (?:\w+ )?(?:summary|answer)"
    r"|let me|i'd be|i would be|i'm happy|i can help|as an ai|as a language)\b",
    re.IGNORECASE,
)
_PERSON = re.compile(r"\b(?:i|me|my|we|us|you|your)\b", re.IGNORECASE)
_DENIES = r"(?:do|does|did)(?: not|n't|n’t)(?: \w+){0,2}"
_ABOUT_SOURCES = re.compile(
    rf"\b(?:{_TEXTS}|{_GIVEN} {_SOURCE})\b[^.]{{0,40}}?\b{_DENIES}"
    r" (?:mention|provide"
    r"|contain|specify|say|state|include|give|discuss|describe|explain|address|offer|indicate)"
    rf"|\b{_SOURCE}\b[^.]{{0,40}}?\b{_DENIES}"
    r" (?:mention|specify|discuss|describe|explain|indicate|(?:say|state) (?:whether|if|how|wh\w+))"
    rf"|\b{_SOURCE} (?:do|does)(?: not|n't|n’t) (?:say|state|give|provide)"
    r"|\bno (?:\w+ )?mention (?:is made )?of\b"
    rf"|\bno (?:\w+ )?(?:information|details?)\b[^.]*\b(?:in|from|by) (?:the |these |this )?"
    rf"(?:{_GIVEN} )?{_SOURCE}"
    rf"|\bnot (?:\w+ )?(?:mentioned|specified|provided|stated|discussed|given) (?:\w+ )?"
    rf"(?:in|by) (?:the |these |this )?(?:{_GIVEN} )?{_SOURCE}",
    re.IGNORECASE,
)
_TOLD_ASKING = re.compile(
    r"\b(?:did|do) (?:you|ya|u) know\b|\bright\?|n't \w+\?|\bis(?:n't)? it (?:not )?true that"
    r"|\bwho (?:knew|would have thought)\b",
    re.IGNORECASE,
)
"""Questions that tell something."""
_TURN = re.compile(
    r"(?:[,;]\s+|\s+)but\s+|[,;]\s+(?:however|though|although|while|yet),?\s+", re.IGNORECASE
)
_ADVISED = re.compile(r"\byou (?:can|could|may|might|should)\b", re.IGNORECASE)
_CONCEDED = re.compile(r"\s*(?:even )?(?:though|although|while)\s[^,]*,\s+", re.IGNORECASE)
FEWEST = 2
"""Content words of a clause that says something by itself."""


def _stems(words: str) -> frozenset[str]:
    return frozenset([read.key for word in listed(words) for read in read_words(word)[0]])


_TALK = _stems(
    """
    answer answers question questions summary summaries summarize summarized overview summarization
    passage passages context text texts document documents article information info sentence
    sentences paragraph paragraphs response requested request words word
    """
)
_COUNTED = _stems("word sentence paragraph line point bullet passage source document text page")
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
    if "<" in answer:
        answer = _THOUGHTS.sub(lambda m: "\n" * len(m[0]), answer)
    spans = list(sentence_spans(answer))
    kept: list[Claim] = []
    aside: list[Claim] = []
    listing = False
    for place, (start, end) in enumerate(spans):
        edge = place < 2 or place >= len(spans) - 2
        more = place + 1 < len(spans)
        if kept and more and _SOURCES.fullmatch(answer, start, end):
            listing = True
            continue
        if listing := listing and _names_source(answer[start:end]):
            continue
        if more and _is_header(answer[start:end], answer[slice(*spans[place + 1])]):
            continue
        if _is_heading(answer[start:end]) and (more or (kept and _is_short(answer[start:end]))):
            continue
        if not (claim := _claim(answer, start, end, edge, more)):
            continue
        if claim.text.endswith("?") and not _TOLD_ASKING.search(answer, start, end):
            aside.append(claim)
        elif not _ABOUT_SOURCES.search(claim.text):
            kept.append(claim)
        elif told := list(_told_beside(claim)):
            kept += told
        else:
            aside.append(claim)
    return tuple(kept or aside)


def _is_header(line: str, following: str) -> bool:
    """Whether a line names the columns of a Markdown table."""
    below = following.strip()
    return line.lstrip().startswith("|") and below.startswith("|") and set(below) <= set("|-: ")


def _told_beside(claim: Claim) -> Iterator[Claim]:
    """The clauses of a claim beside one that says what the passages do not hold."""
    conceded = _CONCEDED.match(claim.text)
    cuts = [(conceded.end(), conceded.end())] if conceded else []
    cuts += [match.span() for match in _TURN.finditer(claim.text)]
    starts = [0, *(end for _, end in cuts)]
    ends = [*(start for start, _ in cuts), len(claim.text)]
    for start, end in zip(starts, ends, strict=True):
        text = claim.text[start:end]
        lead = _LEAD.match(text)
        skipped = lead.end() if lead else 0
        words = [word for word in read_words(bare(text[skipped:]))[0] if word.content]
        aside = _ABOUT_SOURCES.search(text) or _ADVISED.search(text)
        if len(words) >= FEWEST and not aside:
            first = claim.start + start + skipped
            yield Claim(text[skipped:], first, claim.start + end)


def _claim(answer: str, start: int, end: int, edge: bool, more: bool) -> Claim | None:
    if _HEADING.fullmatch(answer, start, end):
        return None
    mark = _LIST_MARK.match(answer, start, end)
    start = mark.end() if mark else start
    lead = _LEAD.match(answer, start, end)
    if lead and lead.end() < end and not re.search(_NUMBERED, lead[0], re.IGNORECASE):
        start = lead.end()
    text = answer[start:end].strip()
    plain = bare(text)
    if more and text.rstrip("*_").endswith((":", "：")):
        return None
    words = [word for word in read_words(plain)[0] if word.content]
    if not words or _is_talk(plain, words, edge):
        return None
    start = answer.index(text, start)
    return Claim(text, start, start + len(text))


def _is_heading(line: str) -> bool:
    bold = _BOLD.fullmatch(line) and not line.strip("*_ \n").endswith((".", "!", "?"))
    return bool(bold or _HEADING.fullmatch(line))


def _names_source(line: str) -> bool:
    """Whether a line of a list of sources names one: by a link, a number or a title."""
    if "://" in line or re.fullmatch(rf"\W*(?:{_CITED}\s*)?\d*\W*", line, re.IGNORECASE):
        return True
    words = [word for word in read_words(line)[0] if word.content]
    titled = sum(word.capital or word.number for word in words) >= 0.75 * len(words)
    return titled and not _ENDED.search(line) and not _is_heading(line)


def _is_short(line: str) -> bool:
    return len(line.split()) <= 3 and not any(sign.isdigit() for sign in line)


def bare(text: str) -> str:
    """The text without source marks: what a sentence cites is nothing that it states."""
    marked = any(sign in text for sign in "[(<【")
    return _MARK.sub("", without_citations(text)) if marked else text


def _is_talk(text: str, words: list[Word], edge: bool) -> bool:
    """Whether a sentence is about the answer itself; first and last ones are more easily so."""
    own = sum(word.key in _ASIDE for word in words)
    told = any(word.key in _TALK for word in words)
    opening = bool(_OPENING.match(text))
    if own == len(words):
        return told or (edge and (opening or bool(_PERSON.search(text))))
    if not edge:
        return False
    if told:
        # "in 42 words", "passage 1"
        near = zip(words, [*words[1:], words[0]], [words[-1], *words[:-1]], strict=True)
        own += sum(w.number and bool({b.key, a.key} & _COUNTED) for w, b, a in near)
        if own == len(words):
            return True
    if opening:
        return own >= 0.5 * len(words) or text.endswith(":")
    return told and own >= 0.75 * len(words)
