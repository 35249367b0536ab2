"""English: Nov. 26, 2026, 7:30 a.m. UTC."""

DATETIME_FORMAT = "N j, Y, P e"
SHORT_DATETIME_FORMAT = "m/d/Y P e"
