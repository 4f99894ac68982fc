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

FAILING = """
        torn_down = []
        @pytest_asyncio.fixture
        async def used(request):
            yield
            await asyncio.sleep(0)
            torn_down.append(request.node.name)
        @pytest.fixture(scope="module", autouse=True)
        def tell():
            yield
            print("torn down:", *sorted(torn_down))
        async def test_fails(used):
            await meet()
            {}
        async def test_waits(used):
            await meet()
            await asyncio.Event().wait()
        async def test_waits_too(used): await asyncio.Event().wait()
    """
"""Three tests, of which the first acts once the second waits; it prints which are torn down."""

PRINTS_TORN_DOWN = """
        def pytest_unconfigure(): print("torn down:", *sorted(pytest.torn_down))
    """
