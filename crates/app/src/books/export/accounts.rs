//! Names of the accounts in exports.

use std::collections::BTreeMap;

use paywright_domain::books::{Account, BalanceType, Source};
use sha2::{Digest, Sha256};
use thiserror::Error;

/// Names that the accounts of the books have in exports: those of the shop's own chart, where settings give them, else
/// names of ours. Each is a name that beancount accepts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountNames(BTreeMap<String, String>);

/// Why a setting of an account's name is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AccountNameError {
    /// The key is no account of the books.
    #[error(
        "`{key}` is no account of the books; it must be one of {}, `sales:tax`, `refunds:tax` or `other`, \
         with what follows or without the last part",
        paths()
    )]
    Key {
        /// The key.
        key: String,
    },
    /// The name is not valid in beancount.
    #[error(
        "`{key}` has the name `{name}`, which must be Assets, Liabilities, Equity, Income or Expenses and further parts \
         with colons between, each of letters, digits and hyphens, with a capital letter or a digit first"
    )]
    Name {
        /// The key.
        key: String,
        /// The name.
        name: String,
    },
    /// A balance at Stripe has no name of its own: its balance could not be checked.
    #[error("`{key}` has the name `{name}`: a balance at Stripe needs a name under Assets that no other account has")]
    Shared {
        /// The key.
        key: String,
        /// The name.
        name: String,
    },
}

/// Account of the opening balances.
pub(super) const OPENING: &str = "equity:opening";
/// Beginning of the accounts of other categories.
const OTHER: &str = "other";

/// Accounts of the books without a label, with their names. Clearing accounts are together by the kind of their object.
const NAMES: [(&str, &str); 33] = [
    ("stripe:payments", "Assets:Stripe:Payments"),
    ("stripe:risk_reserved", "Assets:Stripe:Risk-reserved"),
    ("stripe:refund_and_dispute_prefunding", "Assets:Stripe:Refund-and-dispute-prefunding"),
    ("stripe:issuing", "Assets:Stripe:Issuing"),
    ("stripe:minimum_balance", "Assets:Stripe:Minimum-balance"),
    ("stripe:reserves", "Assets:Stripe:Reserves"),
    ("clearing:payments", "Assets:Clearing:Payments"),
    ("clearing:refunds", "Assets:Clearing:Refunds"),
    ("clearing:disputes", "Assets:Clearing:Disputes"),
    ("clearing:other", "Assets:Clearing:Other"),
    ("payouts_in_transit", "Assets:Payouts-in-transit"),
    ("sales:goods", "Income:Sales:Goods"),
    ("sales:shipping", "Income:Sales:Shipping"),
    ("sales:discounts", "Income:Sales:Discounts"),
    ("sales:unexpected", "Liabilities:Unexpected-payments"),
    ("refunds:goods", "Income:Refunds:Goods"),
    ("refunds:shipping", "Income:Refunds:Shipping"),
    ("refunds:discounts", "Income:Refunds:Discounts"),
    ("refunds:unexpected", "Liabilities:Unexpected-payments"),
    ("payment_differences", "Expenses:Payment-differences"),
    ("disputes", "Expenses:Disputes"),
    ("fees:payment", "Expenses:Fees:Payment"),
    ("fees:refund", "Expenses:Fees:Refund"),
    ("fees:dispute", "Expenses:Fees:Dispute"),
    ("fees:network", "Expenses:Fees:Network"),
    ("fees:application", "Expenses:Fees:Application"),
    ("fees:payout", "Expenses:Fees:Payout"),
    ("fees:service", "Expenses:Fees:Service"),
    ("tax_on_fees", "Assets:Tax-on-fees"),
    ("tax_withheld", "Expenses:Tax-withheld"),
    ("exchange", "Equity:Exchange"),
    ("unexplained", "Equity:Unexplained"),
    (OPENING, "Equity:Opening-balances"),
];

/// Accounts with a label: the beginning of the account and of its name.
const LABELED: [(&str, &str); 3] =
    [("sales:tax", "Liabilities:Tax:Sales"), ("refunds:tax", "Liabilities:Tax:Refunds"), (OTHER, "Equity:Other")];

