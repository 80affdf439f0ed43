//! Sample price list and terms of sale of `paywright dev`.

use std::sync::Arc;

use paywright_app::PriceList;

use crate::{Failure, prices};

const PRICES: &str = include_str!("prices.csv");
const TERMS: &str = include_str!("terms.json");

/// Stores the sample price list and terms, unless the price list has variants already.
pub(crate) async fn add_samples(list: &Arc<dyn PriceList>) -> Result<(), Failure> {
    if !list.variants_after(None, 1).await?.is_empty() {
        return Ok(());
    }
    let variants = prices::variants(PRICES).map_err(|problems| problems.join("; "))?;
    list.put_terms(&serde_json::from_str(TERMS)?).await?;
    Ok(list.put_variants(&variants).await?)
}
