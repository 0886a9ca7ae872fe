"""`turbolens bench` and the commands below it. Start with `command.py`."""
