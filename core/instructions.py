"""What a model has to know about all tools of the shop, beside what is true of every server."""

INSTRUCTIONS = "\n".join(
    [
        "The tenant is a shop with products, orders and customers.",
        'Money: arguments take a decimal text in the unit of the currency, "480" or "19.99". Answers have that, and '
        "beside it the minor unit in fields that end in _minor: with decimals 2, price 19.99 is price_minor 1999.",
        "Periods: today, yesterday, this_week, last_week, this_month, last_month, this_year, last_year, last_N_days (N "
        "from 1 to 730), or a year (2026), month (2026-11), ISO week (2026-W47), day (2026-11-23) or range of days "
        "(2026-10-01..2026-11-15), in the tenant's time zone.",
        "Contacts: an e-mail address such as w***@*** or a phone number such as ***67 is masked, as this token lacks "
        "customers:contact. Write it nowhere.",
        "Figures: an order counts on the day when it was placed and is taken back on the day when it was cancelled, so "
        "those of a past period never change; revenue is net of what was cancelled in the period.",
    ]
)
