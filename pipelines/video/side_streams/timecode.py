"""SMPTE time codes that count from the first frame that is kept."""

import re
from fractions import Fraction

TIMECODE = re.compile(r"(\d{1,2}):(\d{2}):(\d{2})([:;.])(\d{2,3})")
HOURS = 24
TAG = "timecode"


def is_timecode(key: str) -> bool:
    """True for the key under which FFmpeg keeps a time code in the metadata."""
    return key.lower() == TAG


def advanced(timecode: str, frames: int, rate: Fraction) -> str:
    """The time code that many frames later, in the same notation.

    rate: frames per second. With `;` or `.` before the frames it drops numbers as SMPTE 12M does.
    Text that is no time code is returned unchanged.
    """
    match = TIMECODE.fullmatch(timecode.strip())
    nominal = round(rate)
    if match is None or nominal < 1:
        return timecode
    hours, minutes, seconds, count = (int(match[group]) for group in (1, 2, 3, 5))
    drop = round(nominal / 15) if match[4] in ";." and nominal % 30 == 0 else 0
    number = ((hours * 60 + minutes) * 60 + seconds) * nominal + count
    total_minutes = hours * 60 + minutes
    number += frames - drop * (total_minutes - total_minutes // 10)
    text = _numbered(number, nominal, drop)
    return f"{text[0]:02}:{text[1]:02}:{text[2]:02}{match[4]}{text[3]:0{len(match[5])}}"


def _numbered(frame: int, nominal: int, drop: int) -> tuple[int, int, int, int]:
    """Hours, minutes, seconds and frames of a frame counted from 00:00:00:00."""
    per_minute = nominal * 60 - drop
    per_ten = per_minute * 10 + drop
    tens, rest = divmod(frame % (per_ten * 6 * HOURS), per_ten)
    minutes_dropped = (rest - drop) // per_minute if drop and rest >= drop else 0
    number = tens * nominal * 600 + rest + drop * minutes_dropped
    seconds, count = divmod(number, nominal)
    return seconds // 3600, seconds // 60 % 60, seconds % 60, count
