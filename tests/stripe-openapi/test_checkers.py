"""What the checkers find, and what they let pass."""

import unittest

from check_answers import Findings, check_answer, check_event
from check_parameters import compare

REFUND = {
    "id": "re_1", "object": "refund", "amount": 5, "balance_transaction": None, "charge": "ch_1", "created": 1,
    "currency": "usd", "metadata": {"order.id": "7"}, "payment_intent": "pi_1", "reason": None, "receipt_number": None,
    "source_transfer_reversal": None, "status": "succeeded", "transfer_reversal": None,
}


def found(check, value):
    findings = Findings()
    check(value, findings)
    return sorted(findings.counts)


def answered(method="POST", path="/v1/refunds", form="", status=200, body=REFUND):
    return found(check_answer, {"method": method, "path": path, "form": form, "status": status, "body": body})


class Answers(unittest.TestCase):
    def test_a_described_answer_passes(self):
        self.assertEqual(answered(form="payment_intent=pi_1&metadata[order.id]=7&expand[]=charge&expand[0]=charge"), [])

    def test_each_difference_is_found(self):
        for change, where, problem in [
            ({"amount": "5"}, "refund.amount", 'must be of type "integer"'),
            ({"currency": None}, "refund.currency", 'must be of type "string"'),
            ({"reason": "bored"}, "refund.reason", "must be one of"),
            ({"charge": 5}, "refund.charge", "is of no type that the description allows"),
            ({"charge": {"object": "charge", "id": "ch_1"}}, "charge", "'amount' is a required property"),
            ({"metadata": {"k": 5}}, "refund.metadata.k", 'must be of type "string"'),
            ({"nonsense": None}, "refund.nonsense", "is no field of the description"),
        ]:
            with self.subTest(change=change):
                kinds = answered(body={**REFUND, **change})
                self.assertTrue(any(one == where and problem in other for one, other in kinds), kinds)

    def test_a_missing_field_is_found_in_a_list(self):
        item = {name: value for name, value in REFUND.items() if name != "created"}
        body = {"object": "list", "url": "/v1/refunds", "has_more": False, "data": [REFUND, item]}
        self.assertEqual(answered(method="GET", body=body), [("refund", "'created' is a required property")])

    def test_an_error_is_checked_too(self):
        body = {"error": {"type": "nonsense_error", "message": "x"}}
        (kind,) = answered(status=400, body=body)
        self.assertIn("error.type", kind[0])

    def test_a_parameter_that_the_description_does_not_have_is_found(self):
        self.assertEqual(len(answered(form="order=7&metadata[a]=b&metadata[a][b]=c")), 2)
        refused = {"error": {"type": "invalid_request_error"}}
        self.assertEqual(answered(form="order=7", status=400, body=refused), [])

    def test_a_call_that_the_description_does_not_have_is_found(self):
        self.assertEqual(len(answered(path="/v1/nonsense")), 1)
        self.assertEqual(answered(path="/v1/nonsense", status=404), [])

    def test_an_event_and_its_object_are_checked(self):
        event = {
            "id": "evt_1", "object": "event", "api_version": "2026-05-27.dahlia", "created": 1, "livemode": False,
            "data": {"object": REFUND}, "pending_webhooks": 1, "request": None, "type": "refund.created",
        }
        self.assertEqual(found(check_event, event), [])
        changed = {**event, "type": "refund.nonsense", "data": {"object": {**REFUND, "amount": None}}}
        kinds = found(check_event, changed)
        self.assertEqual([kind[0] for kind in kinds], ["event refund.nonsense", "refund.amount"])


class Parameters(unittest.TestCase):
    ROW = [("metadata.*", "honoured"), ("metadata", "honoured"), ("expand.*", "not modelled")]

    def compared(self, row):
        parameters = [{"name": name, "treatment": treatment} for name, treatment in row]
        return compare({"method": "POST", "path": "/v1/refunds/{refund}", "parameters": parameters})

    def test_a_complete_row_passes(self):
        self.assertEqual(self.compared(self.ROW), (1, 1, 0, []))

    def test_absent_and_unknown_parameters_are_found(self):
        _, _, absent, problems = self.compared([("metadata.*", "honoured"), ("amount", "honoured")])
        self.assertEqual((absent, len(problems)), (1, 2))


if __name__ == "__main__":
    unittest.main()
