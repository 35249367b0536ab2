"""Frozen: what finds a text as it was when 0005_product_terms was written. See `core.words`."""

from __future__ import annotations

import unicodedata

import regex
from anyascii import anyascii

MAX_TERM_LENGTH = 64
MAX_INDEXED_LENGTH = 256  # of one text, folded; some characters are many when folded
# Stands where something invisible stood: a soft hyphen, a joiner, a byte order mark. A word can begin after it.
HIDDEN = "\u200b"

# Scripts that put no space between words, and Korean, in which one is often left out: a word can begin at each
# character.
UNSPACED = r"\p{Han}\p{scx=Hiragana}\p{scx=Katakana}\p{Bopomofo}\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
# The other scripts in everyday use (Unicode Standard Annex 31, table 5).
SPACED = [
    *(
        r"\p{Arabic}",
        r"\p{Armenian}",
        r"\p{Bengali}",
        r"\p{Cyrillic}",
        r"\p{Devanagari}",
        r"\p{Ethiopic}",
        r"\p{Georgian}",
    ),
    *(r"\p{Greek}", r"\p{Gujarati}", r"\p{Gurmukhi}", r"\p{Hebrew}", r"\p{Kannada}", r"\p{Latin}", r"\p{Malayalam}"),
    *(r"\p{Oriya}", r"\p{Sinhala}", r"\p{Tamil}", r"\p{Telugu}", r"\p{Thaana}", r"\p{Tibetan}"),
]
# An apostrophe can be a letter to Unicode: the modifier letters that are of no script.
APOSTROPHES = r"[[\p{Lm}&&\p{Common}]--[\p{scx=Hiragana}\p{scx=Katakana}]]"
LETTER = r"[[\p{L}\p{Co}]--" + APOSTROPHES + "]"
NUMBER = r"\p{N}"
MARK = r"\p{M}"
PICTURE = r"[[\p{Extended_Pictographic}\p{Regional_Indicator}]--[©®]]"

# A number, a picture, or letters of one script with their marks; of unspaced text each character.
RUN = regex.compile(
    "|".join(
        [
            rf"[{LETTER}&&[{UNSPACED}]]{MARK}*",
            *(rf"[{LETTER}&&{script}][[{LETTER}&&{script}]{MARK}]*" for script in SPACED),
            rf"{NUMBER}[{NUMBER}{MARK}]*",
            rf"{PICTURE}{MARK}*",
            rf"[{LETTER}--[{UNSPACED}{''.join(SPACED)}]]{MARK}*",
        ]
    ),
    regex.VERSION1,
)
SIGN = rf"[^{LETTER}{NUMBER}{MARK}{PICTURE}]"
# Signs inside a word, as in men's, node.js, shelf_1. So is a hyphen where a text is indexed: tshirt finds "T-shirt".
# In a query it parts words: tea-pot finds "pot for tea".
INNER_SIGN = rf"[\p{{Pc}}{APOSTROPHES}'’‘′`.׳״{HIDDEN}]"
HYPHEN = r"\p{Pd}"
# Two words of letters stay apart; what else follows each other may as well be written together: iPhone 15, 手機 殼.
BETWEEN_WORDS = regex.compile(
    rf"(?<=[{LETTER}--[{UNSPACED}]]{MARK}*){SIGN}*[{SIGN}--[{INNER_SIGN}{HYPHEN}]]{SIGN}*(?=[{LETTER}--[{UNSPACED}]])",
    regex.VERSION1,
)

INVISIBLE = regex.compile(r"[\p{Default_Ignorable_Code_Point}\p{Cf}]", regex.VERSION1)
# Accents, vowel points and the stroke that draws Arabic letters out. Not the marks that make another letter of a
# Japanese one, nor the vowel signs of India and South-east Asia, save the dot below that Hindi leaves out at will.
OPTIONAL_MARK = regex.compile(
    r"[[[\p{M}&&[\p{Inherited}\p{Arabic}\p{Hebrew}\p{Cyrillic}]]--[\u3099\u309a]][\u0640\u093c]"
    r"[\p{M}&&\p{Default_Ignorable_Code_Point}]]",
    regex.VERSION1,
)
LATIN = regex.compile(r"[[\p{Latin}&&\p{L}]--\p{ASCII}]", regex.VERSION1)
DIGIT = regex.compile(r"[\p{Nd}--\p{ASCII}]", regex.VERSION1)


def terms(text: str) -> set[str]:
    """What finds the text by its beginning: each ending of it that begins where a word can begin, without signs."""
    found = set()
    for part in BETWEEN_WORDS.split(_folded(text)[:MAX_INDEXED_LENGTH]):
        runs = RUN.findall(part)
        found |= {"".join(runs[start : start + MAX_TERM_LENGTH])[:MAX_TERM_LENGTH] for start in range(len(runs))}
    return found


def _folded(text: str) -> str:
    """The text without what people leave out or write otherwise: case, accents, width, ligatures, invisible signs."""
    text = OPTIONAL_MARK.sub("", unicodedata.normalize("NFKD", text))
    text = OPTIONAL_MARK.sub("", unicodedata.normalize("NFKD", text.casefold()))
    text = LATIN.sub(lambda letter: _plain(letter.group()), text)
    text = DIGIT.sub(lambda digit: str(unicodedata.decimal(digit.group(), digit.group())), text)
    return unicodedata.normalize("NFC", INVISIBLE.sub(HIDDEN, text))


def _plain(letter: str) -> str:
    """A letter of the Latin script as one to four of a to z; itself where those have nothing like it."""
    plain = anyascii(letter).lower()
    return plain if plain.isalpha() else letter
