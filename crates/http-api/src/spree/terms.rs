//! Terms of sale as JSON: the body of `PUT /terms`, and the file of `paywright prices terms`.

use paywright_domain::money::Percent;
use paywright_domain::storefront::{Coupon, CouponCode, Discount, Prices, ShippingRate, TaxRate, Terms};
use paywright_domain::text::Text;
use paywright_domain::{Money, Timestamp};
use serde_json::Value;

use super::amount;
use crate::reader::{FieldProblem, FieldProblems, NotRead, Reader, Reason, boolean, integer, parse, string};

/// Fields of the terms.
pub(crate) const TERMS: [&str; 3] = ["shipping", "taxes", "coupons"];
const SHIPPING: [&str; 4] = ["id", "name", "countries", "prices"];
const TAX: [&str; 5] = ["name", "country", "percent", "included", "on_shipping"];
const COUPON: [&str; 4] = ["code", "name", "discount", "expires_at"];

/// Reads a file of terms. An error has a line for each problem: the path of its field, and the rule that it violates.
pub fn parse_terms(text: &[u8]) -> Result<Terms, Vec<String>> {
    let value = match parse(text) {
        Ok(value) => value,
        Err(NotRead::Malformed(error)) => return Err(vec![format!("not JSON: {error}")]),
        Err(NotRead::Invalid(problems)) => return Err(problems.lines()),
    };
    let mut problems = FieldProblems::default();
    let fields = value.as_object().ok_or_else(|| FieldProblem::new("the file", "must be an object"));
    let fields = problems.keep(fields);
    let terms = fields.map(|it| read_terms(&mut Reader::new(it, &TERMS, &mut problems)));
    let terms = problems.done(terms).map_err(|it| it.lines())?;
    terms.check().map_err(|problem| vec![problem.to_string()])?;
    Ok(terms)
}

/// Reads terms field by field. Rules across fields are checked by [`Terms::check`].
pub(crate) fn read_terms(terms: &mut Reader<'_>) -> Terms {
    let shipping = terms.list("shipping", &SHIPPING, shipping_rate);
    let taxes = terms.list("taxes", &TAX, tax_rate);
    let coupons = terms.list("coupons", &COUPON, coupon);
    Terms {
        shipping: shipping.unwrap_or_default(),
        taxes: taxes.unwrap_or_default(),
        coupons: coupons.unwrap_or_default(),
    }
}

fn shipping_rate(rate: &mut Reader<'_>) -> Option<ShippingRate> {
    let id = rate.required("id", |it| Ok(Text::of_one_line(string(it)?)?));
    let name = rate.required("name", |it| Ok(Text::of_one_line(string(it)?)?));
    let countries = rate.values("countries", |it| Ok(string(it)?.parse()?));
    let prices = prices(rate, "prices");
    let countries = countries.unwrap_or_default().into_iter().collect();
    Some(ShippingRate { id: id?, name: name?, countries, prices: prices? })
}

fn tax_rate(tax: &mut Reader<'_>) -> Option<TaxRate> {
    let name = tax.required("name", |it| Ok(Text::of_one_line(string(it)?)?));
    let country = tax.required("country", |it| Ok(string(it)?.parse()?));
    let percent = tax.required("percent", percent);
    let included = tax.optional("included", boolean).unwrap_or_default();
    let on_shipping = tax.optional("on_shipping", boolean).unwrap_or_default();
    Some(TaxRate { name: name?, country: country?, percent: percent?, included, on_shipping })
}

fn coupon(coupon: &mut Reader<'_>) -> Option<Coupon> {
    let code = coupon.required("code", |it| Ok(CouponCode::new(string(it)?)?));
    let name = coupon.required("name", |it| Ok(Text::of_one_line(string(it)?)?));
    let discount = coupon.object("discount", &["amount", "percent"], discount);
    let expires_at = coupon.optional("expires_at", |it| Ok(Timestamp::from_unix_seconds(integer(it)?)?));
    Some(Coupon { code: code?, name: name?, discount: discount?, expires_at })
}

fn discount(discount: &mut Reader<'_>) -> Option<Discount> {
    match (discount.get("amount").is_some(), discount.get("percent").is_some()) {
        (true, false) => prices(discount, "amount").map(Discount::Amount),
        (false, true) => discount.required("percent", percent).map(Discount::Percent),
        (true, true) | (false, false) => {
            discount.note_here("must have either amount or percent");
            None
        }
    }
}

fn percent(value: &Value) -> Result<Percent, Reason> {
    Ok(Percent::parse(string(value)?)?)
}

/// Reads prices in minor units of ISO 4217, by currency.
fn prices(it: &mut Reader<'_>, name: &str) -> Option<Prices> {
    amount::prices(it, name, |minor, currency| Ok(Money::new(integer(minor)?, currency)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_read_from_a_file_and_from_their_stored_form() {
        let text =
            br#"{"shipping": [{"id": "post", "name": "Post", "countries": ["de", "US"], "prices": {"usd": 490}}],
            "taxes": [{"name": "VAT", "country": "DE", "percent": "19", "included": true}],
            "coupons": [{"code": "Ten", "name": "Ten", "discount": {"percent": "10"}, "expires_at": 1743415050},
                {"code": "five", "name": "Five", "discount": {"amount": {"usd": 500}}, "expires_at": null}]}"#;
        let terms = parse_terms(text).unwrap();
        assert_eq!((terms.shipping.len(), terms.taxes.len(), terms.coupons.len()), (1, 1, 2));
        // This reader accepts the stored JSON, with the same result.
        let stored = serde_json::to_string(&terms).unwrap();
        assert_eq!(parse_terms(stored.as_bytes()).unwrap(), terms);
        assert_eq!(serde_json::from_str::<Terms>(&stored).unwrap(), terms);
    }

    #[test]
    fn every_problem_of_a_file_of_terms_is_named() {
        let text = br#"{"shipping": [[], {"id": "", "name": 1, "countries": ["D"], "prices": {"usd": -1, "xxx": 1}}],
            "taxes": {"name": "VAT"}, "coupons": [{"code": "x", "name": "X", "discount": {"percent": 10}},
            {"code": "y", "name": "Y", "discount": {}, "expires_at": "soon"},
            {"code": "z", "name": "Z", "discount": {"amount": {"usd": 100, "USD": 200}}}], "color": "red"}"#;
        let expected = [
            "color is not a known field",
            "shipping[0] must be an object",
            "shipping[1].id must have at least 1 character",
            "shipping[1].name must be a string",
            "shipping[1].countries[0] must be the two letters of a country, like DE",
            "shipping[1].prices.usd must not be negative",
            "shipping[1].prices.xxx must be the three-letter ISO 4217 code of a currency that Stripe takes payments in",
            "taxes must be an array",
            "coupons[0].discount.percent must be a string",
            "coupons[1].discount must have either amount or percent",
            "coupons[1].expires_at must be an integer",
            "coupons[2].discount.amount has a price in usd twice",
        ];
        assert_eq!(parse_terms(text).unwrap_err(), expected);
        assert_eq!(parse_terms(b"[[],[],[]]").unwrap_err(), ["the file must be an object"]);
        assert!(parse_terms(b"{").unwrap_err()[0].starts_with("not JSON"));
        let twice = br#"{"coupons": [], "coupons": []}"#;
        assert_eq!(parse_terms(twice).unwrap_err(), ["coupons appears twice"]);
    }
}
