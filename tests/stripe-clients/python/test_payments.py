"""PaymentIntents, 3-D Secure, refunds, charges and disputes, by Stripe's official client for Python."""

import unittest

import stripe

from twin import Case, errors, eventually, finish, hooks, ids, intent, paid, plain

RETURN_URL = "https://shop.example/done?order=7"
AUTHENTICATE = "pm_card_threeDSecure2Required"


class Intents(Case):
    def test_a_created_intent_waits_for_a_payment_method(self):
        made = intent(amount=2000)
        self.assertTrue(made.client_secret.startswith(f"{made.id}_secret_"))
        self.has(
            made, object="payment_intent", amount=2000, amount_capturable=0, amount_received=0, canceled_at=None,
            capture_method="automatic_async", confirmation_method="automatic", currency="usd", latest_charge=None,
            livemode=False, metadata={}, next_action=None, payment_method=None, status="requires_payment_method",
        )

    def test_an_intent_without_types_has_automatic_payment_methods(self):
        made = stripe.PaymentIntent.create(amount=1099, currency="usd")
        self.has(made, automatic_payment_methods={"allow_redirects": "always", "enabled": True})

    def test_an_intent_with_redirects_needs_a_return_url_to_be_confirmed(self):
        params = {"amount": 1099, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True}
        error = self.invalid(lambda: stripe.PaymentIntent.create(**params))
        self.assertIn("return_url", str(error))
        self.has(stripe.PaymentIntent.create(**params, return_url=RETURN_URL), status="succeeded")

    def test_automatic_payment_methods_without_redirects_need_no_return_url(self):
        automatic = {"enabled": True, "allow_redirects": "never"}
        made = stripe.PaymentIntent.create(
            amount=1099, currency="usd", automatic_payment_methods=automatic, payment_method="pm_card_visa", confirm=True
        )
        self.has(made, status="succeeded", automatic_payment_methods=automatic)

    def test_every_descriptive_parameter_is_kept(self):
        kept = {
            "description": "Order 7", "metadata": {"order_id": "7", "order.number": "R7"},
            "receipt_email": "ada@example.com", "setup_future_usage": "off_session",
            "statement_descriptor_suffix": "R7", "transfer_group": "G7",
        }
        address = {"city": "Berlin", "country": "DE", "line1": "Allee 1", "postal_code": "10115"}
        shipping = {"name": "Ada", "phone": "+4930", "carrier": "DHL", "tracking_number": "T1"}
        made = intent(**kept, shipping={**shipping, "address": address})
        read = stripe.PaymentIntent.retrieve(made.id)
        self.has(read, **kept)
        self.has(read.shipping, **shipping, address={**address, "line2": None, "state": None})

    def test_an_update_merges_metadata_and_an_empty_value_removes_a_key(self):
        made = intent(metadata={"a": "1", "b": "2"})
        updated = stripe.PaymentIntent.modify(made.id, amount=700, metadata={"b": "", "c": "3"})
        self.has(updated, amount=700, metadata={"a": "1", "c": "3"})

    def test_an_empty_text_clears_all_metadata(self):
        made = intent(metadata={"a": "1", "b": "2"})
        self.has(stripe.PaymentIntent.modify(made.id, metadata=""), metadata={})

    def test_a_confirmation_pays(self):
        confirmed = stripe.PaymentIntent.confirm(intent().id, payment_method="pm_card_visa")
        self.has(confirmed, status="succeeded", amount_received=1099)
        self.assertTrue(confirmed.latest_charge.startswith("ch_"))

    def test_an_intent_is_confirmed_by_its_own_method(self):
        self.has(intent(payment_method="pm_card_visa").confirm(), status="succeeded")

    def test_a_capture_takes_the_whole_authorised_amount(self):
        made = paid(capture_method="manual")
        self.has(made, status="requires_capture", amount_capturable=1099, amount_received=0)
        self.has(stripe.PaymentIntent.capture(made.id), status="succeeded", amount_capturable=0, amount_received=1099)

    def test_a_partial_capture_releases_the_rest(self):
        made = paid(capture_method="manual", amount=1000)
        captured = stripe.PaymentIntent.capture(made.id, amount_to_capture=400)
        self.has(captured, status="succeeded", amount_capturable=0, amount_received=400)

    def test_a_capture_that_is_not_final_leaves_the_rest_capturable(self):
        options = {"card": {"request_multicapture": "if_available"}}
        made = paid(capture_method="manual", amount=1000, payment_method_options=options)
        first = stripe.PaymentIntent.capture(made.id, amount_to_capture=300, final_capture=False)
        self.has(first, status="requires_capture", amount_capturable=700, amount_received=300)
        self.has(stripe.PaymentIntent.capture(made.id), status="succeeded", amount_received=1000)

    def test_a_cancellation_keeps_its_reason(self):
        canceled = stripe.PaymentIntent.cancel(intent().id, cancellation_reason="duplicate")
        self.has(canceled, status="canceled", cancellation_reason="duplicate")

    def test_a_succeeded_intent_cannot_be_canceled(self):
        error = self.invalid(lambda: stripe.PaymentIntent.cancel(paid().id), code="payment_intent_unexpected_state")
        self.has(error.json_body["error"]["payment_intent"], status="succeeded")


