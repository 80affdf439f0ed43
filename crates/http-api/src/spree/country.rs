//! Names of countries in ISO 3166-1, for the answers.

use paywright_domain::storefront::CountryCode;
use rust_iso3166::CountryCode as Entry;

fn entry(code: CountryCode) -> Option<Entry> {
    rust_iso3166::from_alpha2(&code.to_string())
}

/// Whether ISO 3166-1 assigns the code to a country.
pub(super) fn is_known(code: CountryCode) -> bool {
    entry(code).is_some()
}

/// English name of the country.
pub(super) fn name(code: CountryCode) -> Option<&'static str> {
    entry(code).map(|it| it.name)
}

/// Three-letter code of the country (alpha-3).
pub(super) fn alpha3(code: CountryCode) -> Option<&'static str> {
    entry(code).map(|it| it.alpha3)
}
