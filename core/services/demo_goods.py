"""What the demo shop sells, and to whom: the same for every seed; a small shop is the beginning of a large one."""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import product

from core.roles import Role

USERS = (("mei", Role.OWNER), ("lin", Role.STAFF), ("hsu", Role.STAFF))


@dataclass(frozen=True, slots=True)
class Good:
    """Something that the shop sells, or has sold; `price` is in whole units of the currency."""

    sku: str
    name: str
    category: str
    price: int
    is_active: bool = True


GOODS = (
    Good("TEA-001", "高山烏龍茶 150 g", "茶葉", 480),
    Good("TEA-002", "東方美人茶 75 g", "茶葉", 620),
    Good("TEA-003", "日月潭紅茶 100 g", "茶葉", 390),
    Good("POT-001", "紫砂壺 200 ml", "茶壺", 1800),
    Good("CUP-001", "白瓷品茗杯", "茶杯", 120),
    Good("CUP-002", "聞香杯組", "茶杯", 260),
    Good("TRAY-001", "竹製茶盤", "茶盤", 950),
    Good("CAN-001", "錫製茶罐", "茶罐", 540),
)

PLACES = ("阿里山", "杉林溪", "梨山", "大禹嶺", "凍頂", "木柵", "坪林", "三峽", "魚池", "鹿谷")
TEAS = {
    "烏龍茶": 500,
    "紅茶": 360,
    "綠茶": 300,
    "包種茶": 420,
    "金萱茶": 380,
    "翠玉茶": 400,
    "四季春茶": 260,
    "鐵觀音": 560,
    "白茶": 620,
    "東方美人茶": 900,
}
# Weight in grams: percent of the price.
WEIGHTS = {50: 40, 75: 55, 100: 70, 150: 100, 300: 190, 600: 360}

STYLES = ("紫砂", "白瓷", "青瓷", "天目", "柴燒", "玻璃", "汝窯", "志野", "粉引", "岩礦", "瓷胎", "陶土")
WARES = (
    ("POT", "壺", "茶壺", 1200),
    ("POT", "側把壺", "茶壺", 1500),
    ("CUP", "品茗杯", "茶杯", 180),
    ("CUP", "聞香杯", "茶杯", 160),
    ("CUP", "馬克杯", "茶杯", 350),
    ("CUP", "蓋碗", "茶杯", 480),
    ("TRAY", "茶盤", "茶盤", 900),
    ("TRAY", "杯托", "茶盤", 90),
    ("CAN", "茶罐", "茶罐", 600),
    ("CAN", "茶倉", "茶罐", 1400),
)
PATTERNS = ("素面", "梅花", "蘭花", "竹葉", "菊花", "山水", "錦鯉", "雲紋", "冰裂", "描金", "手繪", "刻字", "雙色")


def _names(text: str) -> list[tuple[str, str]]:
    """Pairs of a character and how it is written in Latin letters."""
    words = text.split()
    return list(zip(words[::2], words[1::2], strict=True))


FAMILY_NAMES = _names(
    "陳 chen 林 lin 黃 huang 張 chang 李 lee 王 wang 吳 wu 劉 liu 蔡 tsai 楊 yang "
    "許 hsu 鄭 cheng 謝 hsieh 郭 kuo 洪 hung 曾 tseng 邱 chiu 廖 liao 賴 lai 周 chou"
)
FIRST_CHARACTERS = _names("怡 yi 家 chia 志 chih 雅 ya 俊 chun 淑 shu 冠 kuan 佳 jia")
SECOND_CHARACTERS = _names("君 chun 豪 hao 婷 ting 宏 hung 芬 fen 偉 wei 玲 ling 翔 hsiang")


def goods(count: int) -> list[Good]:
    """The first `count` of 2,168 goods; every thirtieth is no longer for sale, but for the first eight."""
    return [*GOODS, *(_made_up() if count > len(GOODS) else [])][:count]


def customers(count: int | None = None) -> list[tuple[str, str]]:
    """Name and e-mail of the first `count` of 1,280 customers, or of all."""
    people = list(product(FAMILY_NAMES, FIRST_CHARACTERS, SECOND_CHARACTERS))
    random.Random("customers").shuffle(people)  # noqa: S311  (a demo, not a secret)
    return [
        (f"{family[0]}{first[0]}{second[0]}", f"{first[1]}-{second[1]}.{family[1]}@example.com")
        for family, first, second in people[:count]
    ]


def _made_up() -> list[Good]:
    teas = [
        ("TEA", f"{place}{tea} {weight} g", "茶葉", price * percent // 100)
        for place, (tea, price), (weight, percent) in product(PLACES, TEAS.items(), WEIGHTS.items())
    ]
    wares = [
        (prefix, f"{pattern}{style}{ware}", category, price + 10 * PATTERNS.index(pattern))
        for style, (prefix, ware, category, price), pattern in product(STYLES, WARES, PATTERNS)
    ]
    kinds = teas + wares
    random.Random("goods").shuffle(kinds)  # noqa: S311  (the same)
    return [
        Good(f"{prefix}-{number}", name, category, price, is_active=number % 30 != 0)
        for number, (prefix, name, category, price) in enumerate(kinds, start=1001)
    ]
