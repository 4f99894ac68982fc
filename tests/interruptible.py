"""Where what blocks a thread can be broken off."""

from __future__ import annotations

import signal

import pytest

needs_signal = pytest.mark.skipif(
    not hasattr(signal, "pthread_kill"), reason="nothing can interrupt a thread here"
)
