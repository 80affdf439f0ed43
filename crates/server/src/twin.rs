//! `paywright twin`: runs the stand-in for Stripe alone.

use std::time::Duration;

use paywright_stripe_twin::{Options, Server, WebhookEndpoint, calls};

use crate::cli::TwinOptions;
use crate::serve::on_this_machine;
use crate::stop::stop_requested;
use crate::{Failure, say, world};

/// Most objects of each kind that a twin keeps, unless an option says otherwise.
pub(crate) const KEEP: usize = 100_000;

pub(crate) async fn run(options: TwinOptions) -> Result<(), Failure> {
    if options.list_calls {
        say(&serde_json::to_string(&calls())?);
        return Ok(());
    }
    let endpoint = options.webhook.zip(options.webhook_secret).map(|(url, secret)| endpoint(url, secret));
    let server = Server::bind(
        on_this_machine(options.port),
        Options {
            state_file: options.state,
            latency: Duration::from_millis(options.latency_ms),
            endpoints: endpoint.into_iter().collect(),
            seed_file: options.seed_file,
            keep: options.keep,
            clock: world::unix_seconds,
            record: options.record,
        },
    )
    .await?;
    let address = server.address().ok_or("the twin has no address")?;
    say(&format!("A Stripe twin listens at http://{address}; it accepts any key that begins with sk_test_"));
    server.run(stop_requested()).await;
    Ok(())
}

/// The webhook endpoint that is registered from the start, for all events.
pub(crate) fn endpoint(url: String, secret: String) -> WebhookEndpoint {
    WebhookEndpoint {
        id: "we_start".into(),
        url,
        secret,
        enabled_events: vec!["*".into()],
        ..WebhookEndpoint::default()
    }
}
