//! Time to encode the form of a request, with its encoding as JSON as the lower bound.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot run fails")]

use criterion::{Criterion, criterion_group, criterion_main};
use paywright_payments_stripe::{
    AmountDetails, AutomaticPaymentMethods, CaptureMethod, CreatePaymentIntent, DetailLine, IntentMetadata, Replaced,
};

fn request(lines: u32) -> CreatePaymentIntent {
    let line = |n: u32| DetailLine { product_name: format!("Product {n}"), quantity: n, unit_cost: 5600 };
    CreatePaymentIntent {
        amount: 11_200,
        currency: "usd".into(),
        customer: None,
        payment_method: None,
        setup_future_usage: None,
        automatic_payment_methods: AutomaticPaymentMethods { enabled: true },
        capture_method: CaptureMethod::AutomaticAsync,
        description: Some("Payment for Order #ORD-20250331-5XZF00".into()),
        receipt_email: Some("ada@example.com".into()),
        metadata: IntentMetadata {
            order_id: "0195ead7-9d10-7000-8000-000000000009".into(),
            order_number: "ORD-20250331-5XZF00".into(),
            revision: 1,
            customer_id: None,
            installation_id: None,
        },
        amount_details: Some(AmountDetails {
            line_items: Replaced::With((1..=lines).map(line).collect()),
            discount_amount: None,
            shipping: None,
            tax: None,
        }),
    }
}

fn forms(criterion: &mut Criterion) {
    for lines in [2, 50] {
        let request = request(lines);
        criterion.bench_function(&format!("form of {lines} lines"), |it| {
            it.iter(|| serde_qs::to_string(std::hint::black_box(&request)).unwrap());
        });
        criterion.bench_function(&format!("floor: the same as JSON, {lines} lines"), |it| {
            it.iter(|| serde_json::to_string(std::hint::black_box(&request)).unwrap());
        });
    }
}

criterion_group!(benches, forms);
criterion_main!(benches);
