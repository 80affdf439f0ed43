//! What `paywright dev` has on its shelves, so that a storefront has something to sell.

use std::sync::Arc;

use paywright_app::PriceList;

use crate::{Failure, prices};

const PRICES: &str = include_str!("prices.csv");
const TERMS: &str = include_str!("terms.json");

/// Fills the shelves, unless there is something on them.
pub(crate) async fn stock(list: &Arc<dyn PriceList>) -> Result<(), Failure> {
    if !list.variants_after(None, 1).await?.is_empty() {
        return Ok(());
    }
    let variants = prices::variants(PRICES).map_err(|problems| problems.join("; "))?;
    list.put_terms(&serde_json::from_str(TERMS)?).await?;
    Ok(list.put_variants(&variants).await?)
}
