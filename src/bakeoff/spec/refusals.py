"""What people and models write when they decline to answer, in English: a task's phrases where it
names none of its own.

Chosen so that they seldom occur in an answer: "no information" alone also begins "no information is
passed on", and whoever "did not say a word" refuses nothing. docs/scorers/README.md says how many
refusals they find, and how many answers they take for one.
"""

from __future__ import annotations

_SOURCES = (
    *("context", "passage", "passages", "provided", "text", "document", "documents", "handbook"),
    *("article", "excerpt", "report", "manual", "page", "pages", "material", "source", "sources"),
)
_TELLS = ("disclose", "explain", "indicate", "mention", "reveal", "say", "specify", "state", "tell")
_HOLDS = ("contain", "cover", "give", "include", "provide")
_FINDS = ("answer", "determine", "find", "help", "identify", "locate", "provide", "say", "tell")

_FEW = ("insufficient", "not sufficient", "not enough", "not have enough")

PHRASES: tuple[str, ...] = (
    # That it is not known, or not sure.
    *("do not know", "not know the answer", "can not know", "i am not sure", "i am unsure"),
    *("i am not certain", "i am not aware of", "i have no idea", "no idea, sorry", "no clue"),
    *("i lack", "i do not remember", "i do not recall", "i really do not"),
    *("neither confirm nor deny", "not have an answer", "good as mine", "anyone's guess"),
    *("no way to know", "no way of knowing", "hard to say", "difficult to say"),
    # That it cannot be answered.
    *("can not answer", "can not be answered", "not possible to answer", "no answer can"),
    *("no answer to", "not answerable", "unanswerable", "can not determine"),
    *("can not be determined", "not determinable", "not possible to determine"),
    *("impossible to determine", "impossible to say", "impossible to tell", "can not tell"),
    *("can not say", "not possible to say", "i can not", "i could not", "i am unable"),
    *("i am not able", "i must decline", "i decline", "i will not answer", "i would rather not"),
    *("i prefer not to", "not in a position to", "would be speculation", "i am not comfortable"),
    *("i will not be able",),
    *(f"{able} to {finds}" for able in ("unable", "not able") for finds in _FINDS),
    *("unable to confirm", "unable to verify", "not something i can", "against my guidelines"),
    *("can not help you", "can not help with that", "can not help with this", "can not assist"),
    *("can not comply", "can not provide", "can not confirm", "can not verify", "can not find"),
    *("could not find any", "could not find the answer", "could not find that"),
    *("could not find this", "can not be found in", "did not find any", "do not see any"),
    *("i do not see", "i do not find", "i found no", "i find no", "i see no", "i found nothing"),
    *("i am sorry, but", "sorry, but i", "sorry, i can", "sorry, i do", "unfortunately, i"),
    *("as an ai",),
    *("as a language model", "my knowledge", "my training data"),
    # That there is too little to go by.
    *("i do not have", "i do not possess", "not have information", "not have any information"),
    *("not have the", "not have sufficient", "not have access to"),
    *("not have details", "not have specific", "not been given that", "not been given this"),
    *("have no information", "have no knowledge", "have no data", "have no details"),
    *("not have any data", "not have data", "not have any details", "are not told", "am not told"),
    *("there is no information", "no information about", "no information on"),
    *("no information regarding", "no information in", "no information available"),
    *("no information provided", "no information is given", "no information is provided"),
    *("no information is available", "information is unavailable", "is unavailable to me"),
    *("no relevant information", "no relevant passage", "no answer in the", "no such information"),
    *("contains no information",),
    *("contain no information", "gives no information"),
    *("not enough detail", "too little information"),
    *(f"{few} {what}" for few in _FEW for what in ("information", "context", "data", "evidence")),
    *("i need more", "i would need more", "we need more"),
    *("without more information", "without more context", "without further information"),
    *("without additional information", "without additional context"),
    # That the source does not say it.
    *("not mentioned", "not specified", "not stated", "not addressed in", "not disclosed in"),
    *("not discussed", "not documented", "not indicated"),
    *(f"{do} not {tell}" for do in ("do", "does") for tell in _TELLS),
    *("never mentions", "never says", "never specifies", "never states", "left unmentioned"),
    *(f"{source} {fails} to" for source in _SOURCES for fails in ("fail", "fails")),
    *("answer is not given", "answer is not in", "left unsaid", "left unstated"),
    *("not address this", "not explicitly", "not answer this", "not answer that"),
    *("not answer the question", "not answer your", "no mention of", "no mention in"),
    *("no mention is made", "no reference to", "is silent on", "is silent about"),
    *("are silent on", "says nothing about", "say nothing about", "says nothing on"),
    *("nothing is said", "nothing about", "nothing on this", "leaves it open"),
    *("leaves that open", "leaves this open", "not provide information", "not provide any"),
    *("not provide details", "not provide enough", "not provide specific"),
    *("not provide an answer", "remains unspecified", "not contain information", "not contain any"),
    *("not contain the",),
    *("not contain an answer", "not contain enough", "not contain details", "not include any"),
    *("not include information", "not include details", "not give any", "not give information"),
    *("not give details", "not give an answer", "not give enough", "not cover this"),
    *("not cover that", "not found in", "none of the passages", "none of the documents"),
    *("none of the provided", "context does not", "passage does not", "passages do not"),
    *("unclear from", "not clear from", "outside the scope of the material"),
    *(f"{s} {do} not {holds}" for s in _SOURCES for do in ("do", "does") for holds in _HOLDS),
    *(f"not appear in the {source}" for source in _SOURCES),
    *(f"{source} {gives} no" for source in _SOURCES for gives in ("give", "gives")),
    *(f"is not in the {source}" for source in _SOURCES),
    *(f"=not in the {source}" for source in _SOURCES),
    *(f"not {g} in the {s}" for g in ("provided", "given", "available") for s in _SOURCES),
    *(f"not {part} the {s}" for part in ("covered in", "included in", "part of") for s in _SOURCES),
    *(f"nothing in the {source}" for source in _SOURCES),
    *(f"missing from the {source}" for source in _SOURCES),
    # A whole answer.
    *("=unknown", "=not known", "=unclear", "=unsure", "=not sure", "=no idea", "=idk"),
    *("=not enough info", "=can not say", "=n/a"),
    *("=not available", "=not provided", "=not given", "=not found", "=not applicable"),
    *("=no information", "=information not available", "=no answer", "=not covered", "=none given"),
    *("=no data", "=pass"),
    *("=beats me", "=no answer found", "=no information found", "=could not find it"),
)
"""Phrases of `refusal`: they count wherever they occur in an answer, those with `=` only as all of
it."""
