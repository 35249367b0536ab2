"""Traditional Chinese: 2026年11月26日 07:30 UTC."""

DATETIME_FORMAT = "Y年n月j日 H:i e"
SHORT_DATETIME_FORMAT = "Y/n/j H:i e"
