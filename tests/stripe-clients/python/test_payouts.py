"""The balance and payouts, by Stripe's official client for Python."""

import unittest
import urllib.parse

import stripe

from twin import Case, act, ids, paid

DAY = 24 * 3600


def advance(days):
    act("clock", urllib.parse.urlencode({"advance": days * DAY}))


class Payouts(Case):
    def test_what_is_paid_is_paid_out_with_rows_that_add_up(self):
        act("account", "payouts=daily")
        # What other tests have paid and refunded is paid out too.
        charge = paid(amount=999_999).latest_charge
        advance(4)
        payout = next(it for it in stripe.Payout.list(limit=10).data if it.currency == "usd")
        self.has(payout, automatic=True, reconciliation_status="completed", status="paid")
        rows = list(stripe.BalanceTransaction.list(payout=payout.id, limit=100).auto_paging_iter())
        self.assertEqual(sum(it.net for it in rows), 0)
        self.assertIn(charge, [it.source for it in rows])
        expanded = stripe.Payout.retrieve(payout.id, expand=["balance_transaction"])
        self.has(expanded.balance_transaction, amount=-payout.amount, source=payout.id, type="payout")
        self.assertEqual(ids(stripe.Payout.list(created={"lt": payout.created})), [])

    def test_an_unknown_payout_is_refused_by_name(self):
        self.invalid(lambda: stripe.Payout.retrieve("po_0"), code="resource_missing")
        listed = lambda: stripe.BalanceTransaction.list(payout="po_0")
        self.invalid(listed, code="resource_missing", param="payout")


if __name__ == "__main__":
    unittest.main()
