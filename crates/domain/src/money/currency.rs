//! Table of currencies with the decimals of ISO 4217, of prices on display and of Stripe's API, which differ: see
//! [`Currency::iso_exponent`], [`Currency::display_exponent`] and [`Currency::wire_exponent`]. The numbers are
//! constants, not read from the platform, so that an update of a locale library cannot change the value of a stored
//! amount. A test compares the ISO column with an independent list.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

macro_rules! currencies {
    ($($variant:ident $code:literal $iso:literal $display:literal $wire:literal;)*) => {
        /// Currency in which Stripe accepts payments (a presentment currency). Stripe adds some now and then.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(missing_docs, reason = "each variant is its ISO 4217 code")]
        #[non_exhaustive]
        pub enum Currency { $($variant),* }

        impl Currency {
            /// All currencies of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The ISO 4217 code in lower case, as Stripe writes it.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code),* }
            }

            /// Number of decimals by ISO 4217. [`Money`](crate::Money) counts in these minor units.
            pub const fn iso_exponent(self) -> u32 {
                match self { $(Self::$variant => $iso),* }
            }

            /// Number of decimals with which a price is shown: enough for every chargeable amount to be exact.
            pub const fn display_exponent(self) -> u32 {
                match self { $(Self::$variant => $display),* }
            }

            /// Number of decimals of an amount in Stripe's API ("Supported currencies": zero-decimal list,
            /// three-decimal list, and the special cases ISK and UGX, which are sent with two zeroes).
            pub const fn wire_exponent(self) -> u32 {
                match self { $(Self::$variant => $wire),* }
            }
        }

        impl FromStr for Currency {
            type Err = UnknownCurrency;

            /// Parses an ISO 4217 code, in either case.
            fn from_str(text: &str) -> Result<Self, UnknownCurrency> {
                match text.to_ascii_lowercase().as_str() {
                    $($code => Ok(Self::$variant),)*
                    _ => Err(UnknownCurrency),
                }
            }
        }
    };
}

//         code  ISO display wire
currencies! {
    Aed "aed" 2 2 2; Afn "afn" 2 2 2; All "all" 2 2 2; Amd "amd" 2 2 2; Aoa "aoa" 2 2 2;
    Ars "ars" 2 2 2; Aud "aud" 2 2 2; Awg "awg" 2 2 2; Azn "azn" 2 2 2; Bam "bam" 2 2 2; Bbd "bbd" 2 2 2;
    Bdt "bdt" 2 2 2; Bgn "bgn" 2 2 2; Bhd "bhd" 3 3 3; Bif "bif" 0 0 0; Bmd "bmd" 2 2 2; Bnd "bnd" 2 2 2;
    Bob "bob" 2 2 2; Brl "brl" 2 2 2; Bsd "bsd" 2 2 2; Bwp "bwp" 2 2 2; Byn "byn" 2 2 2; Bzd "bzd" 2 2 2;
    Cad "cad" 2 2 2; Cdf "cdf" 2 2 2; Chf "chf" 2 2 2; Clp "clp" 0 0 0; Cny "cny" 2 2 2; Cop "cop" 2 2 2;
    Crc "crc" 2 2 2; Cve "cve" 2 2 2; Czk "czk" 2 2 2; Djf "djf" 0 0 0; Dkk "dkk" 2 2 2; Dop "dop" 2 2 2;
    Dzd "dzd" 2 2 2; Egp "egp" 2 2 2; Etb "etb" 2 2 2; Eur "eur" 2 2 2; Fjd "fjd" 2 2 2; Fkp "fkp" 2 2 2;
    Gbp "gbp" 2 2 2; Gel "gel" 2 2 2; Gip "gip" 2 2 2; Gmd "gmd" 2 2 2; Gnf "gnf" 0 0 0; Gtq "gtq" 2 2 2;
    Gyd "gyd" 2 2 2; Hkd "hkd" 2 2 2; Hnl "hnl" 2 2 2; Htg "htg" 2 2 2; Huf "huf" 2 2 2; Idr "idr" 2 2 2;
    Ils "ils" 2 2 2; Inr "inr" 2 2 2; Isk "isk" 0 0 2; Jmd "jmd" 2 2 2; Jod "jod" 3 3 3; Jpy "jpy" 0 0 0;
    Kes "kes" 2 2 2; Kgs "kgs" 2 2 2; Khr "khr" 2 2 2; Kmf "kmf" 0 0 0; Krw "krw" 0 0 0; Kwd "kwd" 3 3 3;
    Kyd "kyd" 2 2 2; Kzt "kzt" 2 2 2; Lak "lak" 2 2 2; Lbp "lbp" 2 2 2; Lkr "lkr" 2 2 2; Lrd "lrd" 2 2 2;
    Lsl "lsl" 2 2 2; Mad "mad" 2 2 2; Mdl "mdl" 2 2 2; Mga "mga" 2 0 0; Mkd "mkd" 2 2 2; Mmk "mmk" 2 2 2;
    Mnt "mnt" 2 2 2; Mop "mop" 2 2 2; Mur "mur" 2 2 2; Mvr "mvr" 2 2 2; Mwk "mwk" 2 2 2; Mxn "mxn" 2 2 2;
    Myr "myr" 2 2 2; Mzn "mzn" 2 2 2; Nad "nad" 2 2 2; Ngn "ngn" 2 2 2; Nio "nio" 2 2 2; Nok "nok" 2 2 2;
    Npr "npr" 2 2 2; Nzd "nzd" 2 2 2; Omr "omr" 3 3 3; Pab "pab" 2 2 2; Pen "pen" 2 2 2; Pgk "pgk" 2 2 2;
    Php "php" 2 2 2; Pkr "pkr" 2 2 2; Pln "pln" 2 2 2; Pyg "pyg" 0 0 0; Qar "qar" 2 2 2; Ron "ron" 2 2 2;
    Rsd "rsd" 2 2 2; Rub "rub" 2 2 2; Rwf "rwf" 0 0 0; Sar "sar" 2 2 2; Sbd "sbd" 2 2 2; Scr "scr" 2 2 2;
    Sek "sek" 2 2 2; Sgd "sgd" 2 2 2; Shp "shp" 2 2 2; Sle "sle" 2 2 2; Sos "sos" 2 2 2; Srd "srd" 2 2 2;
    Szl "szl" 2 2 2; Thb "thb" 2 2 2; Tjs "tjs" 2 2 2; Tnd "tnd" 3 3 3; Top "top" 2 2 2; Try "try" 2 2 2;
    Ttd "ttd" 2 2 2; Twd "twd" 2 2 2; Tzs "tzs" 2 2 2; Uah "uah" 2 2 2; Ugx "ugx" 0 0 2; Usd "usd" 2 2 2;
    Uyu "uyu" 2 2 2; Uzs "uzs" 2 2 2; Vnd "vnd" 0 0 0; Vuv "vuv" 0 0 0; Wst "wst" 2 2 2; Xaf "xaf" 0 0 0;
    Xcd "xcd" 2 2 2; Xcg "xcg" 2 2 2; Xof "xof" 0 0 0; Xpf "xpf" 0 0 0; Yer "yer" 2 2 2; Zar "zar" 2 2 2;
    Zmw "zmw" 2 2 2;
}

