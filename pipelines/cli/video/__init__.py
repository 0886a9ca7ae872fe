"""`turbolens video`: its options, one or many inputs, a folder that is watched.

Start with `command.py`.
"""
