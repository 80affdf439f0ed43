use crate::country::CountryCode;
use crate::text::{Text, is_blank};

/// Billing or shipping address. Only its country has an effect: on shipping rates, taxes and the required fields.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Address {
    /// Given name.
    pub first_name: Text<0, 100>,
    /// Family name.
    pub last_name: Text<0, 100>,
    /// Company name.
    pub company: Text<0, 150>,
    /// Street and house number.
    pub address1: Text<0, 250>,
    /// Second line of the street address.
    pub address2: Text<0, 250>,
    /// City.
    pub city: Text<0, 100>,
    /// Postal code.
    pub zipcode: Text<0, 20>,
    /// State, province or region.
    pub state: Text<0, 100>,
    /// Country, which determines shipping rates and taxes.
    pub country: CountryCode,
    /// Telephone number.
    pub phone: Text<0, 40>,
    /// Customer's label for the address, e.g. home or office.
    pub label: Text<0, 50>,
    /// Whether a wallet sent the address before its customer confirmed (quick checkout): all fields but the city may be
    /// missing until the payment.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "std::ops::Not::not"))]
    pub is_quick: bool,
}

/// Required field of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressField {
    /// Given name.
    FirstName,
    /// Family name.
    LastName,
    /// Street and house number.
    Street,
    /// City.
    City,
    /// State, required in [`Address::COUNTRIES_WITH_STATES`].
    State,
}

variant_names! {
    /// Name of the field in Spree's API.
    AddressField {
        FirstName => "firstname",
        LastName => "lastname",
        Street => "address1",
        City => "city",
        State => "state",
    }
}

impl Address {
    /// Countries whose addresses require a state: those of `Spree::Address::STATES_REQUIRED` (Spree 5.1).
    pub const COUNTRIES_WITH_STATES: [&'static str; 18] =
        ["AE", "AU", "BR", "CA", "CN", "ES", "HK", "IE", "IN", "IT", "MX", "MY", "NZ", "PT", "RO", "TH", "US", "ZA"];

    /// Required fields that are blank. An order can be paid only when there are none.
    pub fn missing(&self) -> Vec<AddressField> {
        let country = self.country.to_string();
        let needs_state = Self::COUNTRIES_WITH_STATES.contains(&country.as_str());
        let fields = [
            (AddressField::FirstName, self.first_name.as_str()),
            (AddressField::LastName, self.last_name.as_str()),
            (AddressField::Street, self.address1.as_str()),
            (AddressField::City, self.city.as_str()),
            (AddressField::State, if needs_state { self.state.as_str() } else { "none" }),
        ];
        fields.into_iter().filter(|(_, text)| is_blank(text)).map(|(field, _)| field).collect()
    }

    /// Required fields that are blank when a customer submits the address: of a quick address only the city is
    /// required.
    pub fn missing_when_given(&self) -> Vec<AddressField> {
        let mut missing = self.missing();
        missing.retain(|it| !self.is_quick || *it == AddressField::City);
        missing
    }

    /// Required fields that are blank in a quick address. Any other address was checked when it was submitted.
    pub(super) fn missing_until_payment(&self) -> Vec<AddressField> {
        if self.is_quick { self.missing() } else { Vec::new() }
    }

    /// Makes an address of a country, with all other fields empty.
    pub fn of(country: CountryCode) -> Self {
        Self {
            first_name: Text::default(),
            last_name: Text::default(),
            company: Text::default(),
            address1: Text::default(),
            address2: Text::default(),
            city: Text::default(),
            zipcode: Text::default(),
            state: Text::default(),
            country,
            phone: Text::default(),
            label: Text::default(),
            is_quick: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_the_fields_that_spree_requires_for_its_country() {
        use AddressField::{City, FirstName, LastName, State, Street};
        let named = |country: &str| Address::of(country.parse().unwrap());
        let full = |country: &str| Address {
            first_name: Text::new("Ada").unwrap(),
            last_name: Text::new("Lovelace").unwrap(),
            address1: Text::new("1 Analytical Way").unwrap(),
            city: Text::new("Town").unwrap(),
            ..named(country)
        };
        let quick = |address: Address| Address { is_quick: true, ..address };
        for (address, given, until_payment) in [
            (named("DE"), vec![FirstName, LastName, Street, City], vec![]),
            (named("US"), vec![FirstName, LastName, Street, City, State], vec![]),
            (Address { city: Text::new("  ").unwrap(), ..full("DE") }, vec![City], vec![]),
            (Address { city: Text::new("\u{200b} \u{feff}").unwrap(), ..full("DE") }, vec![City], vec![]),
            (full("DE"), vec![], vec![]),
            (full("US"), vec![State], vec![]),
            (Address { state: Text::new("New York").unwrap(), ..full("US") }, vec![], vec![]),
            (quick(named("US")), vec![City], vec![FirstName, LastName, Street, City, State]),
            (quick(full("US")), vec![], vec![State]),
            (quick(full("DE")), vec![], vec![]),
        ] {
            assert_eq!((address.missing_when_given(), address.missing_until_payment()), (given, until_payment));
        }
        assert!(Address::COUNTRIES_WITH_STATES.is_sorted());
    }
}
