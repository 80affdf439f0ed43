"""Pages and filters of lists, by Stripe's official client for Python."""

import unittest

import stripe

from twin import Case, ids, intent


class Lists(Case):
    @classmethod
    def setUpClass(cls):
        cls.customer = stripe.Customer.create(email="lists@example.com").id
        cls.made = [intent(amount=amount, customer=cls.customer) for amount in range(1001, 1013)]
        cls.newest_first = ids(cls.made)[::-1]

    def list(self, **params):
        return stripe.PaymentIntent.list(customer=self.customer, **params)

    def test_a_list_has_ten_items_by_default_newest_first(self):
        page = self.list()
        self.has(page, object="list", has_more=True, url="/v1/payment_intents")
        self.assertEqual(ids(page.data), self.newest_first[:10])

    def test_starting_after_goes_on_behind_an_item(self):
        page = self.list(limit=3, starting_after=self.newest_first[3])
        self.assertEqual((ids(page.data), page.has_more), (self.newest_first[4:7], True))

    def test_ending_before_goes_back_to_newer_items(self):
        page = self.list(limit=3, ending_before=self.newest_first[6])
        self.assertEqual((ids(page.data), page.has_more), (self.newest_first[3:6], True))

    def test_auto_paging_visits_all_items_once(self):
        self.assertEqual(ids(self.list(limit=5).auto_paging_iter()), self.newest_first)

    def test_auto_paging_goes_backwards(self):
        pages = self.list(limit=5, ending_before=self.newest_first[-1])
        self.assertEqual(ids(pages.auto_paging_iter()), self.newest_first[-2::-1])

    def test_the_next_page_is_read_by_the_page(self):
        page = self.list(limit=5)
        self.assertEqual(ids(page.next_page().data), self.newest_first[5:10])
        page = self.list(limit=5, ending_before=self.newest_first[10])
        self.assertEqual(ids(page.previous_page().data), self.newest_first[:5])

    def test_the_filter_of_times_takes_ranges_and_one_second(self):
        first, last = self.made[0].created, self.made[-1].created
        self.assertEqual(len(self.list(created={"gte": first, "lte": last}, limit=100).data), 12)
        self.assertEqual(self.list(created={"gt": last}).data, [])
        self.assertEqual(self.list(created={"lt": first}).data, [])
        self.assertIn(self.made[0].id, ids(self.list(created=first, limit=100).data))

    def test_a_list_expands_its_items(self):
        page = self.list(limit=2, expand=["data.customer"])
        self.assertEqual([it.customer.email for it in page.data], ["lists@example.com"] * 2)

    def test_an_unknown_cursor_is_refused(self):
        self.invalid(lambda: self.list(starting_after="pi_nonsense"), code="resource_missing", param="starting_after")

    def test_limits_outside_1_to_100_are_refused(self):
        self.invalid(lambda: self.list(limit=0), param="limit")
        self.invalid(lambda: self.list(limit=101), param="limit")


if __name__ == "__main__":
    unittest.main()