/// Error of a code that is not in the table of currencies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must be the three-letter ISO 4217 code of a currency that Stripe takes payments in")]
#[non_exhaustive]
pub struct UnknownCurrency;

impl Currency {
    /// Smallest amount, in units of Stripe's API, of which every amount must be a multiple: 10 in three-decimal
    /// currencies, 100 in ISK and UGX, which are sent with two zeroes, else 1.
    pub const fn wire_step(self) -> i64 {
        match self.wire_exponent() {
            3 => 10,
            2 if self.iso_exponent() == 0 => 100,
            _ => 1,
        }
    }

    /// Smallest payable amount, in minor units of ISO 4217: the same step as [`Self::wire_step`] in other units.
    pub const fn minor_step(self) -> i64 {
        let dropped = self.iso_exponent().saturating_sub(self.wire_exponent());
        let step = 10_i64.pow(dropped);
        if self.wire_exponent() == 3 { step * 10 } else { step }
    }

    /// Stripe's minimum charge in this currency, in units of its API; `None` where it publishes none ("Supported
    /// currencies", section "Minimum charge amount by currency"). Stripe checks the minimum in the settlement currency,
    /// so it may still refuse an amount above this one when it converts money.
    #[expect(clippy::wildcard_enum_match_arm, reason = "Stripe publishes a minimum for these currencies only")]
    pub const fn wire_minimum(self) -> Option<i64> {
        Some(match self {
            Self::Ars
            | Self::Aud
            | Self::Brl
            | Self::Cad
            | Self::Chf
            | Self::Cop
            | Self::Eur
            | Self::Idr
            | Self::Ils
            | Self::Inr
            | Self::Jpy
            | Self::Krw
            | Self::Nzd
            | Self::Php
            | Self::Rub
            | Self::Sgd
            | Self::Usd
            | Self::Zar => 50,
            Self::Gbp => 30,
            Self::Dkk => 250,
            Self::Nok | Self::Sek => 300,
            Self::Aed | Self::Pln | Self::Myr | Self::Ron => 200,
            Self::Hkd => 400,
            Self::Mxn | Self::Thb => 1000,
            Self::Czk => 1500,
            Self::Huf => 17_500,
            _ => return None,
        })
    }

