"""Ports that nothing uses."""

from __future__ import annotations

import socket

import pytest

from pytest_asyncio.features.ports import different_ports

PROTOCOLS = [("tcp", "SOCK_STREAM"), ("udp", "SOCK_DGRAM")]


@pytest.mark.parametrize(("protocol", "kind"), PROTOCOLS)
def test_an_unused_port_can_be_bound(suite, protocol, kind):
    result = suite(f"""
        import socket

        def test_it(unused_{protocol}_port):
            with socket.socket(type=socket.{kind}) as sock:
                sock.bind(("127.0.0.1", unused_{protocol}_port))
    """)
    result.assert_outcomes(passed=1)


def test_a_server_can_listen_on_an_unused_port(suite):
    result = suite("""
        @pytest.mark.asyncio
        async def test_it(unused_tcp_port):
            async with await asyncio.start_server(print, "127.0.0.1", unused_tcp_port) as server:
                assert server.is_serving()
    """)
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize(("protocol", "kind"), PROTOCOLS)
def test_a_factory_gives_another_port_at_each_call(suite, protocol, kind):
    result = suite(f"""
        @pytest.fixture(scope="session")
        def wide(unused_{protocol}_port_factory):
            return unused_{protocol}_port_factory()

        def test_it(unused_{protocol}_port_factory, wide):
            ports = {{unused_{protocol}_port_factory() for _ in range(10)}}
            assert len(ports | {{wide}}) == 11
            assert all(1024 <= port <= 65535 for port in ports)
    """)
    result.assert_outcomes(passed=1)


def test_a_port_that_was_given_before_is_passed_over():
    found = iter([7001, 7001, 7002, 7001, 7003])
    factory = different_ports(lambda: next(found))
    assert [factory(), factory(), factory()] == [7001, 7002, 7003]


def test_the_port_fixtures_are_documented(suite):
    suite("", "--fixtures").stdout.fnmatch_lines_random(
        [
            "unused_tcp_port -- *",
            "unused_udp_port -- *",
            "unused_tcp_port_factory [[]session scope] -- *",
            "unused_udp_port_factory [[]session scope] -- *",
        ]
    )


def test_a_port_that_is_in_use_is_not_given(suite):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        result = suite(f"""
            def test_it(unused_tcp_port_factory):
                assert {taken.getsockname()[1]} not in [unused_tcp_port_factory() for _ in range(9)]
        """)
    result.assert_outcomes(passed=1)