impl AccountNames {
    /// Checks names of a chart of accounts, by account of the books. A key stands for all accounts that begin with it up
    /// to a colon; the longest one counts. `sales` and `refunds` stand for income alone: taxes and money that paid for
    /// nothing are no income, whatever account the income has.
    pub fn new(names: BTreeMap<String, String>) -> Result<Self, AccountNameError> {
        for (key, name) in &names {
            if !is_account(key) {
                return Err(AccountNameError::Key { key: key.clone() });
            }
            if !is_valid(name) {
                return Err(AccountNameError::Name { key: key.clone(), name: name.clone() });
            }
        }
        let checked = Self(names);
        for balance in BalanceType::ALL {
            checked.check_balance(&Account::Balance(balance).to_string())?;
        }
        Ok(checked)
    }

    /// Checks that no other account has the name of a balance, or one below it, which beancount counts to it.
    fn check_balance(&self, path: &str) -> Result<(), AccountNameError> {
        let name = self.of_path(path);
        let own_key = self.key_of(path);
        let shared = |key: &str| Err(AccountNameError::Shared { key: key.to_owned(), name: name.clone() });
        if !name.starts_with("Assets:") {
            return shared(own_key.unwrap_or(path));
        }
        let is_shared = |other: &str| begins_with(other, &name);
        for (other, _) in NAMES.iter().filter(|(other, _)| *other != path) {
            if is_shared(&self.of_path(other)) {
                return shared(self.key_of(other).or(own_key).unwrap_or(path));
            }
        }
        match self.0.iter().find(|(key, value)| Some(key.as_str()) != own_key && is_shared(value)) {
            Some((key, _)) => shared(key),
            None => Ok(()),
        }
    }

    /// Name of an account.
    pub fn name(&self, account: &Account) -> String {
        self.of_path(&path(account))
    }

    /// Name of the account of the opening balances.
    pub(super) fn opening(&self) -> String {
        self.of_path(OPENING)
    }

    fn of_path(&self, path: &str) -> String {
        if let Some(name) = self.key_of(path).and_then(|it| self.0.get(it)) {
            return name.clone();
        }
        default_name(path)
    }

    /// Longest key that stands for an account.
    fn key_of(&self, path: &str) -> Option<&str> {
        let keys = self.0.keys().filter(|key| begins_with(path, key) && is_of_type(path, key));
        keys.max_by_key(|it| it.len()).map(String::as_str)
    }
}

/// Name of an account of the books without settings.
fn default_name(path: &str) -> String {
    if let Some((_, name)) = NAMES.iter().find(|(known, _)| *known == path) {
        return (*name).to_owned();
    }
    let labeled = LABELED.iter().find_map(|(known, name)| {
        let label = path.strip_prefix(known)?.strip_prefix(':')?;
        Some(format!("{name}:{}", component(label, *known == OTHER)))
    });
    labeled.unwrap_or_else(|| format!("Equity:Other:{}", component(path, true)))
}

/// Whether an account has the type (the first part of its name) that the first account of a key has without settings.
fn is_of_type(path: &str, key: &str) -> bool {
    let first = NAMES.iter().find(|(known, _)| begins_with(known, key));
    first.is_none_or(|(_, name)| name.split(':').next() == default_name(path).split(':').next())
}

/// Account as settings name it: without the object of a clearing account.
fn path(account: &Account) -> String {
    let Account::Clearing(source) = account else { return account.to_string() };
    let is = |kind| format!("clearing:{kind}");
    if matches!(source, Source::Payment { .. }) {
        is("payments")
    } else if matches!(source, Source::Refund { .. }) {
        is("refunds")
    } else if matches!(source, Source::Dispute { .. }) {
        is("disputes")
    } else {
        is("other")
    }
}

/// Names of the accounts for messages.
fn paths() -> String {
    NAMES.map(|(path, _)| format!("`{path}`")).join(", ")
}

/// Whether `path` is `beginning` or below it.
fn begins_with(path: &str, beginning: &str) -> bool {
    path.strip_prefix(beginning).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
}

/// Whether a key is an account of the books, or the beginning of one.
fn is_account(key: &str) -> bool {
    let known = || NAMES.iter().chain(&LABELED).map(|(path, _)| *path);
    known().any(|path| begins_with(path, key)) || LABELED.iter().any(|(path, _)| begins_with(key, path))
}

/// Whether beancount accepts the name of an account.
fn is_valid(name: &str) -> bool {
    let mut parts = name.split(':');
    let root = parts.next().is_some_and(|it| ["Assets", "Liabilities", "Equity", "Income", "Expenses"].contains(&it));
    let is_part = |part: &str| {
        let starts = part.starts_with(|it: char| it.is_ascii_digit() || (is_letter(it) && it.is_uppercase()));
        starts && part.chars().all(|it| it.is_ascii_digit() || it == '-' || is_letter(it))
    };
    let parts: Vec<_> = parts.collect();
    root && !parts.is_empty() && parts.into_iter().all(is_part)
}

