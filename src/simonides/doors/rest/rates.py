"""How often one may ask: a bucket of tokens for each credential, and for the failures of each address; in process."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from simonides.doors.rest.problems import Refusal

_MOST = 10_000
_MINUTE = 60.0


class Bucket:
    """Fills at `rate` a second up to `most`, and gives one at a time."""

    __slots__ = ("at", "left")

    def __init__(self, most: float, at: float) -> None:
        self.left, self.at = most, at

    def fill(self, rate: float, most: float, now: float) -> float:
        """Return how much is in it now."""
        self.left = min(most, self.left + (now - self.at) * rate)
        self.at = now
        return self.left


class Rates:
    """The buckets of a server; used on its event loop only.

    Args:
        rate: requests a second of a credential; 0 is no limit.
        burst: how many may come at once.
        strangers: failures to get in of an address in a minute.
        now: tells seconds that only grow.
    """

    def __init__(
        self, rate: float, burst: int, strangers: int, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate, self._burst, self._strangers, self._now = rate, max(1, burst), strangers, now
        self._asked: OrderedDict[str, Bucket] = OrderedDict()
        self._failed: OrderedDict[str, Bucket] = OrderedDict()

    def require(self, credential: str) -> None:
        """Count a request.

        Raises:
            Refusal: there were too many; it says when to come again.
        """
        if self._rate <= 0:
            return
        bucket = self._bucket(self._asked, credential, self._burst)
        if bucket.fill(self._rate, self._burst, self._now()) < 1:
            raise _refused(
                (1 - bucket.left) / self._rate,
                f"{self._rate:g} requests a second are allowed with this credential",
            )
        bucket.left -= 1

    def require_few_failures(self, address: str) -> None:
        """Refuse an address that has failed too often.

        Raises:
            Refusal: it says when to come again.
        """
        bucket = self._failed.get(address)
        if bucket is None:
            return
        rate = self._strangers / _MINUTE
        if bucket.fill(rate, self._strangers, self._now()) < 1:
            raise _refused((1 - bucket.left) / rate, "too many unknown tokens came from this address")

    def note_failure(self, address: str) -> None:
        """Count a token that was nobody's."""
        bucket = self._bucket(self._failed, address, self._strangers)
        bucket.left = max(0.0, bucket.fill(self._strangers / _MINUTE, self._strangers, self._now()) - 1)

    def _bucket(self, buckets: OrderedDict[str, Bucket], name: str, most: float) -> Bucket:
        found = buckets.get(name)
        if found is None:
            found = buckets[name] = Bucket(most, self._now())
            if len(buckets) > _MOST:
                buckets.popitem(last=False)
        return found


def _refused(seconds: float, rule: str) -> Refusal:
    headers = {"Retry-After": str(max(1, round(seconds + 0.5)))}
    return Refusal(429, "requests", rule, "", "Wait as long as Retry-After says.", headers=headers)
