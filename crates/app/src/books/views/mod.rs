//! Forms of what is read of the books, for people and programs: views in JSON, and tables as text and CSV.

mod breaks;
mod brief;
mod ledger;
mod payout;
mod table;

use paywright_domain::books::SignedMoney;
use serde::Serialize;

pub use self::breaks::{BreakList, BreakView, ResolutionView};
pub use self::brief::LedgerSummaryView;
pub use self::ledger::{LedgerLineView, LedgerView, PostingView};
pub use self::payout::{PayoutMemberView, PayoutView};
pub(crate) use self::table::Table;

/// Signed amount in minor units of ISO 4217, with its currency in lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = SignedAmount))]
pub struct SignedAmountView {
    /// Amount in minor units; negative if money left.
    amount: i64,
    /// Code of the currency (ISO 4217), in lower case.
    currency: &'static str,
}

impl From<SignedMoney> for SignedAmountView {
    fn from(amount: SignedMoney) -> Self {
        Self { amount: amount.minor(), currency: amount.currency().code() }
    }
}

/// Amount in major units with its currency, or nothing.
fn in_words(amount: Option<SignedMoney>) -> String {
    amount.map_or_else(|| "nothing".to_owned(), |it| it.to_string())
}
