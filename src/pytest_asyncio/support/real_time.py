"""The real clock, for libraries that stop time replace what they find in modules."""

from __future__ import annotations

import time
from typing import Final, final


@final
class RealTime:
    """Seconds of the real clock, whatever a test does to `time`."""

    monotonic: Final = staticmethod(time.monotonic)
    sleep: Final = staticmethod(time.sleep)
