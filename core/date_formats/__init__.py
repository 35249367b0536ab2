"""How Django's own pages write a time: with its zone. The setting FORMAT_MODULE_PATH names this package."""