    /// Stripe's maximum of one charge in this currency, in units of its API: eight digits (API reference, `amount` of a
    /// PaymentIntent), and more in the currencies that its page names ("Supported currencies", section "Minimum and
    /// maximum charge amounts": 12 for IDR, 11 for LBP, 10 for COP, HUF and JPY, 9 for INR; those of LBP, HUF and JPY
    /// are for cards). A newer edition of the page allows most cards twelve digits in every currency; the reference
    /// does not say so, so the narrower limit applies. Card networks and other payment methods may have lower limits.
    #[expect(clippy::wildcard_enum_match_arm, reason = "Stripe publishes a higher maximum for these currencies only")]
    pub const fn wire_maximum(self) -> i64 {
        match self {
            Self::Idr => 999_999_999_999,
            Self::Lbp => 99_999_999_999,
            Self::Cop | Self::Huf | Self::Jpy => 9_999_999_999,
            Self::Inr => 999_999_999,
            _ => 99_999_999,
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(feature = "serde")]
mod serialized {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Currency;

    impl Serialize for Currency {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_str(self.code())
        }
    }

    impl<'de> Deserialize<'de> for Currency {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let code = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
            code.parse().map_err(serde::de::Error::custom)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Currencies whose columns are not 2, 2, 2, by ISO 4217 and Stripe's page "Supported currencies".
    const UNUSUAL: [(&str, u32, u32, u32); 22] = [
        ("bhd", 3, 3, 3),
        ("bif", 0, 0, 0),
        ("clp", 0, 0, 0),
        ("djf", 0, 0, 0),
        ("gnf", 0, 0, 0),
        ("isk", 0, 0, 2),
        ("jod", 3, 3, 3),
        ("jpy", 0, 0, 0),
        ("kmf", 0, 0, 0),
        ("krw", 0, 0, 0),
        ("kwd", 3, 3, 3),
        ("mga", 2, 0, 0),
        ("omr", 3, 3, 3),
        ("pyg", 0, 0, 0),
        ("rwf", 0, 0, 0),
        ("tnd", 3, 3, 3),
        ("ugx", 0, 0, 2),
        ("vnd", 0, 0, 0),
        ("vuv", 0, 0, 0),
        ("xaf", 0, 0, 0),
        ("xof", 0, 0, 0),
        ("xpf", 0, 0, 0),
    ];

    #[test]
    fn each_exponent_is_that_of_iso_4217_or_of_stripes_page() {
        for &currency in Currency::ALL {
            let columns = (currency.iso_exponent(), currency.display_exponent(), currency.wire_exponent());
            let expected = UNUSUAL.iter().find(|it| it.0 == currency.code()).map_or((2, 2, 2), |it| (it.1, it.2, it.3));
            assert_eq!(columns, expected, "{currency}");
        }
        assert_eq!(UNUSUAL.iter().filter(|it| it.0.parse::<Currency>().is_err()).count(), 0);
    }

    #[test]
    fn the_iso_column_equals_an_independent_list_of_iso_4217() {
        for &currency in Currency::ALL {
            let iso = iso_currency::Currency::from_code(&currency.code().to_uppercase());
            let exponent = iso.and_then(iso_currency::Currency::exponent).map(u32::from);
            assert_eq!(exponent, Some(currency.iso_exponent()), "{currency}");
        }
    }

    #[test]
    fn codes_are_unique_and_parsed_in_either_case() {
        let codes: BTreeSet<_> = Currency::ALL.iter().map(|it| it.code()).collect();
        assert_eq!(codes.len(), Currency::ALL.len());
        for &currency in Currency::ALL {
            assert_eq!(currency.code().parse(), Ok(currency));
            assert_eq!(currency.code().to_uppercase().parse(), Ok(currency));
        }
        for unknown in ["", "us", "usdd", "xxx", "btc", " usd"] {
            assert_eq!(unknown.parse::<Currency>(), Err(UnknownCurrency), "{unknown:?}");
        }
    }

    /// "Supported currencies" as of 2026, and the API reference of `amount`.
    #[test]
    fn charge_limits_are_those_that_stripe_publishes() {
        for (code, minimum, maximum) in [
            ("usd", Some(50), 99_999_999),
            ("gbp", Some(30), 99_999_999),
            ("krw", Some(50), 99_999_999),
            ("zar", Some(50), 99_999_999),
            ("huf", Some(17_500), 9_999_999_999),
            ("idr", Some(50), 999_999_999_999),
            ("cop", Some(50), 9_999_999_999),
            ("jpy", Some(50), 9_999_999_999),
            ("inr", Some(50), 999_999_999),
            ("lbp", None, 99_999_999_999),
            ("vnd", None, 99_999_999),
        ] {
            let currency: Currency = code.parse().unwrap();
            assert_eq!((currency.wire_minimum(), currency.wire_maximum()), (minimum, maximum), "{code}");
        }
        let higher = Currency::ALL.iter().filter(|it| it.wire_maximum() > 99_999_999).count();
        let with_minimum = Currency::ALL.iter().filter(|it| it.wire_minimum().is_some()).count();
        assert_eq!((higher, with_minimum), (6, 31));
    }

    #[test]
    fn amounts_at_stripe_have_the_step_of_their_currency() {
        for (currency, step) in
            [(Currency::Usd, 1), (Currency::Jpy, 1), (Currency::Kwd, 10), (Currency::Isk, 100), (Currency::Ugx, 100)]
        {
            assert_eq!(currency.wire_step(), step, "{currency}");
        }
    }
}
