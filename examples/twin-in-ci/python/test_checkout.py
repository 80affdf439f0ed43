"""A storefront's checkout, tested with `paywright twin` in place of Stripe."""

import os
import re
import subprocess
import threading
import time
import unittest
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import stripe

SECRET = "whsec_test"
received = []


class Webhooks(BaseHTTPRequestHandler):
    """The storefront's receiver of webhooks: verifies the signature over the raw body."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            received.append(stripe.Webhook.construct_event(body, self.headers["Stripe-Signature"], SECRET))
            self.send_response(200)
        except stripe.SignatureVerificationError:
            self.send_response(400)
        self.end_headers()

    def log_message(self, *_):
        pass


def checkout(payment_method):
    """The storefront's own code under test: one call here, to keep the example short."""
    return stripe.PaymentIntent.create(
        amount=1099, currency="usd", payment_method=payment_method, payment_method_types=["card"], confirm=True,
        return_url="https://shop.example/done", metadata={"order_id": "7"},
    )


class Checkout(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        shop = ThreadingHTTPServer(("127.0.0.1", 0), Webhooks)
        threading.Thread(target=shop.serve_forever, daemon=True).start()
        webhook = f"http://127.0.0.1:{shop.server_port}/webhooks"
        program = os.environ.get("PAYWRIGHT", "paywright")
        command = [program, "twin", "--port", "0", "--webhook", webhook]
        environment = {**os.environ, "STRIPE_TWIN_WEBHOOK_SECRET": SECRET}
        twin = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        cls.addClassCleanup(twin.stdout.close)
        cls.addClassCleanup(twin.wait)
        cls.addClassCleanup(twin.kill)
        cls.addClassCleanup(shop.server_close)
        cls.addClassCleanup(shop.shutdown)
        stripe.api_base = re.search("http:[^;]+", twin.stdout.readline()).group()
        stripe.api_key, stripe.api_version, stripe.enable_telemetry = "sk_test_shop", "2026-05-27.dahlia", False

    def test_a_card_pays_and_the_webhook_says_so(self):
        intent = checkout("pm_card_visa")
        self.assertEqual(intent.status, "succeeded")
        paid = lambda: [it for it in received if it.type == "payment_intent.succeeded" and it.data.object.id == intent.id]
        for _ in range(100):
            if paid():
                break
            time.sleep(0.02)
        self.assertEqual([it.data.object.metadata["order_id"] for it in paid()], ["7"])

    def test_a_declined_card_says_why(self):
        with self.assertRaises(stripe.CardError) as declined:
            checkout("pm_card_chargeDeclinedInsufficientFunds")
        self.assertEqual(declined.exception.error.decline_code, "insufficient_funds")

    def test_a_card_pays_after_3d_secure(self):
        intent = checkout("pm_card_threeDSecure2Required")
        self.assertEqual(intent.next_action.type, "redirect_to_url")
        # The customer's part; a test in a browser opens next_action.redirect_to_url.url instead.
        finish = f"{stripe.api_base}/_twin/payment_intents/{intent.id}/finish"
        headers = {"Authorization": "Bearer sk_test_shop"}
        urllib.request.urlopen(urllib.request.Request(finish, b"outcome=succeeded", headers)).close()
        self.assertEqual(stripe.PaymentIntent.retrieve(intent.id).status, "succeeded")


if __name__ == "__main__":
    unittest.main()
