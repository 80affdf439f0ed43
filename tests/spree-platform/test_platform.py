"""The Platform API, called by an OAuth 2.0 client as an ERP calls it: log in, poll orders, read payments, cancel."""

import os
import unittest

# The server of the test has no TLS.
os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"

from oauthlib.oauth2 import BackendApplicationClient, InvalidClientError, InvalidScopeError
from requests_oauthlib import OAuth2Session

URL = os.environ["PAYWRIGHT_URL"]
CLIENT, SECRET = os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"]
PLATFORM = f"{URL}/api/v2/platform"


def session(scope=None, secret=SECRET, **how):
    """Logs in with client credentials."""
    client = OAuth2Session(client=BackendApplicationClient(client_id=CLIENT, scope=scope))
    client.fetch_token(token_url=f"{URL}/spree_oauth/token", client_id=CLIENT, client_secret=secret, **how)
    return client


def poll(client, since, per_page=2):
    """Reads all orders that were changed since a time, the longest unchanged first, by the links of the pages."""
    query = {"filter[updated_at_gteq]": since, "sort": "updated_at", "per_page": per_page}
    page = client.get(f"{PLATFORM}/orders", params=query).json()
    orders = list(page["data"])
    while page["links"]["self"] != page["links"]["last"]:
        page = client.get(page["links"]["next"]).json()
        orders += page["data"]
    return orders, page["meta"]


class Platform(unittest.TestCase):
    def test_orders_are_polled_by_pages_to_the_exact_count(self):
        orders, meta = poll(session(scope=["admin"]), "2020-01-01T00:00:00Z")
        times = [it["attributes"]["updated_at"] for it in orders]
        self.assertEqual(len({it["id"] for it in orders}), 5)
        self.assertEqual((meta["total_count"], times), (5, sorted(times)))
        newest, _ = poll(session(), times[-1])
        self.assertIn(orders[-1]["id"], [it["id"] for it in newest])

    def test_credentials_are_accepted_in_the_header_and_in_the_body(self):
        for how in [{"include_client_id": True}, {"include_client_id": False}]:
            client = session(**how)
            self.assertEqual(client.token["token_type"], "Bearer")
            self.assertEqual(client.get(f"{PLATFORM}/orders").status_code, 200)

    def test_a_payment_is_found_by_its_payment_intent(self):
        client = session()
        query = {"filter[payment_state_eq]": "paid", "include": "payments"}
        [payment] = client.get(f"{PLATFORM}/orders", params=query).json()["included"]
        code = payment["attributes"]["response_code"]
        found = client.get(f"{PLATFORM}/payments", params={"filter[response_code_eq]": code, "include": "order"}).json()
        self.assertEqual(found["meta"], {"count": 1, "total_count": 1, "total_pages": 1})
        self.assertEqual(found["data"][0]["attributes"], payment["attributes"])
        self.assertEqual(found["included"][0]["attributes"]["payment_state"], "paid")

    def test_a_token_of_the_scope_read_writes_nothing(self):
        [order] = poll(session(), "2020-01-01", per_page=500)[0][:1]
        path = f"{PLATFORM}/orders/{order['id']}"
        note = {"order": {"public_metadata": {"erp": "7"}}}
        self.assertEqual(session(scope=["read"]).patch(path, json=note).status_code, 403)
        edited = session(scope=["read", "write"]).patch(path, json=note)
        self.assertEqual(edited.json()["data"]["attributes"]["public_metadata"], {"erp": "7"})
        money = session().patch(path, json={"order": {"payment_state": "paid"}})
        self.assertEqual((money.status_code, list(money.json()["errors"])), (422, ["payment_state"]))

    def test_a_wrong_secret_and_an_unknown_scope_are_errors_of_oauth(self):
        with self.assertRaises(InvalidClientError):
            session(secret="pwk_" + "0" * 64)
        with self.assertRaises(InvalidScopeError):
            session(scope=["everything"])


if __name__ == "__main__":
    unittest.main()