class ThreeDSecure(Case):
    def test_a_card_with_a_return_url_redirects_the_customer(self):
        made = plain(paid(payment_method=AUTHENTICATE, return_url=RETURN_URL))
        self.assertEqual((made["status"], made["next_action"]["type"]), ("requires_action", "redirect_to_url"))
        redirect = made["next_action"]["redirect_to_url"]
        self.assertEqual(redirect["return_url"], RETURN_URL)
        self.assertRegex(redirect["url"], "^https?://")

    def test_an_authenticated_payment_succeeds(self):
        made = paid(payment_method=AUTHENTICATE)
        self.assertEqual(made.next_action.type, "use_stripe_sdk")
        finish(f"payment_intents/{made.id}/finish", "succeeded")
        self.has(stripe.PaymentIntent.retrieve(made.id), status="succeeded", next_action=None, amount_received=1099)

    def test_after_a_failed_authentication_another_card_pays(self):
        made = paid(payment_method=AUTHENTICATE)
        finish(f"payment_intents/{made.id}/finish", "failed")
        read = stripe.PaymentIntent.retrieve(made.id)
        self.has(read, status="requires_payment_method")
        self.has(read.last_payment_error, code="payment_intent_authentication_failure", type="invalid_request_error")
        self.has(stripe.PaymentIntent.confirm(made.id, payment_method="pm_card_visa"), status="succeeded")

    def test_an_off_session_payment_that_needs_authentication_is_declined(self):
        customer = stripe.Customer.create().id
        card = stripe.PaymentMethod.attach("pm_card_authenticationRequired", customer=customer).id
        call = lambda: paid(customer=customer, payment_method=card, off_session=True)
        self.refused(errors.CardError, call, code="authentication_required", decline_code="authentication_required")

    def test_error_on_requires_action_declines_instead_of_asking(self):
        call = lambda: paid(payment_method=AUTHENTICATE, error_on_requires_action=True)
        self.refused(errors.CardError, call, code="authentication_required")


class Refunds(Case):
    def test_a_refund_of_an_intent_is_of_its_whole_amount(self):
        made = paid()
        refund = stripe.Refund.create(payment_intent=made.id, reason="duplicate", metadata={"rma": "5"})
        self.has(
            refund, object="refund", amount=1099, charge=made.latest_charge, payment_intent=made.id, reason="duplicate",
            status="succeeded", metadata={"rma": "5"},
        )
        self.has(stripe.Charge.retrieve(made.latest_charge), refunded=True, amount_refunded=1099)

    def test_partial_refunds_add_up_and_are_listed_newest_first(self):
        made = paid(amount=1000)
        first = stripe.Refund.create(payment_intent=made.id, amount=300)
        second = stripe.Refund.create(charge=made.latest_charge)
        self.assertEqual(second.amount, 700)
        self.assertEqual(ids(stripe.Refund.list(payment_intent=made.id).data), [second.id, first.id])
        self.invalid(lambda: stripe.Refund.create(payment_intent=made.id), code="charge_already_refunded")

    def test_refunds_of_a_charge_are_paged_and_read_through_the_charge(self):
        charge = paid().latest_charge
        made = [stripe.Refund.create(charge=charge, amount=50).id for _ in range(12)]
        refunds = stripe.Charge.retrieve(charge, expand=["refunds"]).refunds
        self.has(refunds, object="list", has_more=True, url=f"/v1/charges/{charge}/refunds")
        self.assertEqual(ids(refunds.auto_paging_iter()), made[::-1])
        self.has(refunds.retrieve(made[0]), id=made[0], amount=50)

    def test_an_update_merges_metadata(self):
        refund = stripe.Refund.create(payment_intent=paid().id, metadata={"a": "1"})
        self.has(stripe.Refund.modify(refund.id, metadata={"b": "2"}), metadata={"a": "1", "b": "2"})

    def test_a_succeeded_refund_cannot_be_canceled(self):
        refund = stripe.Refund.create(payment_intent=paid().id)
        self.invalid(lambda: stripe.Refund.cancel(refund.id))

    def test_a_refund_of_more_than_was_paid_is_refused(self):
        made = paid(amount=1000)
        self.invalid(
            lambda: stripe.Refund.create(payment_intent=made.id, amount=2000), param="amount",
            message="Refund amount ($20.00) is greater than charge amount ($10.00)",
        )

    def test_a_refund_fails_later(self):
        made = paid(payment_method="pm_card_pendingRefund")
        refund = stripe.Refund.create(payment_intent=made.id)
        self.assertEqual(refund.status, "pending")
        finish(f"refunds/{refund.id}/finish", "failed")
        self.has(stripe.Refund.retrieve(refund.id), status="failed")
        hooks.of("refund.failed", refund.id)


