//! Countries of ISO 3166-1, and states of ISO 3166-2 in the countries where Spree has states.

use paywright_domain::country::CountryCode;
use paywright_domain::storefront::Address;
use rust_iso3166::CountryCode as Entry;
use rust_iso3166::iso3166_2::Subdivision;

fn entry(code: CountryCode) -> Option<Entry> {
    rust_iso3166::from_alpha2(&code.to_string())
}

/// Finds a country by its code of two or three letters, in either case, as Spree does.
pub(super) fn country(text: &str) -> Option<CountryCode> {
    let text = text.trim().to_ascii_uppercase();
    let found = rust_iso3166::from_alpha2(&text).or_else(|| rust_iso3166::from_alpha3(&text));
    found.and_then(|it| it.alpha2.parse().ok())
}

/// English name of the country.
pub(super) fn name(code: CountryCode) -> Option<&'static str> {
    entry(code).map(|it| it.name)
}

/// Three-letter code of the country (alpha-3).
pub(super) fn alpha3(code: CountryCode) -> Option<&'static str> {
    entry(code).map(|it| it.alpha3)
}

/// Name and code of the state that an address names by either: `New York` and `NY`. `None` for a country without states in
/// Spree, and for a state that ISO 3166-2 does not have under this name.
pub(super) fn state(address: &Address) -> Option<(&'static str, &'static str)> {
    let (text, country) = (address.state.as_str().trim(), address.country.to_string());
    if !Address::COUNTRIES_WITH_STATES.contains(&country.as_str()) {
        return None;
    }
    // Codes are `{country}-{state}`.
    let code = |it: &Subdivision| it.code.split_once('-').map_or(it.code, |(_, code)| code);
    let country = entry(address.country)?;
    let is_named = |it: &&Subdivision| it.name.eq_ignore_ascii_case(text) || code(it).eq_ignore_ascii_case(text);
    country.subdivisions()?.iter().find(is_named).map(|it| (it.name, code(it)))
}

#[cfg(test)]
mod tests {
    use paywright_domain::text::Text;

    use super::*;

    #[test]
    fn a_country_is_found_by_both_of_its_codes() {
        for (text, found) in [
            ("US", Some("US")),
            ("usa", Some("US")),
            ("DEU", Some("DE")),
            (" gb ", Some("GB")),
            ("ZZ", None),
            ("ZZZ", None),
            ("Germany", None),
            ("", None),
        ] {
            assert_eq!(country(text).map(|it| it.to_string()).as_deref(), found, "{text}");
        }
    }

    #[test]
    fn a_state_is_found_by_its_name_and_by_its_code() {
        for (country, text, found) in [
            ("US", "New York", Some(("New York", "NY"))),
            ("US", "ny", Some(("New York", "NY"))),
            ("CA", "Ontario", Some(("Ontario", "ON"))),
            ("AU", "NSW", Some(("New South Wales", "NSW"))),
            ("US", "Ontario", None),
            ("US", "", None),
            // Spree has no states of this country.
            ("DE", "Bayern", None),
        ] {
            let address = Address { state: Text::new(text).unwrap(), ..Address::of(country.parse().unwrap()) };
            assert_eq!(state(&address), found, "{country} {text}");
        }
    }
}
