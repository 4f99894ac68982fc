"""Races: a test is run again in ways in which production may run it, in one report.

`sweep` cancels it at each of its awaits, `schedules` runs it on a clock that is late.
"""
