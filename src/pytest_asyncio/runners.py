"""The loops of tests, for synchronous code: `asyncio_runner`, and what other plugins look for."""

from __future__ import annotations

from typing import Any
import pytest
