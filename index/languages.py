"""Languages: which one a text is in, and how its words are stemmed."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Sequence
from functools import cache
from threading import Lock
from typing import Any

import snowballstemmer

ENGLISH = "en"
LEAST = 60  # letters of a text whose language is told
SAMPLE = 4000  # characters that are looked at
CANDIDATES = 8  # languages among which that of a question is told
SURE = 0.9  # of the identifier's probability

# Scripts whose words stand side by side: they are searched by pairs of characters.
UNSPACED = (
    "\u1100-\u11ff\u3005\u3007\u3040-\u30fa\u30fc-\u30ff\u3130-\u318f\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
    "\u0e00-\u0e7f\u0e80-\u0eff\u1780-\u17ff"  # Thai, Lao and Khmer too
)
_UNSPACED = re.compile(f"[{UNSPACED}]")

_EASTERN = (
    "\u3040-\u30fa\u30fc-\u30ff",
    "\u1100-\u11ff\uac00-\ud7af",
    "\u3400-\u4dbf\u4e00-\u9fff",
)

_STEMMERS = {  # of Snowball, by the code of the language
    "ar": "arabic", "ca": "catalan", "cs": "czech", "da": "danish", "de": "german", "el": "greek",
    "es": "spanish", "et": "estonian", "eu": "basque", "fa": "persian", "fi": "finnish",
    "fr": "french", "ga": "irish", "hi": "hindi", "hu": "hungarian", "hy": "armenian",
    "id": "indonesian", "it": "italian", "lt": "lithuanian", "nb": "norwegian", "ne": "nepali",
    "nl": "dutch", "nn": "norwegian", "no": "norwegian", "pl": "polish", "pt": "portuguese",
    "ro": "romanian", "ru": "russian", "sr": "serbian", "sv": "swedish", "ta": "tamil",
    "tr": "turkish", "yi": "yiddish",
}  # fmt: skip
_SCRIPTS = {  # a script that tells the language well enough, whatever the document is in
    "ARABIC": "ar", "DEVANAGARI": "hi", "GREEK": "el", "ARMENIAN": "hy", "TAMIL": "ta",
    "HEBREW": "he", "CYRILLIC": "ru",
}  # fmt: skip
_SHARED = {  # languages that are written in such a script too
    "ARABIC": {"fa", "ur", "ps", "ku", "ug"},
    "DEVANAGARI": {"ne", "mr"},
    "CYRILLIC": {"sr", "bg", "uk", "be", "mk", "kk", "ky", "mn"},
    "HEBREW": {"yi"},
}


# Words that carry no meaning alone, for languages of which Whoosh has no list.
STOP = {
    "ar": frozenset(
        """في من على إلى الى عن مع هو هي هذا هذه ذلك تلك التي الذي الذين ما ماذا متى أين اين
        كيف لماذا هل كم أي اي أن ان إن كان كانت يكون تكون قد لقد كما أو او ثم بعد قبل عند بين
        حتى لا لم لن ليس منذ كل بعض غير حيث إذا اذا لكن و ف ب ل به بها فيه فيها منه منها عليه
        عليها له لها هم""".split()
    ),
    "hi": frozenset(
        """का की के को में से पर ने और है हैं था थी थे हो होता होती होते हुआ हुई हुए यह वह ये वे इस
        उस इन उन एक कि जो तो भी ही क्या कौन कब कहाँ कहां कैसे क्यों किस किसने किसे कितना कितने
        कितनी लिए गया गई गए कर करना करने किया जा जाता जाती जाते साथ तक द्वारा अपने या एवं तथा
        रहा रही रहे""".split()
    ),
}


def _combining() -> str:
    """All combining marks, as the inside of a character class."""
    marks = [c for c in range(0x300, sys.maxunicode) if unicodedata.category(chr(c))[0] == "M"]
    ranges: list[list[int]] = []
    for mark in marks:
        if ranges and ranges[-1][1] == mark - 1:
            ranges[-1][1] = mark
        else:
            ranges.append([mark, mark])
    return "".join(f"{chr(a)}-{chr(b)}" for a, b in ranges)


MARKS = _combining()


def code(language: str | None) -> str:
    """The language of a code with regions and scripts: ``en-GB`` is ``en``; unknown is English."""
    return (language or ENGLISH).lower().replace("_", "-").partition("-")[0]


def of_word(word: str, language: str) -> str:
    """The language by which a word is stemmed: that of its script, where this tells one."""
    if word.isascii():
        return language
    first = next((c for c in word if c.isalpha()), "")
    script = unicodedata.name(first, "").partition(" ")[0] if first else ""
    if script not in _SCRIPTS or language in _SHARED.get(script, ()):
        return language
    return _SCRIPTS[script]


def unspaced(word: str) -> bool:
    """Whether a run of characters is of a script without spaces between words."""
    return _UNSPACED.match(word) is not None


def stem(word: str, language: str) -> str:
    """The stem of a word in lower case; the word itself where no stemmer knows the language."""
    stemmer = _stemmer(language)
    return stemmer.stemWord(word) if stemmer else word


@cache
def _stemmer(language: str) -> Any:
    name = _STEMMERS.get(language)
    return snowballstemmer.stemmer(name) if name else None


_LOCK = Lock()  # the identifier counts in a buffer of its own


def detect(text: str, stated: str | None = None) -> str | None:
    """The language of a text, as a code of two letters; the one ``stated`` where it can't be told.

    What programs state is often only the language of the program.
    """
    sample = text[:SAMPLE]
    if east := _eastern(sample):
        return east
    if sum(map(str.isalpha, sample)) < LEAST:
        return stated
    with _LOCK:
        found, likely = _identifier().classify(sample)
    if likely < SURE or found == code(stated if stated else ""):
        return stated or (found if likely >= SURE else None)
    return str(found)


def _eastern(sample: str) -> str | None:
    """Chinese, Japanese and Korean are told by their letters better than by statistics."""
    letters = sum(map(str.isalpha, sample))
    kana, hangul, han = (len(re.findall(f"[{script}]", sample)) for script in _EASTERN)
    if 2 * (kana + hangul + han) <= letters or not letters:
        return None
    return "ko" if hangul > han else "ja" if 10 * kana > han else "zh"


def among(text: str, languages: Sequence[str]) -> str:
    """Which of some languages a question is sooner in; they are in the order of their weight."""
    languages = languages[:CANDIDATES]
    if len(languages) < 2:
        return next(iter(languages), ENGLISH)
    with _LOCK:
        ranked = dict(_identifier().rank(text))
    return max(languages, key=lambda language: ranked.get(language, 0.0))


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
