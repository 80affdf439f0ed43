"""Customers, payment methods, setup intents and ephemeral keys, by Stripe's official client for Python."""

import unittest

import stripe

from twin import VERSION, Case, errors, finish, hooks, ids, paid, plain

ADDRESS = {"city": "London", "country": "GB", "line1": "12 Street", "line2": None, "postal_code": "N1", "state": None}


def sent(address):
    return {name: value for name, value in address.items() if value is not None}


def customer():
    return stripe.Customer.create().id


def attached(to, card="pm_card_visa"):
    return stripe.PaymentMethod.attach(card, customer=to)


class Customers(Case):
    def test_every_parameter_of_a_customer_is_kept(self):
        kept = {
            "description": "A reader", "email": "ada@example.com", "metadata": {"shop_id": "5"}, "name": "Ada",
            "phone": "+4420", "preferred_locales": ["en", "de"], "tax_exempt": "exempt",
        }
        made = stripe.Customer.create(**kept, address=sent(ADDRESS), shipping={"name": "Ada", "address": sent(ADDRESS)})
        read = stripe.Customer.retrieve(made.id)
        self.has(read, **kept, object="customer", address=ADDRESS, livemode=False)
        self.has(read.shipping, name="Ada", address=ADDRESS)

    def test_an_update_changes_what_it_names(self):
        made = stripe.Customer.create(email="one@example.com", name="One", phone="+1", metadata={"a": "1"})
        updated = stripe.Customer.modify(made.id, email="two@example.com", phone="", metadata={"b": "2"})
        self.has(updated, email="two@example.com", name="One", phone=None, metadata={"a": "1", "b": "2"})

    def test_a_deleted_customer_is_answered_as_deleted(self):
        id = customer()
        self.has(stripe.Customer.delete(id), id=id, object="customer", deleted=True)
        self.assertEqual(plain(stripe.Customer.retrieve(id)), {"id": id, "object": "customer", "deleted": True})
        self.invalid(lambda: stripe.Customer.modify(id, name="X"), code="resource_missing")

    def test_customers_are_listed_by_e_mail_newest_first(self):
        made = [stripe.Customer.create(email="grace@example.com").id for _ in range(5)]
        stripe.Customer.create(email="grace@example.org")
        page = stripe.Customer.list(email="grace@example.com", limit=2)
        self.has(page, object="list", has_more=True)
        self.assertEqual(ids(page.auto_paging_iter()), made[::-1])

    def test_an_invalid_e_mail_address_is_refused(self):
        self.invalid(lambda: stripe.Customer.create(email="nonsense"), code="email_invalid", param="email")

    def test_a_customer_keeps_its_default_payment_method(self):
        id = customer()
        card = attached(id).id
        updated = stripe.Customer.modify(id, invoice_settings={"default_payment_method": card})
        self.assertEqual(updated.invoice_settings.default_payment_method, card)


class PaymentMethods(Case):
    def test_a_payment_method_is_created_from_a_token_and_pays(self):
        billing = {"name": "Ada", "email": "ada@example.com"}
        made = stripe.PaymentMethod.create(
            type="card", card={"token": "tok_mastercard"}, billing_details=billing, metadata={"nick": "work"}
        )
        self.has(made, object="payment_method", type="card", customer=None, metadata={"nick": "work"})
        self.has(made.card, brand="mastercard", last4="4444", funding="credit")
        self.has(made.billing_details, **billing)
        self.has(paid(payment_method=made.id), status="succeeded")

    def test_payment_methods_of_a_customer_are_listed_newest_first(self):
        to = customer()
        made = [attached(to).id for _ in range(11)]
        page = stripe.Customer.list_payment_methods(to, limit=4)
        self.assertEqual(ids(page.auto_paging_iter()), made[::-1])
        self.assertEqual(ids(stripe.PaymentMethod.list(customer=to, type="card", limit=3).data), made[:-4:-1])

    def test_a_payment_method_of_a_customer_is_read_through_the_customer(self):
        to = customer()
        made = attached(to)
        self.has(stripe.Customer.retrieve_payment_method(to, made.id), id=made.id, customer=to)

    def test_an_update_changes_billing_details_and_metadata(self):
        made = attached(customer())
        updated = stripe.PaymentMethod.modify(made.id, billing_details={"name": "Ada"}, metadata={"nick": "home"})
        self.has(updated, id=made.id, metadata={"nick": "home"})
        self.assertEqual(updated.billing_details.name, "Ada")

    def test_a_detached_payment_method_cannot_be_attached_again(self):
        to = customer()
        made = attached(to)
        self.has(stripe.PaymentMethod.detach(made.id), customer=None)
        self.invalid(lambda: attached(to, made.id))
        self.assertEqual(stripe.Customer.list_payment_methods(to).data, [])

    def test_a_declined_card_cannot_be_attached(self):
        call = lambda: attached(customer(), "pm_card_chargeDeclined")
        self.refused(errors.CardError, call, code="card_declined", decline_code="generic_decline")

    def test_a_payment_saves_its_card_for_later_payments(self):
        to = customer()
        first = paid(customer=to, setup_future_usage="off_session")
        self.assertEqual(ids(stripe.Customer.list_payment_methods(to).data), [first.payment_method])
        self.has(paid(customer=to, payment_method=first.payment_method, off_session=True), status="succeeded")


