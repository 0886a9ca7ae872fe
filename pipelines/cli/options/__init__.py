"""Options that several commands share. Start with `shared.py`, a decorator that adds them."""
