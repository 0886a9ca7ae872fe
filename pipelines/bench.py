"""Measure speed and memory, ours and a baseline's, interleaved in one process."""
