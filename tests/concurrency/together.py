"""What the suites of these tests have in common: means to see which of their tests overlap."""

MODULE = "pytestmark = pytest.mark.asyncio(concurrent=True)\n"

TOGETHER = """
meeting = asyncio.Barrier(2)
async def meet():
    async with asyncio.timeout(30):
        await meeting.wait()
"""
"""Only tests that run at the same time get past `await meet()`."""

ALONE = """
running = []
async def alone():
    assert not running
    running.append(1)
    for _ in range(20):
        await asyncio.sleep(0)
    running.pop()
    assert not running
async def beside():
    running.append(1)
    for _ in range(20):
        await asyncio.sleep(0)
    running.pop()
"""
"""`await alone()` fails where another test is in the middle of it, or of `beside()`."""

WAITING = """
async def test_0():
    for _ in range(20):
        await asyncio.sleep(0)
"""
"""A test that waits long enough for those that follow to be begun."""
