"""How the Chinese of Taiwan is written: by its characters, its marks and its words."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.support.pages import BLOCK

HAN = "\u4e00-\u9fff"
WIDE_MARK = "\u3001-\u3003\u3008-\u3011\uff01-\uff0f\uff1a-\uff20"
# Big5 has the 5,401 characters of everyday use first; hardly a simplified one is among them.
FIRST_RARE_CHARACTER = b"\xc9\x40"
CODE = re.compile(r"`[^`]*`")
TARGET = re.compile(r"(?<=\])\([^)\s]+\)")

MARKS = re.compile(rf"[{HAN}][,.:;!?()]|[,.:;!?()][{HAN}]")
# A space parts Chinese from Latin letters, digits and code, and stands beside no full-width mark.
UNSPACED = re.compile(rf"[{HAN}][A-Za-z0-9`]|[A-Za-z0-9`][{HAN}]")
SPACED = re.compile(rf"[{HAN}] +[{HAN}]|[{WIDE_MARK}] +[^|\s]|[^-|#\s] +[{WIDE_MARK}]")
# A renderer makes a space of a line's end.
BROKEN = re.compile(rf"[{HAN}{WIDE_MARK}]\n(?=[^-|#>\n])")
# What is said elsewhere, and the word of Taiwan.
WORDS = {
    "默認": "預設",
    "缺省": "預設",
    "數據庫": "資料庫",
    "服務器": "伺服器",
    "服務端": "伺服器端",
    "客戶端": "用戶端",
    "軟件": "軟體",
    "硬件": "硬體",
    "中間件": "中介軟體",
    "文件夾": "資料夾",
    "緩存": "快取",
    "線程": "執行緒",
    "進程": "行程",
    "網絡": "網路",
    "信息": "資訊",
    "字符": "字元",
    "字節": "位元組",
    "字段": "欄位",
    "異步": "非同步",
    "審計": "稽核",
    "日志": "日誌",
    "令牌": "權杖",
    "鏈接": "連結",
    "訪問": "存取",
    "搜索": "搜尋",
    "獲取": "取得",
    "調用": "呼叫",
    "導出": "匯出",
    "賬號": "帳號",
    "登錄": "登入",
}


def faults(text: str) -> Iterator[str]:
    """What a reader in Taiwan would trip over in a text or a page of Markdown, each with what to write."""
    for character in sorted(set(text)):
        if re.match(f"[{HAN}]", character) and not is_in_everyday_use(character):
            yield f"{character}: write a character that is in everyday use in Taiwan"
    for word, better in WORDS.items():
        if word in text:
            yield f"{word}: write {better}"
    prose = TARGET.sub("", CODE.sub("``", BLOCK.sub("", text)))
    for rule, better in (
        (MARKS, "write full-width marks"),
        (UNSPACED, "write a space between Chinese and what is not"),
        (SPACED, "write no space there"),
        (BROKEN, "write a paragraph on one line"),
    ):
        for match in rule.finditer(prose):
            yield f"{prose[max(0, match.start() - 8) : match.end() + 8]!r}: {better}"


def is_in_everyday_use(character: str) -> bool:
    try:
        return character.encode("big5") < FIRST_RARE_CHARACTER
    except UnicodeEncodeError:
        return False