/// Whether a character is a letter of the Latin, Greek or Cyrillic script.
fn is_letter(it: char) -> bool {
    let others = matches!(it, '\u{c0}'..='\u{2af}' | '\u{370}'..='\u{481}' | '\u{48a}'..='\u{52f}');
    it.is_ascii_alphabetic() || (others && it.is_alphabetic())
}

/// Digits of the hash in a part of a name.
const HASH_DIGITS: usize = 12;
/// Characters of a label in a part of a name.
const LABEL_CHARS_MAX: usize = 40;

/// Part of an account's name for a label. Characters that a name cannot have become hyphens; unless the label is the part
/// itself or a category in lower case, a hash of the label makes the part different from that of each other label.
fn component(label: &str, is_category: bool) -> String {
    let words: Vec<_> = label.split(|it: char| !it.is_ascii_alphanumeric()).filter(|it| !it.is_empty()).collect();
    let mut part: String = words.join("-").chars().take(LABEL_CHARS_MAX).collect();
    if let Some(first) = part.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    let is_hash = |it: &&str| it.len() == HASH_DIGITS && it.bytes().all(|it| it.is_ascii_hexdigit());
    let plain = if is_category { part.to_ascii_lowercase().replace('-', "_") } else { part.clone() };
    if !part.is_empty() && plain == label && !words.last().is_some_and(is_hash) {
        return part;
    }
    let hash = hex::encode(Sha256::digest(label));
    let part = if part.is_empty() { "X" } else { part.trim_end_matches('-') };
    format!("{part}-{}", hash.get(..HASH_DIGITS).unwrap_or(&hash))
}

#[cfg(test)]
mod tests {
    use paywright_domain::books::{FeeKind, SalesPart, TaxName};
    use proptest::prelude::*;

    use super::*;

    fn names(pairs: &[(&str, &str)]) -> Result<AccountNames, AccountNameError> {
        AccountNames::new(pairs.iter().map(|(key, name)| ((*key).to_owned(), (*name).to_owned())).collect())
    }

    fn tax(label: &str) -> Account {
        Account::Sales(SalesPart::Tax(TaxName { label: paywright_domain::text::Text::new(label).unwrap(), rate: None }))
    }

    fn clearing(source: Source) -> Account {
        Account::Clearing(source)
    }

    fn all_accounts() -> Vec<Account> {
        let parts = [SalesPart::Goods, SalesPart::Shipping, SalesPart::Discounts, SalesPart::Unexpected];
        let mut all = vec![
            Account::MinimumBalance,
            Account::Reserves,
            Account::PayoutsInTransit,
            Account::PaymentDifferences,
            Account::Disputes,
            Account::TaxOnFees,
            Account::TaxWithheld,
            Account::Exchange,
            Account::Unexplained,
            clearing(Source::Payment { intent: "pi_1".parse().unwrap() }),
            clearing(Source::Refund { refund: "re_1".parse().unwrap() }),
            clearing(Source::Dispute { dispute: "du_1".parse().unwrap() }),
            clearing(Source::None),
        ];
        all.extend(BalanceType::ALL.map(Account::Balance));
        all.extend(FeeKind::ALL.map(Account::Fees));
        all.extend(parts.clone().map(Account::Sales));
        all.extend(parts.map(Account::Refunds));
        all
    }

    #[test]
    fn each_account_has_a_name_of_ours() {
        let paths: Vec<_> = all_accounts().iter().map(path).collect();
        for known in NAMES.iter().filter(|(path, _)| *path != OPENING) {
            assert!(is_valid(known.1) && paths.iter().any(|it| it == known.0), "{known:?}");
        }
        for path in &paths {
            assert!(NAMES.iter().any(|it| it.0 == path), "{path}");
        }
        let ours = AccountNames::default();
        assert_eq!(ours.name(&tax("VAT 19 %")), "Liabilities:Tax:Sales:VAT-19-94e356d9eba7");
        assert_eq!(
            ours.name(&Account::Other("climate_order_purchase".parse().unwrap())),
            "Equity:Other:Climate-order-purchase"
        );
        assert_eq!(names(&[]), Ok(ours));
    }

