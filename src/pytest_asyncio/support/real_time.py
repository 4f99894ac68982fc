"""The real clock, for libraries that stop time replace what they find in modules."""

from __future__ import annotations

import time
from typing import final


@final
class RealTime:
    """Seconds of the real clock, whatever a test does to `time`."""

    monotonic = staticmethod(time.monotonic)
    sleep = staticmethod(time.sleep)
