"""Events, webhook endpoints and signatures of real deliveries, by Stripe's official client for Python."""

import unittest

import stripe

from twin import SECRET, VERSION, Case, Receiver, errors, eventually, hooks, ids, paid, plain


def latest(kind):
    return stripe.Event.list(type=kind, limit=1).data[0]


class Events(Case):
    def test_an_event_has_a_copy_of_its_object_and_its_request(self):
        made = stripe.Customer.create(name="Before", idempotency_key="events-1")
        stripe.Customer.modify(made.id, name="After")
        event = latest("customer.created")
        self.has(event, object="event", api_version=VERSION, livemode=False, type="customer.created")
        self.has(event.data.object, id=made.id, name="Before")
        self.has(plain(event)["request"], id=made.last_response.request_id, idempotency_key="events-1")
        self.has(stripe.Event.retrieve(event.id), id=event.id)

    def test_an_event_of_an_update_names_the_previous_attributes(self):
        made = stripe.Customer.create(email="one@example.com", name="Ada")
        stripe.Customer.modify(made.id, email="two@example.com")
        self.has(latest("customer.updated").data, previous_attributes={"email": "one@example.com"})

    def test_events_are_listed_newest_first_by_types(self):
        made = [stripe.Customer.create().id for _ in range(12)]
        page = stripe.Event.list(types=["customer.created", "customer.deleted"], limit=5)
        objects = [it.data.object.id for it, _ in zip(page.auto_paging_iter(), range(12))]
        self.assertEqual(objects, made[::-1])


class Deliveries(Case):
    def test_a_delivery_is_verified_by_its_signature(self):
        made = paid()
        headers, body, _ = hooks.of("payment_intent.succeeded", made.id)
        event = stripe.Webhook.construct_event(body, headers["stripe-signature"], SECRET)
        self.assertEqual((event.type, event.data.object.id), ("payment_intent.succeeded", made.id))

    def test_a_delivery_is_not_verified_with_another_secret_or_body(self):
        headers, body, _ = hooks.of("customer.created", stripe.Customer.create().id)
        for payload, secret in [(body, "whsec_other"), (body + b" ", SECRET)]:
            with self.assertRaises(errors.SignatureVerificationError):
                stripe.Webhook.construct_event(payload, headers["stripe-signature"], secret)

    def test_a_delivery_has_the_headers_of_stripe(self):
        headers, _, _ = hooks.of("customer.created", stripe.Customer.create().id)
        self.assertRegex(headers.get("user-agent", ""), r"^Stripe/1\.0")
        self.assertEqual(headers["content-type"], "application/json; charset=utf-8")

    def test_a_refused_delivery_is_sent_again(self):
        hooks.refused.add("customer.created")
        self.addCleanup(hooks.refused.clear)
        id = stripe.Customer.create().id
        sent = lambda: [it for it in hooks.webhooks if it[2]["data"]["object"]["id"] == id]
        eventually(lambda: len(sent()) == 2, "the second delivery")
        headers, body, _ = sent()[1]
        stripe.Webhook.construct_event(body, headers["stripe-signature"], SECRET)


class Endpoints(Case):
    def endpoint(self, **params):
        params = {"url": f"{hooks.url}/other", "enabled_events": ["customer.created"], **params}
        made = stripe.WebhookEndpoint.create(**params)
        self.addCleanup(stripe.WebhookEndpoint.delete, made.id)
        return made

    def test_a_created_endpoint_shows_its_secret_once(self):
        kept = {"description": "A warehouse", "metadata": {"team": "w"}, "enabled_events": ["customer.created"]}
        made = self.endpoint(**kept)
        self.assertTrue(made.secret.startswith("whsec_"))
        self.has(made, **kept, object="webhook_endpoint", status="enabled")
        read = stripe.WebhookEndpoint.retrieve(made.id)
        self.has(read, **kept, id=made.id)
        self.assertNotIn("secret", plain(read))

    def test_a_created_endpoint_gets_its_events_with_its_own_signature(self):
        own = Receiver()
        made = self.endpoint(url=own.url)
        customer = stripe.Customer.create().id
        headers, body, _ = own.of("customer.created", customer)
        event = stripe.Webhook.construct_event(body, headers["stripe-signature"], made.secret)
        self.assertEqual(event.data.object.id, customer)

    def test_a_disabled_endpoint_gets_nothing(self):
        own = Receiver()
        made = self.endpoint(url=own.url)
        self.has(stripe.WebhookEndpoint.modify(made.id, disabled=True), status="disabled")
        hooks.of("customer.created", stripe.Customer.create().id)
        self.assertEqual(own.webhooks, [])

    def test_an_update_changes_an_endpoint(self):
        made = self.endpoint()
        changed = {"url": f"{hooks.url}/new", "enabled_events": ["refund.created"], "metadata": {"b": "2"}}
        self.has(stripe.WebhookEndpoint.modify(made.id, **changed), **changed)

    def test_endpoints_are_listed_newest_first(self):
        made = [self.endpoint().id for _ in range(3)]
        self.assertEqual(ids(stripe.WebhookEndpoint.list(limit=3).data), made[::-1])

    def test_a_deleted_endpoint_is_missing(self):
        made = stripe.WebhookEndpoint.create(url=hooks.url, enabled_events=["*"])
        self.has(stripe.WebhookEndpoint.delete(made.id), id=made.id, deleted=True)
        self.invalid(lambda: stripe.WebhookEndpoint.retrieve(made.id), code="resource_missing")


if __name__ == "__main__":
    unittest.main()
