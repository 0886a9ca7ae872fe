"""`RateLimiter`: a token bucket for the messages of one peer."""

from turbolens.pipelines.statistics import Clock


class RateLimiter:
    """Allows `per_second` messages per second on average, and `burst` at once."""

    def __init__(self, per_second: float, burst: int, clock: Clock) -> None:
        self._per_second, self._burst, self._clock = per_second, burst, clock
        self._tokens, self._filled_at = float(burst), clock()

    def allow(self) -> bool:
        """True if one more message is allowed now."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self._per_second)
        self._filled_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
