//! JSON form of stored postings. A change that fails one of these tests needs a migration, not a new expectation.
#![cfg(feature = "serde")]
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use paywright_domain::books::{Account, Entry, Posting, SalesPart, SignedMoney, Source, TaxName};
use paywright_domain::money::Percent;
use paywright_domain::order::TaxRateDetails;
use paywright_domain::text::Text;
use paywright_domain::{Currency, IntentId};
use serde_json::{Value, json};

fn tax(rate: Option<TaxRateDetails>) -> SalesPart {
    SalesPart::Tax(TaxName { label: Text::new("VAT").unwrap(), rate })
}

#[test]
fn each_posting_of_a_sale_or_a_refund_has_its_stored_form() {
    let details = |country| Some(TaxRateDetails { percent: Percent::parse("19").unwrap(), country });
    let clearing = Account::Clearing(Source::Payment { intent: IntentId::new("pi_1").unwrap() });
    let postings: Vec<(Account, i64, Value)> = vec![
        (clearing, 119, json!({ "clearing": { "payment": { "intent": "pi_1" } } })),
        (Account::Sales(SalesPart::Goods), -100, json!({ "sales": "goods" })),
        (
            Account::Sales(tax(details("DE".parse().ok()))),
            -19,
            json!({ "sales": { "tax": { "label": "VAT", "rate": { "percent": "19", "country": "DE" } } } }),
        ),
        (
            Account::Refunds(tax(details(None))),
            0,
            json!({ "refunds": { "tax": { "label": "VAT", "rate": { "percent": "19", "country": null } } } }),
        ),
        (Account::Refunds(tax(None)), 0, json!({ "refunds": { "tax": { "label": "VAT" } } })),
    ];
    let posting = |(account, minor, _): &(Account, i64, Value)| Posting {
        account: account.clone(),
        amount: SignedMoney::new(*minor, Currency::Usd),
    };
    let entry = Entry::new(postings.iter().map(posting).collect()).unwrap();
    let form = |(_, minor, account): &(Account, i64, Value)| json!({ "account": account, "amount": { "minor": minor, "currency": "usd" } });
    let form = Value::Array(postings.iter().map(form).collect());
    assert_eq!(serde_json::to_value(&entry).unwrap(), json!({ "postings": form }));
    assert_eq!(Entry::new(serde_json::from_value(form).unwrap()).unwrap(), entry);
}
