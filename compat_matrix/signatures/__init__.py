"""v1's symbols as stubs, one file per v1 module, each with the call sites that prove it; see ``check.py``."""
