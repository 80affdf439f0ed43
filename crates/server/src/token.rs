//! `paywright token`: signs a customer's token.

use paywright_domain::id::CustomerId;
use paywright_http_api::Tokens;

use crate::cli::TokenOptions;
use crate::keys::in_days;
use crate::settings::Settings;
use crate::world::now;
use crate::{Failure, say};

pub(crate) fn run(options: &TokenOptions) -> Result<(), Failure> {
    let secret = Settings::read(options.settings.config.as_deref())?.token_secret()?;
    let customer = CustomerId::new(options.customer.as_str()).map_err(|problem| format!("--customer {problem}"))?;
    let token = Tokens::new(&secret)?.customer_token(&customer, in_days(now(), options.days)?)?;
    say(&token);
    Ok(())
}
