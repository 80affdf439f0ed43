"""Receives Paywright's webhooks: verifies each, stores it once, and only then answers with success."""

import base64
import hashlib
import hmac
import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from standardwebhooks import Webhook, WebhookVerificationError

SECRET = os.environ.get("WEBHOOK_SECRET", "")
if not SECRET.startswith("whsec_"):
    sys.exit("set WEBHOOK_SECRET to the secret of the endpoint (whsec_...)")
WEBHOOK = Webhook(SECRET)
EVENTS_FILE = Path(os.environ.get("EVENTS_FILE", "events.jsonl"))
PORT = int(os.environ.get("PORT", "9000"))
SPREE = bool(os.environ.get("SPREE"))
BODY_BYTES_MAX = 1024 * 1024

lines = EVENTS_FILE.read_text("utf-8").splitlines() if EVENTS_FILE.exists() else []
stored = {json.loads(line)["webhook_id"] for line in lines}
storing = threading.Lock()


def is_signed_as_by_spree(body, signature):
    """Spree's signature: its key is the text of the secret, and the raw body is what is signed."""
    expected = base64.b64encode(hmac.digest(SECRET.encode(), body, hashlib.sha256))
    return hmac.compare_digest(expected, (signature or "").encode())


def store(webhook_id, event):
    """Writes an event to the disk. Under the lock a repeat cannot come between check and write."""
    with storing:
        if webhook_id in stored:
            return
        with EVENTS_FILE.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"webhook_id": webhook_id, "event": event}) + "\n")
            file.flush()
            os.fsync(file.fileno())
        stored.add(webhook_id)
        print(f"stored {webhook_id} {event.get('type') or event.get('event_type')}", flush=True)


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keeps connections open
    timeout = 60

    def do_POST(self):
        length = self.headers.get("content-length", "")
        if not length.isdecimal() or int(length) > BODY_BYTES_MAX:
            self.close_connection = True
            return self.answer(413)
        # Raw bytes of the body: the signature is over these, not over parsed and rewritten JSON.
        body = self.rfile.read(int(length))
        if SPREE and not is_signed_as_by_spree(body, self.headers["x-spree-hmac-sha256"]):
            return self.answer(400)
        try:
            event = WEBHOOK.verify(body, dict(self.headers))
        except (WebhookVerificationError, ValueError) as error:  # ValueError: malformed Base64, UTF-8 or JSON
            self.log_error("refused: %s", error)
            return self.answer(400)
        store(self.headers["webhook-id"], event)
        self.answer(204)

    def answer(self, status):
        self.send_response(status)
        if status != 204:
            self.send_header("content-length", "0")
        self.end_headers()


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", PORT), Receiver)
    print(f"listening on port {server.server_port}", flush=True)
    server.serve_forever()
