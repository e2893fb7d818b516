"""What people and models write when they decline to answer, in English: a task's phrases where it
names none of its own.

Chosen so that they seldom stand in an answer: "no information" alone also begins "no information is
passed on". docs/scorers/README.md says how many refusals they find, and how many answers they take
for one.
"""

from __future__ import annotations

_SOURCES = (
    "context",
    "passage",
    "passages",
    "provided",
    "text",
    "document",
    "documents",
    "handbook",
)

PHRASES: tuple[str, ...] = (
    # That it is not known, or not sure.
    *("do not know", "not know the answer", "can not know", "i am not sure", "i am unsure"),
    *(
        "i am not certain",
        "i am not aware of",
        "i have no idea",
        "no clue",
        "i lack",
        "neither confirm nor deny",
        "not have an answer",
    ),
    *("no way to know", "no way of knowing", "hard to say", "difficult to say", "anyone's guess"),
    # That it cannot be answered.
    *("can not answer", "unable to answer", "not able to answer", "can not be answered"),
    *("no answer to", "not answerable", "unanswerable", "not possible to answer", "no answer can"),
    *("can not determine", "unable to determine", "can not be determined", "not determinable"),
    *("not possible to determine", "impossible to determine", "impossible to say"),
    *("impossible to tell", "can not tell", "can not say", "unable to say", "not possible to say"),
    *("i can not", "i could not", "i am unable", "i am not able", "i must decline", "i decline"),
    *("i would rather not", "i prefer not to", "i am not comfortable", "i will not be able"),
    *(
        "can not help with",
        "unable to help",
        "not able to help",
        "can not assist",
        "can not comply",
    ),
    *("can not confirm", "unable to confirm", "can not verify", "unable to verify"),
    *("unable to provide", "not able to provide", "unable to find", "not able to find"),
    *(
        "can not find",
        "could not find",
        "can not be found in",
        "did not find any",
        "do not see any",
    ),
    *("i do not see", "i do not find", "i found no", "i find no", "i see no", "found nothing"),
    *("i am sorry, but", "sorry, but i", "sorry, i", "unfortunately, i", "as an ai"),
    *("as a language model", "my knowledge", "my training data"),
    # That there is too little to go by.
    *("not have information", "not have any information", "not have enough", "not have the"),
    *("not have sufficient", "not have access to", "not have details", "not have specific"),
    *(
        "not been given that",
        "not been given this",
        "have no information",
        "have no knowledge",
        "have no data",
        "have no details",
    ),
    *("there is no information", "no information about", "no information on"),
    *("no information regarding", "no information in", "no information available"),
    *("no information provided", "no information is given", "no information is provided"),
    *("no information is available", "no relevant information", "no such information"),
    *("contains no information", "contain no information", "gives no information"),
    *("not enough information", "not enough context", "not enough data", "not enough detail"),
    *(
        "insufficient information",
        "insufficient context",
        "insufficient data",
        "too little information",
    ),
    *("insufficient evidence", "need more information", "need more context", "need more detail"),
    *("without more information", "without more context", "without further information"),
    *("without additional information", "without additional context"),
    # That the source does not say it.
    *("not mentioned", "not specified", "not stated", "not addressed in", "not disclosed in"),
    *("not discussed", "not documented", "not indicated", "not specify", "not mention"),
    *(
        "not say",
        "does not state",
        "do not state",
        "not indicate",
        "not address this",
        "does not disclose",
        "not reveal",
    ),
    *(
        "not explicitly",
        "not answer this",
        "not answer that",
        "not answer the question",
        "not answer your",
        "not tell us",
        "not tell me",
        "no mention of",
        "no mention in",
    ),
    *(
        "is silent on",
        "is silent about",
        "are silent on",
        "says nothing about",
        "say nothing about",
        "says nothing on",
    ),
    *("nothing is said", "nothing about", "nothing on this", "not provide information"),
    *("not provide any", "not provide details", "not provide enough", "not provide specific"),
    *("not provide an answer", "not contain information", "not contain any", "not contain the"),
    *("not contain an answer", "not contain enough", "not contain details", "not include any"),
    *("not include information", "not include details", "not give any", "not give information"),
    *("not give details", "not give an answer", "not give enough", "not cover this"),
    *("not cover that", "not found in", "none of the passages", "none of the documents"),
    *("none of the provided", "context does not", "passage does not", "passages do not"),
    *("unclear from", "not clear from", "no mention is made", "outside the scope of the material"),
    *(f"is not in the {source}" for source in _SOURCES),
    *(f"=not in the {source}" for source in _SOURCES),
    *(f"not {g} in the {s}" for g in ("provided", "given", "available") for s in _SOURCES),
    *(f"not {part} the {s}" for part in ("covered in", "included in", "part of") for s in _SOURCES),
    *(f"nothing in the {source}" for source in _SOURCES),
    # A whole answer.
    *("=unknown", "=not known", "=unclear", "=unsure", "=not sure", "=no idea", "=idk", "=n/a"),
    *("=not available", "=not provided", "=not given", "=not found", "=not applicable"),
    *("=no information", "=no answer", "=not covered", "=none given", "=no data", "=pass"),
)
"""Phrases of `refusal`: they count wherever they stand in an answer, those with `=` only as all of
it."""
