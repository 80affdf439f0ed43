ALTER TABLE orders
    ADD CONSTRAINT orders_check1 CHECK (((cancel_reason IS NOT NULL) = (state = 'canceled'))),
    ADD CONSTRAINT orders_check3 CHECK (((requested_attempt IS NULL) = (requested_revision IS NULL))),
    ADD CONSTRAINT orders_check2 CHECK (((state_at IS NOT NULL) = (state <> 'open'))),
    ADD CONSTRAINT orders_attempt_check CHECK ((attempt >= 1)),
    ADD CONSTRAINT orders_capture_check CHECK ((capture = ANY (ARRAY['automatic', 'manual']))),
    ADD CONSTRAINT orders_currency_check CHECK ((length(currency) = 3)),
    ADD CONSTRAINT orders_operations_check CHECK ((operations >= 0)),
    ADD CONSTRAINT orders_revision_check CHECK ((revision >= 1)),
    ADD CONSTRAINT orders_state_check CHECK ((state = ANY (ARRAY['open', 'paid', 'canceled']))),
    ADD CONSTRAINT orders_version_check CHECK ((version >= 1));
ALTER TABLE order_lines
    ADD CONSTRAINT order_lines_position_check CHECK (("position" >= 0)),
    ADD CONSTRAINT order_lines_quantity_check CHECK ((quantity > 0)),
    ADD CONSTRAINT order_lines_order_id_fkey FOREIGN KEY (order_id) REFERENCES orders(id);
ALTER TABLE order_adjustments
    ADD CONSTRAINT order_adjustments_position_check CHECK (("position" >= 0)),
    ADD CONSTRAINT order_adjustments_kind_check CHECK ((kind = ANY (ARRAY[
        'discount', 'shipping', 'tax', 'tax_included'
    ]))),
    ADD CONSTRAINT order_adjustments_order_id_fkey FOREIGN KEY (order_id) REFERENCES orders(id);
ALTER TABLE payment_intents
    ADD CONSTRAINT payment_intents_position_check CHECK (("position" >= 0)),
    ADD CONSTRAINT payment_intents_check1 CHECK (((balance_fee IS NULL) = (balance_currency IS NULL))),
    ADD CONSTRAINT payment_intents_check CHECK (((balance_gross IS NULL) = (balance_currency IS NULL))),
    ADD CONSTRAINT payment_intents_amount_check CHECK ((amount >= 0)),
    ADD CONSTRAINT payment_intents_capturable_check CHECK ((capturable >= 0)),
    ADD CONSTRAINT payment_intents_capture_asked_check CHECK ((capture_asked > 0)),
    ADD CONSTRAINT payment_intents_balance_currency_check CHECK ((length(balance_currency) = 3)),
    ADD CONSTRAINT payment_intents_currency_check CHECK ((length(currency) = 3)),
    ADD CONSTRAINT payment_intents_received_check CHECK ((received >= 0)),
    ADD CONSTRAINT payment_intents_revision_check CHECK ((revision >= 1)),
    ADD CONSTRAINT payment_intents_status_check CHECK ((status = ANY (ARRAY[
        'requires_payment_method', 'requires_confirmation', 'requires_action', 'processing',
        'requires_capture', 'succeeded', 'canceled'
    ]))),
    ADD CONSTRAINT payment_intents_order_id_fkey FOREIGN KEY (order_id) REFERENCES orders(id);
ALTER TABLE facts
    ADD CONSTRAINT facts_position_check CHECK (("position" >= 0)),
    ADD CONSTRAINT facts_version_check CHECK ((version >= 1)),
    ADD CONSTRAINT facts_order_id_fkey FOREIGN KEY (order_id) REFERENCES orders(id),
    ADD COLUMN partition smallint NOT NULL GENERATED ALWAYS AS (get_byte(uuid_send(order_id), 15)) STORED;
ALTER TABLE order_snapshots
    ADD CONSTRAINT order_snapshots_version_check CHECK ((version >= 1));
ALTER TABLE unpositioned_facts
    ADD CONSTRAINT unpositioned_facts_position_check CHECK (("position" >= 0)),
    ADD CONSTRAINT unpositioned_facts_version_check CHECK ((version >= 1));
ALTER TABLE tasks
    ADD CONSTRAINT tasks_check CHECK (((leased_until IS NULL) = (leased_by IS NULL))),
    ADD CONSTRAINT tasks_taken_check CHECK ((taken >= 0)),
    ADD CONSTRAINT tasks_order_id_fkey FOREIGN KEY (order_id) REFERENCES orders(id),
    ADD COLUMN partition smallint NOT NULL GENERATED ALWAYS AS (get_byte(uuid_send(order_id), 15)) STORED;
ALTER TABLE idempotency_records
    ADD CONSTRAINT idempotency_records_fingerprint_check CHECK ((length(fingerprint) = 32)),
    ADD CONSTRAINT idempotency_records_order_id_fkey FOREIGN KEY (order_id) REFERENCES orders(id);
ALTER TABLE webhook_inbox
    ADD CONSTRAINT webhook_inbox_check CHECK (((due_at IS NOT NULL) = (verdict = 'parked'))),
    ADD CONSTRAINT webhook_inbox_check1 CHECK (((leased_until IS NULL) = (leased_by IS NULL))),
    ADD CONSTRAINT webhook_inbox_taken_check CHECK ((taken >= 0)),
    ADD CONSTRAINT webhook_inbox_verdict_check CHECK ((verdict = ANY (ARRAY[
        'applied', 'ignored', 'foreign', 'parked', 'given_up'
    ]))),
    ADD CONSTRAINT webhook_inbox_via_check CHECK ((via = ANY (ARRAY['webhook', 'back_fill'])));
