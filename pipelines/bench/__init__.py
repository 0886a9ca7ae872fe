"""What Turbolens measures of itself: speed, coherence, latency and sessions.

Start with `speed.py`, which `turbolens bench` runs. Imports the rooms below it.
"""
