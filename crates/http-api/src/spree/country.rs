//! Names of countries, for those who read addresses.

use paywright_domain::CountryCode;
use rust_iso3166::CountryCode as Known;

fn known(code: CountryCode) -> Option<Known> {
    rust_iso3166::from_alpha2(&code.to_string())
}

/// Whether ISO 3166-1 has it.
pub(super) fn is_known(code: CountryCode) -> bool {
    known(code).is_some()
}

/// Its English name.
pub(super) fn name(code: CountryCode) -> Option<&'static str> {
    known(code).map(|it| it.name)
}

/// Its three letters.
pub(super) fn alpha3(code: CountryCode) -> Option<&'static str> {
    known(code).map(|it| it.alpha3)
}