def booked(**params):
    """A charge whose fee is known."""
    charge = paid(**params).latest_charge
    return eventually(lambda: (it := stripe.Charge.retrieve(charge)).balance_transaction and it, "the fee")


class Charges(Case):
    def test_a_charge_describes_its_card_and_outcome(self):
        charge = plain(stripe.Charge.retrieve(paid().latest_charge))
        self.has(charge, object="charge", paid=True, captured=True, status="succeeded", amount_captured=1099)
        self.has(charge["payment_method_details"]["card"], brand="visa", last4="4242", funding="credit")
        self.has(charge["outcome"], type="authorized", network_status="approved_by_network", risk_level="normal")

    def test_a_charge_expands_its_balance_transaction(self):
        charge = stripe.Charge.retrieve(booked(amount=10000).id, expand=["balance_transaction"])
        self.has(charge.balance_transaction, amount=10000, fee=320, net=9680, type="charge", source=charge.id)

    def test_a_list_of_charges_expands_their_balance_transactions(self):
        charge = booked()
        page = stripe.Charge.list(payment_intent=charge.payment_intent, expand=["data.balance_transaction"])
        self.has(page.data[0].balance_transaction, object="balance_transaction", source=charge.id)

    def test_an_intent_expands_the_balance_transaction_of_its_charge(self):
        expand = ["latest_charge.balance_transaction"]
        read = stripe.PaymentIntent.retrieve(booked().payment_intent, expand=expand)
        self.has(read.latest_charge.balance_transaction, amount=1099)

    def test_balance_transactions_are_listed_by_source(self):
        charge = booked()
        page = stripe.BalanceTransaction.list(source=charge.id)
        self.assertEqual(ids(page.data), [charge.balance_transaction])
        self.has(stripe.BalanceTransaction.retrieve(charge.balance_transaction), source=charge.id)

    def test_a_creation_expands_customer_and_payment_method(self):
        customer = stripe.Customer.create(name="Ada").id
        made = paid(customer=customer, expand=["customer", "payment_method"])
        self.has(made.customer, id=customer, name="Ada")
        self.has(made.payment_method, object="payment_method", type="card")


class Disputes(Case):
    def disputed(self):
        made = paid(payment_method="pm_card_createDispute")
        return eventually(lambda: stripe.Dispute.list(payment_intent=made.id).data, "the dispute")[0]

    def test_a_disputed_payment_has_a_dispute_that_needs_a_response(self):
        dispute = self.disputed()
        self.has(dispute, object="dispute", amount=1099, reason="fraudulent", status="needs_response")
        self.has(stripe.Charge.retrieve(dispute.charge), disputed=True)

    def test_a_dispute_takes_the_payment_and_a_fee_from_the_balance(self):
        withdrawn = plain(self.disputed())["balance_transactions"][0]
        self.has(withdrawn, object="balance_transaction", amount=-1099, type="adjustment")
        self.assertEqual(withdrawn["net"], withdrawn["amount"] - withdrawn["fee"])

    def test_evidence_is_staged_and_then_submitted(self):
        id = self.disputed().id
        staged = stripe.Dispute.modify(id, evidence={"customer_name": "Ada"}, submit=False)
        self.has(staged, status="needs_response")
        self.has(staged.evidence_details, has_evidence=True, submission_count=0)
        submitted = stripe.Dispute.modify(id, evidence={"uncategorized_text": "She has it."}, submit=True)
        self.has(submitted, status="under_review")
        self.has(submitted.evidence, customer_name="Ada", uncategorized_text="She has it.")
        self.has(submitted.evidence_details, submission_count=1)

    def test_a_closed_dispute_is_lost(self):
        dispute = self.disputed()
        self.has(stripe.Dispute.close(dispute.id), status="lost")
        hooks.of("charge.dispute.closed", dispute.id)

    def test_disputes_are_listed_newest_first(self):
        made = [self.disputed().id, self.disputed().id]
        self.assertEqual(ids(stripe.Dispute.list(limit=2).data), made[::-1])


if __name__ == "__main__":
    unittest.main()
