//! Symbols of currencies and their places in an amount, as Spree shows them.
//!
//! Source: the currency table of Ruby's gem money (`config/currency_iso.json`, fields `symbol`, `symbol_first` and
//! `format`) in version 6.19, the last before 7, which Spree 5.1 cannot use. XCG is in none of its releases up to 6.19:
//! its symbol is that of the issuing Centrale Bank van Curaçao en Sint Maarten.

use paywright_domain::Currency;

/// Place of a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Before the number: `$1.00`.
    Before,
    /// Before the number and a space: `CHF 1.00`.
    BeforeSpace,
    /// After the number and a space: `1.00 kr`.
    After,
}

use Place::{After, Before, BeforeSpace};

/// Returns the symbol of a currency and its place; for a currency that is not in the table, its code.
pub(super) fn symbol(currency: Currency) -> (&'static str, Place) {
    let found = SYMBOLS.binary_search_by_key(&currency, |(known, ..)| *known).ok().and_then(|at| SYMBOLS.get(at));
    found.map_or((currency.code(), BeforeSpace), |(_, symbol, place)| (*symbol, *place))
}

/// Number of decimals in which gem money counts a currency, where ISO 4217 has another: no subunit of the forint, and
/// fifths of the ariary.
#[expect(clippy::wildcard_enum_match_arm, reason = "the others have the decimals of ISO 4217")]
pub(super) const fn decimals(currency: Currency) -> u32 {
    match currency {
        Currency::Huf => 0,
        Currency::Mga => 1,
        other => other.iso_exponent(),
    }
}

