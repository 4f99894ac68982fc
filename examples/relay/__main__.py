"""`python -m relay --port 8080 --database relay.db`."""

import argparse

from aiohttp import web

from relay.app import make_app

parser = argparse.ArgumentParser(prog="relay", description="Deliver payloads to webhooks.")
parser.add_argument("--port", type=int, default=8080)
parser.add_argument("--database", default="relay.db")
args = parser.parse_args()

web.run_app(make_app(args.database), host="127.0.0.1", port=args.port)
