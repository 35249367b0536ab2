"""Text as words: what is glued together is found by its parts, however it is written."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core import words

# A word of each script, with what its users write in the middle of it.
WORDS = [
    "iphone", "café", "手機殼", "𠮷野家", "ケース", "すし", "人々",
    "アイフォン", "아이폰", "เคสโทรศัพท์", "ໂທລະສັບ", "ទូរស័ព្ទ", "ဖုန်း",
    "हिन्दी", "मोबाइल", "ফোন", "ਫ਼ੋਨ", "ફોન", "தொலைபேசி", "ఫోన్",
    "ಫೋನ್", "ഫോൺ", "දුරකථනය", "هاتف", "كِتَاب", "טלפון", "שָׁלוֹם",
    "телефон", "τηλέφωνο", "հեռախոս", "ტელეფონი", "ስልክ", "ᏣᎳᎩ", "ᠮᠣᠩᠭᠣᠯ", "ㄕㄡˇ",
    "བོད", "ދިވެހި", "15", "١٥", "१५", "🍎", "🇹🇼",
]  # fmt: skip
# Two words of one script that are glued together are one.
PARTS = st.lists(
    st.sampled_from(WORDS), min_size=1, max_size=5, unique_by=lambda word: unicodedata.name(word[0]).split()[0]
)
NAME = "手機殼iPhone15透明"


def is_found(query: str, text: str) -> bool:
    terms = words.terms(text)
    wanted = words.wanted(query)
    return bool(wanted) and all(any(term.startswith(word) for term in terms) for word in wanted)


@pytest.mark.parametrize(
    "query",
    [
        "iPhone",
        "iphone",
        "IPHONE",
        "15",
        "iPhone15",
        "iph",
        "透明",
        "明",
        "手機",
        "機殼",
        "ｉＰｈｏｎｅ１５",
        "透明iPhone15",
        NAME,
    ],
)
def test_a_name_in_chinese_is_found_by_what_is_glued_to_it(query: str) -> None:
    assert is_found(query, NAME)


@given(PARTS, st.data())
def test_each_word_of_glued_scripts_is_found_and_each_beginning_of_it(parts: list[str], data: st.DataObject) -> None:
    glued = "".join(parts)
    part = data.draw(st.sampled_from(parts))
    length = data.draw(st.integers(1, len(part)))

    assert is_found(part, glued)
    assert is_found(part.upper(), glued.lower())
    assert is_found(part[:length], glued) or not words.wanted(part[:length])


@given(PARTS, st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]))
def test_unicodes_forms_are_one(parts: list[str], form: str) -> None:
    text = "".join(parts)

    assert words.terms(unicodedata.normalize(form, text)) == words.terms(text)
    assert words.wanted(unicodedata.normalize(form, text)) == words.wanted(text)


@given(st.text(max_size=20) | st.lists(st.sampled_from(WORDS), max_size=4).map("".join))
@example("ﷺ" * 200)
@example("㌖" * 200)
@example("手" * 200)
def test_a_term_has_its_final_form_and_there_are_no_more_than_characters_that_are_indexed(text: str) -> None:
    terms = words.terms(text)

    assert all(0 < len(term) <= words.MAX_TERM_LENGTH for term in terms)
    assert len(terms) <= words.MAX_INDEXED_LENGTH
    assert all(term in words.terms(term) for term in terms)


@given(st.text(max_size=30))
def test_what_is_found_by_a_text_is_the_text_itself(text: str) -> None:
    assert is_found(text, text) or not words.wanted(text)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        # accents, and letters that people write without their strokes
        ("cafe", "Café"), ("café", "Cafe"), ("CAFE\u0301", "café"), ("smorrebrod", "Smørrebrød"), ("øl", "OL"),
        ("strasse", "Straße"), ("straße", "STRASSE"), ("dien thoai", "điện thoại"),
        ("lodz", "Łódź"), ("aesir", "Æsir"),
        ("istanbul", "İstanbul"), ("ISTANBUL", "ıstanbul"), ("ısparta", "ISPARTA"),
        ("елка", "ёлка"), ("σισυφος", "ΣΊΣΥΦΟΣ"),
        ("كتاب", "كِتَابٌ"), ("كتاب", "كـتـاب"), ("احمد", "أحمد"), ("שלום", "שָׁלוֹם"), ("फोन", "फ़ोन"),
        # width, ligatures, what looks like several characters
        ("iphone", "ｉＰｈｏｎｅ"), ("ハンガー", "ﾊﾝｶﾞｰ"), ("ﾊﾝｶﾞｰ", "ハンガー"), ("fish", "ﬁsh"),
        ("kg", "5㎏"), ("1", "①"), ("iv", "Ⅳ"),
        ("한글", "\u1112\u1161\u11ab\u1100\u1173\u11af"), ("\u1112\u1161\u11ab", "한글"),
        ("ㅋㅋ", "ㅋㅋㅋ"), ("ㅋ", "ﾻㅋ"), ("ﾻ", "\u110f"), ("각", "가\u11a8"),
        ("羊", "⽺"), ("福", "福"), ("3", "٣"), ("٣", "3"), ("株式会社", "㍿"),
        # variants of Chinese characters
        ("台灣", "臺灣茶"), ("臺灣", "台灣茶"), ("茶裏", "奶茶裡"), ("毛綫", "毛線"),
        ("鷄蛋麪", "雞蛋麵"), ("黄", "黃"),
        # what can't be seen
        ("kaffeemaschine", "Kaffee\u00admaschine"), ("kaffee\u00admaschine", "Kaffeemaschine"),
        ("maschine", "Kaffee\u200bmaschine"), ("手機", "手\u200d機"),
        ("手\u2060機", "手機"), ("iphone", "\ufeffi\u200ePhone"),
        ("میخواهم", "می\u200cخواهم"), ("क्ष", "क्\u200dष"),
        # signs
        ("ab12", "AB-12/3"), ("12", "AB-12/3"), ("AB-12/3", "AB-12/3"),
        ("ab123", "AB-12/3"), ("ab_12", "AB-12/3"),
        ("tshirt", "T-shirt"), ("t-shirt", "T-shirt"), ("coffee-pot", "Pot for coffee"), ("shirt", "T‑shirt"),
        ("mens", "Men's"), ("men’s", "Men's"),
        ("huile", "l’huile"), ("okina", "ʻOkina"), ("nodejs", "node.js"), ("js", "node.js"), ("at&t", "AT&T"),
        ("wifi", "Wi-Fi"), ("wi-fi", "wi fi"), ("手機", "【手機】殼"),
        ("tea/pot", "pot, tea"), ("5", "5％"), ("צהל", "צה״ל"),
        # spaces beside numbers and unspaced text
        ("iphone15", "iPhone 15"), ("iphone 15", "iPhone15"), ("手機殼", "手機 殼"), ("手機 殼", "手機殼"),
        # pictures
        ("🍎", "Juice🍎"), ("juice", "🍎juice"), ("👍", "👍🏽"), ("👍🏽", "👍"),
        ("❤", "❤\ufe0f"), ("👩", "👩\u200d🚀"), ("1", "1\ufe0f\u20e3"),
    ],
)  # fmt: skip
def test_a_word_is_found_as_people_write_it(query: str, text: str) -> None:
    assert is_found(query, text)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("teap", "Tea pot"),
        ("are", "A red cup"),
        ("pot", "Spot"),
        ("ハンカ", "ハンガー"),
        ("面", "麵"),
        ("髮", "發"),
        ("कि", "क"),
        ("手機袋", "手機殼"),
        ("手机", "手機"),
        ("하", "한글"),
        ("ㅎ", "한글"),
    ],
)
def test_another_word_is_not_found(query: str, text: str) -> None:
    assert not is_found(query, text)


@pytest.mark.parametrize("query", ["!", "-", "。、", "%_", "\\", "'", "+", "\u0301", "\u200b-", "€", "\u0640"])
def test_signs_alone_are_no_words(query: str) -> None:
    assert words.wanted(query) == []
    assert not words.is_blank(query)


@pytest.mark.parametrize("query", ["", " ", "\u3000\t", "\u200b", "\u200f \ufeff"])
def test_what_can_not_be_seen_is_blank(query: str) -> None:
    assert words.is_blank(query)