/// Currencies in the order of their codes.
const SYMBOLS: [(Currency, &str, Place); 138] = [
    (Currency::Aed, "د.إ", After),
    (Currency::Afn, "؋", After),
    (Currency::All, "L", After),
    (Currency::Amd, "դր.", After),
    (Currency::Aoa, "Kz", After),
    (Currency::Ars, "$", Before),
    (Currency::Aud, "$", Before),
    (Currency::Awg, "ƒ", After),
    (Currency::Azn, "₼", Before),
    (Currency::Bam, "КМ", Before),
    (Currency::Bbd, "$", Before),
    (Currency::Bdt, "৳", Before),
    (Currency::Bgn, "лв.", After),
    (Currency::Bhd, "د.ب", Before),
    (Currency::Bif, "Fr", After),
    (Currency::Bmd, "$", Before),
    (Currency::Bnd, "$", Before),
    (Currency::Bob, "Bs.", Before),
    (Currency::Brl, "R$", Before),
    (Currency::Bsd, "$", Before),
    (Currency::Bwp, "P", Before),
    (Currency::Byn, "Br", After),
    (Currency::Bzd, "$", Before),
    (Currency::Cad, "$", Before),
    (Currency::Cdf, "Fr", After),
    (Currency::Chf, "CHF", BeforeSpace),
    (Currency::Clp, "$", Before),
    (Currency::Cny, "¥", Before),
    (Currency::Cop, "$", Before),
    (Currency::Crc, "₡", Before),
    (Currency::Cve, "$", After),
    (Currency::Czk, "Kč", After),
    (Currency::Djf, "Fdj", After),
    (Currency::Dkk, "kr.", After),
    (Currency::Dop, "$", Before),
    (Currency::Dzd, "د.ج", After),
    (Currency::Egp, "ج.م", Before),
    (Currency::Etb, "Br", After),
    (Currency::Eur, "€", Before),
    (Currency::Fjd, "$", After),
    (Currency::Fkp, "£", After),
    (Currency::Gbp, "£", Before),
    (Currency::Gel, "₾", After),
    (Currency::Gip, "£", Before),
    (Currency::Gmd, "D", After),
    (Currency::Gnf, "Fr", After),
    (Currency::Gtq, "Q", Before),
    (Currency::Gyd, "$", After),
    (Currency::Hkd, "$", Before),
    (Currency::Hnl, "L", Before),
    (Currency::Htg, "G", After),
    (Currency::Huf, "Ft", After),
    (Currency::Idr, "Rp", Before),
    (Currency::Ils, "₪", Before),
    (Currency::Inr, "₹", Before),
    (Currency::Isk, "kr.", After),
    (Currency::Jmd, "$", Before),
    (Currency::Jod, "د.ا", Before),
    (Currency::Jpy, "¥", Before),
    (Currency::Kes, "KSh", Before),
    (Currency::Kgs, "som", After),
    (Currency::Khr, "៛", After),
    (Currency::Kmf, "Fr", After),
    (Currency::Krw, "₩", Before),
    (Currency::Kwd, "د.ك", Before),
    (Currency::Kyd, "$", Before),
    (Currency::Kzt, "₸", After),
    (Currency::Lak, "₭", After),
    (Currency::Lbp, "ل.ل", Before),
    (Currency::Lkr, "₨", After),
    (Currency::Lrd, "$", After),
    (Currency::Lsl, "L", After),
    (Currency::Mad, "د.م.", After),
    (Currency::Mdl, "L", After),
    (Currency::Mga, "Ar", Before),
    (Currency::Mkd, "ден", After),
    (Currency::Mmk, "K", After),
    (Currency::Mnt, "₮", After),
    (Currency::Mop, "P", After),
    (Currency::Mur, "₨", Before),
    (Currency::Mvr, "MVR", After),
    (Currency::Mwk, "MK", After),
    (Currency::Mxn, "$", Before),
    (Currency::Myr, "RM", Before),
    (Currency::Mzn, "MTn", Before),
    (Currency::Nad, "$", After),
    (Currency::Ngn, "₦", Before),
    (Currency::Nio, "C$", Before),
    (Currency::Nok, "kr", After),
    (Currency::Npr, "Rs.", Before),
    (Currency::Nzd, "$", Before),
    (Currency::Omr, "ر.ع.", Before),
    (Currency::Pab, "B/.", Before),
    (Currency::Pen, "S/", Before),
    (Currency::Pgk, "K", After),
    (Currency::Php, "₱", Before),
    (Currency::Pkr, "₨", Before),
    (Currency::Pln, "zł", After),
    (Currency::Pyg, "₲", Before),
    (Currency::Qar, "ر.ق", After),
    (Currency::Ron, "Lei", After),
    (Currency::Rsd, "РСД", Before),
    (Currency::Rub, "₽", After),
    (Currency::Rwf, "FRw", After),
    (Currency::Sar, "ر.س", Before),
    (Currency::Sbd, "$", After),
    (Currency::Scr, "₨", After),
    (Currency::Sek, "kr", After),
    (Currency::Sgd, "$", Before),
    (Currency::Shp, "£", After),
    (Currency::Sle, "Le", After),
    (Currency::Sos, "Sh", After),
    (Currency::Srd, "$", After),
    (Currency::Szl, "E", Before),
    (Currency::Thb, "฿", Before),
    (Currency::Tjs, "ЅМ", After),
    (Currency::Tnd, "د.ت", After),
    (Currency::Top, "T$", Before),
    (Currency::Try, "₺", Before),
    (Currency::Ttd, "$", After),
    (Currency::Twd, "$", Before),
    (Currency::Tzs, "Sh", Before),
    (Currency::Uah, "₴", After),
    (Currency::Ugx, "USh", After),
    (Currency::Usd, "$", Before),
    (Currency::Uyu, "$U", Before),
    (Currency::Uzs, "so'm", After),
    (Currency::Vnd, "₫", After),
    (Currency::Vuv, "Vt", Before),
    (Currency::Wst, "T", After),
    (Currency::Xaf, "CFA", After),
    (Currency::Xcd, "$", Before),
    (Currency::Xcg, "Cg", Before),
    (Currency::Xof, "Fr", After),
    (Currency::Xpf, "Fr", After),
    (Currency::Yer, "﷼", After),
    (Currency::Zar, "R", Before),
    (Currency::Zmw, "K", Before),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_currency_has_a_symbol() {
        assert!(SYMBOLS.iter().map(|(currency, ..)| currency).eq(Currency::ALL));
    }
}
