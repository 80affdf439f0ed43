//! `paywright token`: signs a customer's token.

use paywright_domain::id::CustomerId;

use crate::cli::TokenOptions;
use crate::keys::in_days;
use crate::settings::Settings;
use crate::world::now;
use crate::{Failure, say};

pub(crate) fn run(options: &TokenOptions) -> Result<(), Failure> {
    // The key set verifies tokens and signs none, so it is not read.
    let (tokens, _) = Settings::read(options.settings.config.as_deref())?.tokens()?;
    let customer = CustomerId::new(options.customer.as_str()).map_err(|problem| format!("--customer {problem}"))?;
    let now = now();
    say(&tokens.customer_token(&customer, now, in_days(now, options.days)?)?);
    Ok(())
}
