"""A twin of its own for the tests of this process, a receiver of its webhooks, and helpers to call and compare."""

import atexit
import json
import os
import re
import subprocess
import threading
import time
import unittest
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import stripe

PROGRAM = os.environ.get("PAYWRIGHT", "../../../target/debug/paywright")
SECRET = "whsec_of_these_tests"
VERSION = "2026-05-27.dahlia"
# Exceptions had a module of their own before version 8.
errors = stripe if hasattr(stripe, "CardError") else stripe.error


class Receiver:
    """Receives webhooks and keeps them; refuses the first delivery of each event whose type is in `refused`."""

    def __init__(self):
        self.webhooks, self.refused = [], set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                event = json.loads(body)
                is_first = all(it[2]["id"] != event["id"] for it in receiver.webhooks)
                receiver.webhooks.append((headers, body, event))
                self.send_response(503 if is_first and event["type"] in receiver.refused else 200)
                self.end_headers()

            def log_message(self, *_):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{server.server_port}"

    def of(self, kind, id):
        """The first webhook of an event of this type and object, waited for."""
        return eventually(lambda: next((it for it in self.webhooks if is_of(it[2], kind, id)), None), f"{kind} of {id}")


def is_of(event, kind, id):
    return event["type"] == kind and event["data"]["object"]["id"] == id


def eventually(probe, what):
    for _ in range(600):
        if value := probe():
            return value
        time.sleep(0.05)
    raise AssertionError(f"not within 30 seconds: {what}")


hooks = Receiver()
program = subprocess.Popen(
    [PROGRAM, "twin", "--port", "0", "--webhook", f"{hooks.url}/webhooks"],
    env={**os.environ, "STRIPE_TWIN_WEBHOOK_SECRET": SECRET},
    stdout=subprocess.PIPE,
    text=True,
)
atexit.register(program.kill)
BASE = re.search(r"http://[^ ;]+", program.stdout.readline()).group()

stripe.api_base = BASE
stripe.api_key = "sk_test_clients"
stripe.api_version = VERSION
stripe.max_network_retries = 0
stripe.enable_telemetry = False


def act(path, body):
    """Calls of the twin that Stripe does not have: `POST /_twin/…`."""
    headers = {"Authorization": "Bearer sk_test_clients"}
    with urllib.request.urlopen(urllib.request.Request(f"{BASE}/_twin/{path}", body.encode(), headers)) as answer:
        return json.load(answer)


def finish(path, outcome):
    return act(path, urllib.parse.urlencode({"outcome": outcome}))


def plain(value):
    """Objects of the client as dictionaries and lists."""
    return json.loads(str(value)) if isinstance(value, stripe.StripeObject) else value


def ids(page):
    return [it.id for it in page]


def intent(**params):
    return stripe.PaymentIntent.create(**{"amount": 1099, "currency": "usd", "payment_method_types": ["card"], **params})


def paid(**params):
    return intent(**{"payment_method": "pm_card_visa", "confirm": True, **params})


class Case(unittest.TestCase):
    """A test case that compares named fields only."""

    def has(self, value, **fields):
        value = plain(value)
        self.assertIsInstance(value, dict)
        found = {name: value.get(name, "absent") for name in fields}
        self.assertEqual(found, {name: plain(field) for name, field in fields.items()})

    def refused(self, kind, call, **fields):
        """The error that a call is refused with; `fields` are of its JSON."""
        with self.assertRaises(kind) as caught:
            call()
        if fields:
            self.has(caught.exception.json_body["error"], **fields)
        return caught.exception

    def invalid(self, call, **fields):
        return self.refused(errors.InvalidRequestError, call, type="invalid_request_error", **fields)
