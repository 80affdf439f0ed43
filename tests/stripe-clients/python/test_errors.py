"""Errors and idempotency keys, by Stripe's official client for Python."""

import json
import unittest

import stripe

from twin import Case, act, errors, intent, paid


class Errors(Case):
    def create(self, **params):
        return stripe.PaymentIntent.create(**{"amount": 1099, "currency": "usd", **params})

    def test_a_missing_parameter_is_named(self):
        call = lambda: stripe.PaymentIntent.create(currency="usd")
        error = self.invalid(call, code="parameter_missing", param="amount", message="Missing required param: amount.")
        self.assertEqual((error.http_status, error.code, error.param), (400, "parameter_missing", "amount"))
        self.assertRegex(error.request_id, "^req_")

    def test_an_unknown_parameter_is_named(self):
        self.invalid(
            lambda: self.create(nonsense="1"), code="parameter_unknown", param="nonsense",
            message="Received unknown parameter: nonsense",
            doc_url="https://stripe.com/docs/error-codes/parameter-unknown",
        )

    def test_an_amount_that_is_not_whole_is_refused(self):
        self.invalid(lambda: self.create(amount="10.5"), code="parameter_invalid_integer", param="amount")

    def test_an_amount_below_the_minimum_is_refused(self):
        self.invalid(lambda: self.create(amount=49), code="amount_too_small", param="amount")

    def test_a_customer_that_does_not_exist_is_refused(self):
        self.invalid(lambda: self.create(customer="cus_nonsense"), code="resource_missing", param="customer")

    def test_a_list_by_a_customer_that_does_not_exist_is_refused(self):
        call = lambda: stripe.PaymentIntent.list(customer="cus_nonsense")
        error = self.invalid(call, code="resource_missing", param="customer", message="No such customer: 'cus_nonsense'")
        self.assertEqual(error.http_status, 400)

    def test_a_type_that_does_not_pay_in_the_currency_is_refused(self):
        call = lambda: self.create(payment_method_types=["card", "ideal"])
        self.invalid(call, code="payment_intent_invalid_parameter", param="payment_method_types")

    def test_a_statement_descriptor_of_a_card_payment_is_refused(self):
        self.invalid(lambda: self.create(statement_descriptor="SHOP 7"), param="statement_descriptor")
        self.has(self.create(statement_descriptor_suffix="R7"), statement_descriptor_suffix="R7")

    def test_a_return_url_without_a_scheme_is_refused(self):
        call = lambda: paid(return_url="shop.example/done")
        self.invalid(call, code="url_invalid", param="return_url", message="Not a valid URL")

    def test_a_client_secret_of_another_intent_is_refused(self):
        call = lambda: stripe.PaymentIntent.retrieve(intent().id, client_secret=intent().client_secret)
        self.invalid(call, code="payment_intent_invalid_parameter", param="client_secret")

    def test_a_metadata_key_with_brackets_is_refused(self):
        self.invalid(lambda: self.create(metadata={"a[b]": "x"}), param="metadata")

    def test_an_intent_that_does_not_exist_is_missing(self):
        call = lambda: stripe.PaymentIntent.retrieve("pi_nonsense")
        message = "No such payment_intent: 'pi_nonsense'"
        error = self.invalid(call, code="resource_missing", param="intent", message=message)
        self.assertEqual(error.http_status, 404)

    def test_a_decline_has_its_class_and_codes(self):
        call = lambda: paid(payment_method="pm_card_chargeDeclinedInsufficientFunds")
        error = self.refused(
            errors.CardError, call, type="card_error", code="card_declined", decline_code="insufficient_funds",
            message="Your card has insufficient funds.", doc_url="https://stripe.com/docs/error-codes/card-declined",
        )
        self.assertEqual((error.http_status, error.code), (402, "card_declined"))
        self.assertRegex(error.json_body["error"]["charge"], "^ch_")
        self.assertEqual(error.json_body["error"]["payment_intent"]["status"], "requires_payment_method")
        self.assertEqual(error.user_message, "Your card has insufficient funds.")

    def test_an_expired_card_is_declined(self):
        call = lambda: paid(payment_method="pm_card_chargeDeclinedExpiredCard")
        self.refused(errors.CardError, call, code="expired_card", message="Your card has expired.")

    def test_a_key_that_is_not_valid_is_not_authenticated(self):
        error = self.refused(errors.AuthenticationError, lambda: stripe.Customer.list(api_key="nonsense"))
        self.assertEqual(error.http_status, 401)

    def test_another_account_is_refused(self):
        call = lambda: stripe.Customer.list(stripe_account="acct_other")
        self.refused(errors.PermissionError, call, code="account_invalid")

    def test_too_many_requests_have_an_error_of_their_own(self):
        act("faults", json.dumps({"kind": "status_before", "status": 429, "path": "/v1/customers", "times": 1}))
        self.refused(errors.RateLimitError, stripe.Customer.create)

    def test_the_client_repeats_a_request_whose_answer_was_lost(self):
        act("faults", json.dumps({"kind": "drop_after", "path": "/v1/payment_intents", "times": 1}))
        stripe.max_network_retries = 2
        self.addCleanup(setattr, stripe, "max_network_retries", 0)
        made = intent(amount=4321)
        same = [it.id for it in stripe.PaymentIntent.list(limit=100).data if it.amount == 4321]
        self.assertEqual(same, [made.id])


class IdempotencyKeys(Case):
    def test_a_repeated_key_gets_the_first_answer(self):
        first, second = [intent(idempotency_key="repeat") for _ in range(2)]
        self.assertEqual(first.id, second.id)
        self.assertEqual(second.last_response.headers["Idempotent-Replayed"], "true")
        self.assertEqual(second.last_response.headers["Original-Request"], first.last_response.request_id)

    def test_a_key_with_other_parameters_is_refused(self):
        intent(amount=500, idempotency_key="other")
        call = lambda: intent(amount=501, idempotency_key="other")
        error = self.refused(errors.IdempotencyError, call, type="idempotency_error")
        self.assertRegex(str(error), "Keys for idempotent requests can only be used with the same parameters")

    def test_a_repeated_key_gets_the_first_decline(self):
        made = intent()
        confirm = lambda: stripe.PaymentIntent.confirm(
            made.id, payment_method="pm_card_chargeDeclined", idempotency_key="decline"
        )
        first, second = [self.refused(errors.CardError, confirm) for _ in range(2)]
        self.assertEqual(first.json_body["error"]["charge"], second.json_body["error"]["charge"])


if __name__ == "__main__":
    unittest.main()