    #[test]
    fn the_longest_key_gives_the_name() {
        let names = names(&[
            ("sales", "Income:Erlöse"),
            ("sales:tax", "Liabilities:Umsatzsteuer"),
            ("sales:tax:VAT 7 %", "Liabilities:Umsatzsteuer:7"),
            ("stripe:payments", "Assets:1360-Stripe"),
            ("fees", "Expenses:4970"),
        ])
        .unwrap();
        for (account, name) in [
            (Account::Sales(SalesPart::Goods), "Income:Erlöse"),
            (tax("VAT 19 %"), "Liabilities:Umsatzsteuer"),
            (tax("VAT 7 %"), "Liabilities:Umsatzsteuer:7"),
            (Account::Balance(BalanceType::Payments), "Assets:1360-Stripe"),
            (Account::Balance(BalanceType::Issuing), "Assets:Stripe:Issuing"),
            (Account::Fees(FeeKind::Dispute), "Expenses:4970"),
            (Account::Refunds(SalesPart::Goods), "Income:Refunds:Goods"),
        ] {
            assert_eq!(names.name(&account), name, "{account}");
        }
    }

    #[test]
    fn the_account_of_sales_gets_no_tax_and_no_money_that_paid_for_nothing() {
        let names = names(&[
            ("sales", "Income:8400"),
            ("refunds", "Income:8700"),
            ("clearing", "Liabilities:Clearing"),
            ("refunds:unexpected", "Liabilities:1710"),
        ])
        .unwrap();
        let label = paywright_domain::text::Text::new("VAT 19 %").unwrap();
        let tax_refunded = Account::Refunds(SalesPart::Tax(TaxName { label, rate: None }));
        for (account, name) in [
            (Account::Sales(SalesPart::Goods), "Income:8400"),
            (Account::Sales(SalesPart::Discounts), "Income:8400"),
            (tax("VAT 19 %"), "Liabilities:Tax:Sales:VAT-19-94e356d9eba7"),
            (Account::Sales(SalesPart::Unexpected), "Liabilities:Unexpected-payments"),
            (Account::Refunds(SalesPart::Shipping), "Income:8700"),
            (tax_refunded, "Liabilities:Tax:Refunds:VAT-19-94e356d9eba7"),
            (Account::Refunds(SalesPart::Unexpected), "Liabilities:1710"),
            (
                clearing(Source::Payment { intent: paywright_domain::IntentId::new("pi_1").unwrap() }),
                "Liabilities:Clearing",
            ),
        ] {
            assert_eq!(names.name(&account), name, "{account}");
        }
    }

    #[test]
    fn a_key_or_a_name_that_cannot_be_is_refused_by_its_key() {
        for (pairs, key) in [
            (vec![("sale", "Income:Sales")], "sale"),
            (vec![("clearing:pi_1", "Assets:Clearing")], "clearing:pi_1"),
            (vec![("", "Assets:Clearing")], ""),
            (vec![("sales", "Income")], "sales"),
            (vec![("sales", "Revenue:Sales")], "sales"),
            (vec![("sales", "Income:sales")], "sales"),
            (vec![("sales", "Income:Sales of goods")], "sales"),
            (vec![("sales", "Income::Sales")], "sales"),
            (vec![("sales", "Income:\u{345}")], "sales"),
            (vec![("stripe", "Assets:Stripe")], "stripe"),
            (vec![("stripe:payments", "Assets:Stripe")], "stripe:payments"),
            (vec![("stripe:payments", "Equity:Stripe")], "stripe:payments"),
            (vec![("payouts_in_transit", "Assets:Stripe:Payments")], "payouts_in_transit"),
            (vec![("other:topup", "Assets:Stripe:Payments:Topups")], "other:topup"),
        ] {
            let error = names(&pairs).unwrap_err().to_string();
            assert!(error.starts_with(&format!("`{key}` ")), "{pairs:?}: {error}");
        }
    }

    proptest! {
        #[test]
        fn two_labels_have_two_names(
            one in ".{0,60}|[A-Za-z_ -]{1,4}", other in ".{0,60}|[A-Za-z_ -]{1,4}", is_category: bool,
        ) {
            let parts = [&one, &other].map(|it| component(it, is_category));
            prop_assert!(parts.iter().all(|it| is_valid(&format!("Assets:{it}"))), "{parts:?}");
            prop_assert_eq!(parts[0] == parts[1], one == other);
            // A label that is the name of another one has another name.
            prop_assert!(parts[0] == one || component(&parts[0], is_category) != parts[0]);
        }
    }
}
