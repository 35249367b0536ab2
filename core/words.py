"""Text as words, for an index and for what is looked up in it: both are folded by one function.

The properties of characters are those of Unicode as the library `regex` has them; `anyascii` says how a letter of the
Latin script is written without its strokes.
"""

from __future__ import annotations

import unicodedata
from itertools import groupby

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
OUTER_SIGN = regex.compile(rf"[{SIGN}--{INNER_SIGN}]", regex.VERSION1)
IS_UNSPACED = regex.compile(rf"[{UNSPACED}]", regex.VERSION1)
# Two words of letters stay apart; what else follows each other may as well be written together: iPhone 15, 手機 殼.
BETWEEN_WORDS = regex.compile(
    rf"(?<=[{LETTER}--[{UNSPACED}]]{MARK}*){SIGN}*[{SIGN}--[{INNER_SIGN}{HYPHEN}]]{SIGN}*(?=[{LETTER}--[{UNSPACED}]])",
    regex.VERSION1,
)

# Characters that people in Taiwan and Hong Kong write in two ways, with one meaning wherever they stand, and the forms
# that Taiwan's Ministry of Education has. Left out are two that are words of their own: 週 and 周, 菸 and 煙.
VARIANTS = (
    "台裏綫爲衆羣峯牀衞鷄麪脚强温説舘啓秘粧盃綉鈎滙汚汙絶緑税鋭黄録内産"
    "顔眞値銹厨厦凉冲决况减净着煑烟麯糉菓燻猪猫裠塩户戸悦閲脱墻鑒葱甁盌"
)
FORMS = (
    "臺裡線為眾群峰床衛雞麵腳強溫說館啟祕妝杯繡鉤匯污污絕綠稅銳黃錄內產"
    "顏真值鏽廚廈涼沖決況減淨著煮煙麴粽果熏豬貓裙鹽戶戶悅閱脫牆鑑蔥瓶碗"
)
FORM_OF_VARIANT = str.maketrans(VARIANTS, FORMS)

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


def wanted(query: str) -> list[str]:
    """The words of a query, in order, each once: a term that is found begins with each of them.

    Unspaced text and what is glued to it are words of their own.
    """
    found = []
    for part in OUTER_SIGN.split(_folded(query)):
        for _, runs in groupby(RUN.findall(part), key=lambda run: bool(IS_UNSPACED.match(run))):
            found.append("".join(runs)[:MAX_TERM_LENGTH])
    return list(dict.fromkeys(found))


def is_blank(text: str) -> bool:
    """Whether nothing in it can be seen."""
    return not INVISIBLE.sub("", text).strip()


def _folded(text: str) -> str:
    """The text without what people leave out or write otherwise: case, accents, width, ligatures, invisible signs,
    variants of Chinese characters.
    """
    text = OPTIONAL_MARK.sub("", unicodedata.normalize("NFKD", text))
    text = OPTIONAL_MARK.sub("", unicodedata.normalize("NFKD", text.casefold()))
    text = LATIN.sub(lambda letter: _plain(letter.group()), text)
    text = DIGIT.sub(lambda digit: str(unicodedata.decimal(digit.group(), digit.group())), text)
    return unicodedata.normalize("NFC", INVISIBLE.sub(HIDDEN, text)).translate(FORM_OF_VARIANT)


def _plain(letter: str) -> str:
    """A letter of the Latin script as one to four of a to z; itself where those have nothing like it."""
    plain = anyascii(letter).lower()
    return plain if plain.isalpha() else letter
