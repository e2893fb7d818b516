"""Words as they are compared: without case, accents and endings; numbers and dates as such."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from bakeoff.core.scripts import UNSPACED


def listed(words: str) -> list[str]:
    return words.split()


_ARTICLES = frozenset(["a", "an", "the", "s"])


_FUNCTION_WORDS = _ARTICLES | frozenset(
    listed(
        """
        about above after again against ah all also although am among an and any are as at be
        because been before being below between both but by can could d did do does doing done
        down during each either else etc ever for from further had has have having he her here
        hers herself him himself his how however i if in into is it its itself just ll m may me
        might more most must my myself of off oh ok okay on once one only or other our ours out
        over own per quite rather re really same shall she should since so some such than that
        their theirs them themselves then there these they this those though through thus to too
        under until up upon us ve very was we were what when where whether which while who whom
        whose why will with within would yes you your yours yourself
        """
    )
)


_NEGATORS = frozenset(listed("not no never neither nor none nobody nothing nowhere without cannot"))


_MARKS = frozenset(",;:()")


_BREAKS = _MARKS | frozenset(listed("but and or because although while whereas"))


# "not only", "no, he", "not that": nothing that follows is denied.
_UNNEGATED = frozenset(listed("only just merely that he she it they we i you there this these"))


_SKIPPED = _ARTICLES | _MARKS


_NUMBER_WORDS = {
    word: str(value)
    for value, words in enumerate(
        listed(
            """
            zero one/first two/second three/third four/fourth five/fifth six/sixth seven/seventh
            eight/eighth nine/ninth ten/tenth eleven/eleventh twelve/twelfth thirteen/thirteenth
            fourteen/fourteenth fifteen/fifteenth sixteen/sixteenth seventeen/seventeenth
            eighteen/eighteenth nineteen/nineteenth twenty/twentieth
            """
        )
    )
    for word in words.split("/")
} | {
    word: str(10 * tens)
    for tens, word in enumerate(listed("thirty forty fifty sixty seventy eighty ninety"), 3)
}


# "one", "first" and "second" mostly count nothing.
_LOOSE_NUMBER_WORDS = frozenset(["one", "first", "second"])


_MONTHS = listed(
    "january february march april may june july august september october november december"
)


_SHORT_MONTHS = {m[:3]: m for m in _MONTHS if m not in ("march", "may")} | {"sept": "september"}


_SIGNS = {"%": "percent", "$": "dollar", "€": "euro", "£": "pound", "¥": "yen"}


_OPPOSITES = listed(
    """
    above/below accept/reject add/remove agree/disagree alive/dead all/none allow/forbid
    allow/prohibit always/never ancient/modern arrive/leave ascend/descend attack/defend begin/end
    before/after best/worst big/small brother/sister buy/sell cheap/expensive clean/dirty
    close/open cold/hot create/destroy day/night decline/grow decrease/increase deep/shallow
    deny/admit deny/confirm difficult/easy distant/near down/up dry/wet early/late east/west
    eastern/western enter/exit even/odd expand/shrink export/import external/internal fail/succeed
    fall/rise false/true fast/slow father/mother female/male few/many final/initial first/last
    former/latter forward/backward full/empty gain/lose guilty/innocent hard/soft heavy/light
    high/low higher/lower highest/lowest horizontal/vertical husband/wife include/exclude
    inner/outer inside/outside king/queen large/small larger/smaller largest/smallest least/most
    left/right less/more long/short longer/shorter longest/shortest loss/profit lost/won
    major/minor majority/minority man/woman maximum/least maximum/minimum minimum/most
    negative/positive new/old north/south northern/southern old/young older/younger
    oldest/youngest over/under parent/child private/public rich/poor safe/dangerous son/daughter
    start/stop strong/weak stronger/weaker thick/thin top/bottom upper/lower victory/defeat
    wide/narrow win/lose with/without
    """
)


OPPOSING_PREFIXES = ("un", "in", "im", "ir", "il", "dis", "non")


_IRREGULAR = {
    past: present
    for present, pasts in (
        line.split(":")
        for line in listed(
            """
            become:became begin:began,begun break:broke,broken bring:brought build:built
            buy:bought catch:caught child:children choose:chose,chosen come:came die:died,dying
            draw:drew,drawn drive:drove,driven eat:ate,eaten fall:fell,fallen feel:felt
            fight:fought find:found fly:flew,flown foot:feet forget:forgot,forgotten
            get:got,gotten give:gave,given go:went,gone grow:grew,grown hear:heard hold:held
            keep:kept know:knew,known lead:led leave:left lend:lent lie:lay,lain,lying life:lives
            lose:lost make:made man:men mean:meant meet:met mouse:mice pay:paid person:people
            rise:rose,risen run:ran say:said see:saw,seen sell:sold send:sent shoot:shot
            show:shown sing:sang,sung sink:sank,sunk sit:sat speak:spoke,spoken spend:spent
            stand:stood steal:stole,stolen strike:struck swim:swam,swum take:took,taken
            teach:taught tell:told think:thought throw:threw,thrown tooth:teeth
            understand:understood wear:wore,worn win:won woman:women write:wrote,written
            """
        )
    )
    for past in pasts.split(",")
}


_ISO_DATE = re.compile(r"\b(\d{4})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])\b")


# Scripts written without spaces are read sign by sign.
_TOKEN = re.compile(
    rf"\d+(?:[.,:]\d+)*|[{UNSPACED}]|[^\W\d_{UNSPACED}]*n't\b|[^\W\d_{UNSPACED}]+|[%$€£¥]|[,;:()]"
)


@dataclass(frozen=True, slots=True)
class Word:
    """One word or number as it is compared: its stem, and what kind of word it is."""

    text: str
    key: str
    content: bool
    number: bool
    date: bool
    negator: bool
    capital: bool


# A claim is read where claims are cut and again for each set of passages it is laid beside.
@lru_cache(maxsize=512)
def read_words(text: str) -> tuple[tuple[Word, ...], frozenset[int]]:
    """The words of a text without articles, and the places of those that are negated.

    A negator reaches the two content words after it, and no farther than its clause.
    """
    plain = unicodedata.normalize("NFKC", text).replace("’", "'")
    if "-" in plain:
        plain = _ISO_DATE.sub(_spelled_date, plain)
    words: list[Word] = []
    negated: list[int] = []
    reach = 0
    for token in _TOKEN.findall(plain):
        word = _word(token)
        if word.key in _BREAKS or (reach == 2 and words[-1].negator and word.key in _UNNEGATED):
            reach = 0
        if word.key in _SKIPPED:
            continue
        if word.content and reach:
            negated.append(len(words))
            reach -= 1
        if word.negator:
            reach = 2
        words.append(word)
    return tuple(words), frozenset(negated)


def _spelled_date(match: re.Match[str]) -> str:
    year, month, day = match.groups()
    return f"{int(day)} {_MONTHS[int(month) - 1]} {year}"


@lru_cache(maxsize=1 << 17)
def _word(token: str) -> Word:
    if token[0].isdigit():
        key = _plain_number(token)
        year = len(key) == 4 and key.isdigit() and "1000" <= key <= "2100"
        return Word(token, key, True, True, year, False, False)
    if token in _MARKS:
        return Word(token, token, False, False, False, False, False)
    low = token.lower()
    capital = token[0].isupper() and token != "I"
    if low in _SIGNS:
        return Word(token, _SIGNS[low], True, False, False, False, False)
    if low in _NEGATORS or low.endswith("n't"):
        key = "not" if low.endswith("n't") or low == "cannot" else low
        return Word(token, key, False, False, False, True, False)
    if low in _NUMBER_WORDS:
        counts = low not in _LOOSE_NUMBER_WORDS
        return Word(token, _NUMBER_WORDS[low], low != "one", counts, False, False, capital)
    low = _SHORT_MONTHS.get(low, low) if capital else low
    if low in _FUNCTION_WORDS and not (capital and low == "may"):
        return Word(token, low, False, False, False, False, capital)
    if len(low) == 1 and low.isascii():
        return Word(token, low, False, False, False, False, False)
    month = low in _MONTHS and (capital or low not in ("march", "may"))
    return Word(token, _stem(low), True, False, month, False, capital)


def _plain_number(token: str) -> str:
    if re.fullmatch(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?", token):
        token = token.replace(",", "")
    token = token.lstrip("0") or "0"
    token = token.rstrip("0").rstrip(".") if "." in token else token
    return f"0{token}" if token[:1] in ("", ".") else token


@lru_cache(maxsize=1 << 17)
def _stem(word: str) -> str:
    """A light English stem without accents: plurals, -ed, -ing, -ly fall off long words."""
    bare = unicodedata.normalize("NFKD", word)
    word = "".join(c for c in bare if not unicodedata.combining(c)) if bare != word else word
    word = _IRREGULAR.get(word, word)
    if len(word) < 4 or not word.isascii():
        return word
    if word.endswith("ies") and len(word) > 4:
        word = word[:-3] + "y"
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    for suffix, shortest in (("ing", 6), ("ed", 5), ("ly", 6)):
        if word.endswith(suffix) and len(word) >= shortest:
            word = word[: -len(suffix)]
            if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "lsz":
                word = word[:-1]
            break
    if word.endswith("i"):
        return word[:-1] + "y"
    return word[:-1] if word.endswith("e") and len(word) > 3 else word


def _opposites() -> Mapping[str, frozenset[str]]:
    table: dict[str, set[str]] = defaultdict(set)
    for pair in _OPPOSITES:
        one, other = (_word(word).key for word in pair.split("/"))
        table[one].add(other)
        table[other].add(one)
    return {key: frozenset(values) for key, values in table.items()}


OPPOSITE = _opposites()
