"""`python -m relay`, in a process of its own."""

import asyncio
import sys

import pytest
from aiohttp import ClientSession

# The process brings its own loop: nothing is learnt from meeting it on a second one here.
pytestmark = pytest.mark.asyncio(loop_factories=["asyncio"])


@pytest.fixture
async def process(pytestconfig, tmp_path, unused_tcp_port):
    command = ["-u", "-m", "relay", f"--port={unused_tcp_port}", f"--database={tmp_path}/relay.db"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, cwd=pytestconfig.rootpath, stdout=asyncio.subprocess.PIPE
    )
    yield process
    process.terminate()
    await process.communicate()


async def test_listens_on_the_given_port(process, unused_tcp_port):
    assert f":{unused_tcp_port}" in (await process.stdout.readline()).decode()

    async with ClientSession(f"http://127.0.0.1:{unused_tcp_port}") as http:
        response = await http.get("/deliveries/1")
    assert response.status == 404
