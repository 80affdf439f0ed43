//! Parameters of Stripe's description (version 2026-05-27.dahlia) that the twin does not model. A name covers every name
//! below it.

/// Calls with the names of their parameters that are not modelled, separated by spaces.
#[rustfmt::skip]
pub(super) const NOT_MODELLED: &[(&str, &str)] = &[
    ("POST /v1/payment_intents",
        "amount_details.line_items.*.payment_method_options.klarna \
         amount_details.line_items.*.payment_method_options.paypal application_fee_amount confirmation_token \
         customer_account excluded_payment_method_types hooks mandate mandate_data on_behalf_of \
         payment_method_configuration payment_method_data payment_method_options.acss_debit \
         payment_method_options.affirm payment_method_options.afterpay_clearpay payment_method_options.alipay \
         payment_method_options.alma payment_method_options.amazon_pay payment_method_options.au_becs_debit \
         payment_method_options.bacs_debit payment_method_options.bancontact payment_method_options.billie \
         payment_method_options.bizum payment_method_options.blik payment_method_options.boleto \
         payment_method_options.card.capture_method payment_method_options.card.cvc_token \
         payment_method_options.card.installments.plan payment_method_options.card.mandate_options \
         payment_method_options.card.three_d_secure payment_method_options.card_present \
         payment_method_options.cashapp payment_method_options.crypto payment_method_options.customer_balance \
         payment_method_options.eps payment_method_options.fpx payment_method_options.giropay \
         payment_method_options.grabpay payment_method_options.ideal payment_method_options.interac_present \
         payment_method_options.kakao_pay payment_method_options.klarna payment_method_options.konbini \
         payment_method_options.kr_card payment_method_options.link payment_method_options.mb_way \
         payment_method_options.mobilepay payment_method_options.multibanco payment_method_options.naver_pay \
         payment_method_options.nz_bank_account payment_method_options.oxxo payment_method_options.p24 \
         payment_method_options.pay_by_bank payment_method_options.payco payment_method_options.paynow \
         payment_method_options.paypal payment_method_options.payto payment_method_options.pix \
         payment_method_options.promptpay payment_method_options.revolut_pay \
         payment_method_options.samsung_pay payment_method_options.satispay payment_method_options.scalapay \
         payment_method_options.sepa_debit payment_method_options.sofort payment_method_options.swish \
         payment_method_options.twint payment_method_options.upi payment_method_options.us_bank_account \
         payment_method_options.wechat_pay payment_method_options.zip radar_options transfer_data"),
    ("GET /v1/payment_intents", "customer_account"),
    ("POST /v1/payment_intents/{intent}",
        "amount_details.line_items.*.payment_method_options.klarna \
         amount_details.line_items.*.payment_method_options.paypal application_fee_amount customer_account \
         excluded_payment_method_types hooks payment_method_configuration payment_method_data \
         payment_method_options.acss_debit payment_method_options.affirm \
         payment_method_options.afterpay_clearpay payment_method_options.alipay payment_method_options.alma \
         payment_method_options.amazon_pay payment_method_options.au_becs_debit \
         payment_method_options.bacs_debit payment_method_options.bancontact payment_method_options.billie \
         payment_method_options.bizum payment_method_options.blik payment_method_options.boleto \
         payment_method_options.card.capture_method payment_method_options.card.cvc_token \
         payment_method_options.card.installments.plan payment_method_options.card.mandate_options \
         payment_method_options.card.three_d_secure payment_method_options.card_present \
         payment_method_options.cashapp payment_method_options.crypto payment_method_options.customer_balance \
         payment_method_options.eps payment_method_options.fpx payment_method_options.giropay \
         payment_method_options.grabpay payment_method_options.ideal payment_method_options.interac_present \
         payment_method_options.kakao_pay payment_method_options.klarna payment_method_options.konbini \
         payment_method_options.kr_card payment_method_options.link payment_method_options.mb_way \
         payment_method_options.mobilepay payment_method_options.multibanco payment_method_options.naver_pay \
         payment_method_options.nz_bank_account payment_method_options.oxxo payment_method_options.p24 \
         payment_method_options.pay_by_bank payment_method_options.payco payment_method_options.paynow \
         payment_method_options.paypal payment_method_options.payto payment_method_options.pix \
         payment_method_options.promptpay payment_method_options.revolut_pay \
         payment_method_options.samsung_pay payment_method_options.satispay payment_method_options.scalapay \
         payment_method_options.sepa_debit payment_method_options.sofort payment_method_options.swish \
         payment_method_options.twint payment_method_options.upi payment_method_options.us_bank_account \
         payment_method_options.wechat_pay payment_method_options.zip transfer_data"),
    ("POST /v1/payment_intents/{intent}/confirm",
        "amount_details.line_items.*.payment_method_options.klarna \
         amount_details.line_items.*.payment_method_options.paypal amount_to_confirm confirmation_token \
         excluded_payment_method_types hooks mandate mandate_data payment_method_data \
         payment_method_options.acss_debit payment_method_options.affirm \
         payment_method_options.afterpay_clearpay payment_method_options.alipay payment_method_options.alma \
         payment_method_options.amazon_pay payment_method_options.au_becs_debit \
         payment_method_options.bacs_debit payment_method_options.bancontact payment_method_options.billie \
         payment_method_options.bizum payment_method_options.blik payment_method_options.boleto \
         payment_method_options.card.capture_method payment_method_options.card.cvc_token \
         payment_method_options.card.installments.plan payment_method_options.card.mandate_options \
         payment_method_options.card.three_d_secure payment_method_options.card_present \
         payment_method_options.cashapp payment_method_options.crypto payment_method_options.customer_balance \
         payment_method_options.eps payment_method_options.fpx payment_method_options.giropay \
         payment_method_options.grabpay payment_method_options.ideal payment_method_options.interac_present \
         payment_method_options.kakao_pay payment_method_options.klarna payment_method_options.konbini \
         payment_method_options.kr_card payment_method_options.link payment_method_options.mb_way \
         payment_method_options.mobilepay payment_method_options.multibanco payment_method_options.naver_pay \
         payment_method_options.nz_bank_account payment_method_options.oxxo payment_method_options.p24 \
         payment_method_options.pay_by_bank payment_method_options.payco payment_method_options.paynow \
         payment_method_options.paypal payment_method_options.payto payment_method_options.pix \
         payment_method_options.promptpay payment_method_options.revolut_pay \
         payment_method_options.samsung_pay payment_method_options.satispay payment_method_options.scalapay \
         payment_method_options.sepa_debit payment_method_options.sofort payment_method_options.swish \
         payment_method_options.twint payment_method_options.upi payment_method_options.us_bank_account \
         payment_method_options.wechat_pay payment_method_options.zip radar_options"),
    ("POST /v1/payment_intents/{intent}/capture",
        "amount_details.line_items.*.payment_method_options.klarna \
         amount_details.line_items.*.payment_method_options.paypal application_fee_amount hooks transfer_data"),
    ("POST /v1/refunds", "currency customer origin refund_application_fee reverse_transfer"),
    ("POST /v1/charges/{charge}", "customer fraud_details"),
    ("GET /v1/payouts", "arrival_date destination"),
    ("POST /v1/payouts", "destination payout_method source_type"),
    ("POST /v1/disputes/{dispute}",
        "evidence.cancellation_policy evidence.customer_communication evidence.customer_signature \
         evidence.duplicate_charge_documentation evidence.enhanced_evidence evidence.receipt \
         evidence.refund_policy evidence.service_documentation evidence.shipping_documentation \
         evidence.uncategorized_file"),
    ("POST /v1/customers",
        "balance business_name cash_balance individual_name invoice_prefix invoice_settings.custom_fields \
         invoice_settings.footer invoice_settings.rendering_options next_invoice_sequence source tax \
         tax_id_data test_clock"),
    ("GET /v1/customers", "test_clock"),
    ("POST /v1/customers/{customer}",
        "balance bank_account business_name card cash_balance default_alipay_account default_bank_account \
         default_card default_source individual_name invoice_prefix invoice_settings.custom_fields \
         invoice_settings.footer invoice_settings.rendering_options next_invoice_sequence source tax"),
    ("POST /v1/payment_methods",
        "acss_debit affirm afterpay_clearpay alipay alma amazon_pay au_becs_debit bacs_debit bancontact \
         billie bizum blik boleto card.cvc card.exp_month card.exp_year card.networks card.number cashapp \
         crypto custom customer customer_balance eps fpx giropay grabpay ideal interac_present kakao_pay \
         klarna konbini kr_card link mb_way mobilepay multibanco naver_pay nz_bank_account oxxo p24 \
         pay_by_bank payco payment_method paynow paypal payto pix promptpay radar_options revolut_pay \
         samsung_pay satispay scalapay sepa_debit sofort sunbit swish twint upi us_bank_account wechat_pay \
         zip"),
    ("GET /v1/payment_methods", "customer_account"),
    ("POST /v1/payment_methods/{payment_method}", "card.networks payto us_bank_account"),
    ("POST /v1/payment_methods/{payment_method}/attach", "customer_account"),
    ("POST /v1/setup_intents",
        "attach_to_self confirmation_token customer_account excluded_payment_method_types flow_directions \
         mandate_data on_behalf_of payment_method_configuration payment_method_data payment_method_options \
         single_use"),
    ("GET /v1/setup_intents", "attach_to_self customer_account"),
    ("POST /v1/setup_intents/{intent}",
        "attach_to_self customer_account excluded_payment_method_types flow_directions \
         payment_method_configuration payment_method_data payment_method_options"),
    ("POST /v1/setup_intents/{intent}/confirm",
        "confirmation_token mandate_data payment_method_data payment_method_options"),
    ("POST /v1/ephemeral_keys", "issuing_card nonce verification_session"),
    ("POST /v1/webhook_endpoints", "connect"),
];
