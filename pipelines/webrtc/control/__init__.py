"""The control data channel: its messages and what they change.

Start with `channel.py`; `messages.py` has the schema. Imports `peer` and `media`.
"""
