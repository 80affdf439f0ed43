//! `paywright twin`: runs the stand-in for Stripe alone.

use paywright_stripe_twin::program::{self, Arguments};

use crate::stop::stop_requested;
use crate::{Failure, say, world};

pub(crate) async fn run(arguments: Arguments) -> Result<(), Failure> {
    program::run(arguments, world::unix_seconds, stop_requested(), say).await?;
    Ok(())
}
