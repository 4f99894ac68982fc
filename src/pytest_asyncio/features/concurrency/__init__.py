"""Tests that wait, wait at the same time."""

from .scheduler import start as start