class SetupIntents(Case):
    def setup_intent(self, **params):
        return stripe.SetupIntent.create(**{"payment_method_types": ["card"], **params})

    def test_a_created_setup_intent_waits_for_a_payment_method(self):
        to = customer()
        made = self.setup_intent(customer=to, description="Save", metadata={"cart": "1"}, usage="on_session")
        self.has(
            made, object="setup_intent", customer=to, description="Save", metadata={"cart": "1"}, payment_method=None,
            status="requires_payment_method", usage="on_session", next_action=None, last_setup_error=None,
        )

    def test_a_confirmed_setup_intent_attaches_the_card(self):
        to = customer()
        done = stripe.SetupIntent.confirm(self.setup_intent(customer=to).id, payment_method="pm_card_visa")
        self.has(done, status="succeeded")
        self.assertEqual(ids(stripe.Customer.list_payment_methods(to).data), [done.payment_method])
        hooks.of("setup_intent.succeeded", done.id)

    def test_a_declined_card_is_not_set_up(self):
        made = self.setup_intent()
        call = lambda: stripe.SetupIntent.confirm(made.id, payment_method="pm_card_chargeDeclined")
        self.refused(errors.CardError, call, code="card_declined")
        self.has(stripe.SetupIntent.retrieve(made.id), status="requires_payment_method")

    def test_an_authenticated_setup_intent_succeeds(self):
        made = self.setup_intent(
            customer=customer(), confirm=True, payment_method=AUTHENTICATE, return_url="https://shop.example/cards"
        )
        self.assertEqual((made.status, made.next_action.type), ("requires_action", "redirect_to_url"))
        finish(f"setup_intents/{made.id}/finish", "succeeded")
        self.has(stripe.SetupIntent.retrieve(made.id), status="succeeded", next_action=None)

    def test_a_setup_intent_is_updated_and_canceled(self):
        made = self.setup_intent(metadata={"a": "1"})
        self.has(stripe.SetupIntent.modify(made.id, metadata={"b": "2"}), metadata={"a": "1", "b": "2"})
        canceled = stripe.SetupIntent.cancel(made.id, cancellation_reason="abandoned")
        self.has(canceled, status="canceled", cancellation_reason="abandoned")
        call = lambda: stripe.SetupIntent.confirm(made.id, payment_method="pm_card_visa")
        self.invalid(call, code="setup_intent_unexpected_state")

    def test_setup_intents_of_a_customer_are_listed_newest_first(self):
        to = customer()
        made = [self.setup_intent(customer=to).id for _ in range(3)]
        page = stripe.SetupIntent.list(customer=to, limit=2)
        self.assertEqual(ids(page.auto_paging_iter()), made[::-1])


AUTHENTICATE = "pm_card_authenticationRequiredOnSetup"


class EphemeralKeys(Case):
    def test_an_ephemeral_key_lasts_an_hour(self):
        key = stripe.EphemeralKey.create(customer=customer(), stripe_version="2020-08-27")
        self.has(key, object="ephemeral_key", livemode=False)
        self.assertEqual(key.expires - key.created, 3600)

    def test_an_ephemeral_key_reads_its_customer_until_it_is_deleted(self):
        to = customer()
        key = stripe.EphemeralKey.create(customer=to, stripe_version=VERSION)
        read = lambda: stripe.Customer.retrieve(to, api_key=key.secret)
        self.has(read(), id=to)
        self.has(stripe.EphemeralKey.delete(key.id), id=key.id)
        self.refused(errors.AuthenticationError, read)


if __name__ == "__main__":
    unittest.main()
