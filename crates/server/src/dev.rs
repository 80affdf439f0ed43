//! `paywright dev`: the service and a stand-in for Stripe on this machine, without configuration.

mod folder;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use paywright_app::{ConsoleRole, NoTraces, Scope, StoreError, Work, WorkId};
use paywright_domain::Currency;
use paywright_domain::country::CountryCode;
use paywright_domain::id::CustomerId;
use paywright_http_api::{Api, ApiKeyText, Tokens, TrustedProxies};
use paywright_payments_stripe::{ClientSettings, FixedSecrets, Pace};
use paywright_stripe_twin::program::{KEEP, first_endpoint};
use paywright_stripe_twin::{Options, Server, StartError};
use paywright_webhook_sender::SenderSettings;
use secrecy::SecretString;

use crate::cli::DevOptions;
use crate::database::{Database, Schema, Stores};
use crate::dev::folder::{DATABASE_FILE, RECEIVERS, Secrets, TWIN_FILE, TWIN_KEY, start_over, write_settings};
use crate::keys::{in_days, new_key};
use crate::operator::operator;
use crate::retention::Keep;
use crate::serve::{Wiring, answer, listen, on_this_machine, wire, workers};
use crate::settings::books::BooksSection;
use crate::settings::metrics::MetricsSection;
use crate::settings::values::Networks;
use crate::settings::{ClientsSeen, Http, Limits, Payments};
use crate::stop::{StopSignals, stop_requested};
use crate::world::{now, unix_seconds};
use crate::{Failure, console, demo, descriptors, say};

const CUSTOMER: &str = "cus-ada";
const CUSTOMER_TOKEN_DAYS: u32 = 30;

pub(crate) async fn run(options: DevOptions) -> Result<(), Failure> {
    let folder = options.dir.as_path();
    if options.fresh {
        start_over(folder)?;
    }
    std::fs::create_dir_all(folder).map_err(|error| format!("{} cannot be created: {error}", folder.display()))?;
    let secrets = Secrets::of(folder)?;
    let listener = listen(&on_this_machine(options.port).to_string())
        .map_err(|failure| format!("{failure}: give another port with --port, or 0 for any"))?;
    let address = listener.local_addr()?;
    let webhooks = format!("http://{address}/webhooks/stripe");
    let twin = start_twin(&options, webhooks, &secrets).await?;
    let twin_address = twin.address().ok_or("the twin has no address")?;
    let database = Database::Sqlite { path: folder.join(DATABASE_FILE).display().to_string() };
    let stores = database.open(1, Schema::Migrate).await?;
    demo::add_samples(&stores.prices).await?;
    let service = wire(wiring(stores, twin_address, &secrets)?)?;
    let (api, key) = (&service.api, secrets.api_key()?);
    store_key(api, &key).await?;
    let customer = CustomerId::new(CUSTOMER)?;
    let now = now();
    let token = api.tokens.customer_token(&customer, now, in_days(now, CUSTOMER_TOKEN_DAYS)?)?;
    let twin = tokio::spawn(twin.run(stop_requested()));
    let workers = workers(0);
    let open_files_max = descriptors::raise_limit();
    let connections =
        descriptors::connections_max(Http::default().connections(), open_files_max, database.connections(), workers)?;
    let signals = StopSignals::new()?;
    let settings = write_settings(folder, address, twin_address, &secrets)?;
    say(&calls(folder, address, twin_address, key.expose(), &token));
    if let Some(console) = &api.console {
        let link = Work::by(operator(), WorkId::Background("dev"));
        let origin = format!("http://{address}");
        let link =
            link.scope(console::link(&console.sign_in, &origin, console::own_name()?, ConsoleRole::Administer)).await?;
        say(&console_link(&link, &settings)?);
    }
    say(&command_with(&settings)?);
    answer(service, listener, workers, connections, signals).await?;
    twin.await?;
    Ok(())
}

/// Parts of the service, with the twin in place of Stripe.
fn wiring(stores: Stores, twin: SocketAddr, secrets: &Secrets) -> Result<Wiring, Failure> {
    Ok(Wiring {
        stores,
        stripe: ClientSettings {
            base_url: format!("http://{twin}"),
            pace: Pace::unlimited(),
            ..ClientSettings::new(SecretString::from(TWIN_KEY))
        },
        payments: Payments::default(),
        webhook_secrets: Arc::new(FixedSecrets::new(vec![SecretString::from(secrets.webhook.as_str())])),
        tokens: Tokens::new(&SecretString::from(secrets.token.as_str()))?,
        token_days: None,
        currency: Currency::Usd,
        country: CountryCode::US,
        publishable_key: None,
        // A storefront under development may be served from any origin.
        allowed_origins: vec!["*".into()],
        keep: Keep::default(),
        demo: true,
        console: Some(Vec::new()),
        drain: Duration::ZERO,
        trusted_proxies: TrustedProxies::default(),
        rate_limits: Limits::default().rate_limits(ClientsSeen::OneServer),
        // A receiver under development runs on this machine.
        webhooks: SenderSettings {
            key: Some(SecretString::from(secrets.token.as_str())),
            allow_http: true,
            allowed_networks: RECEIVERS.parse::<Networks>()?.0,
            ..SenderSettings::default()
        },
        books: BooksSection::default(),
        metrics: MetricsSection::default(),
        traces: Arc::new(NoTraces),
    })
}

/// Starts the twin, with its state in the folder and with the webhook endpoint of this process.
async fn start_twin(options: &DevOptions, webhooks: String, secrets: &Secrets) -> Result<Server, Failure> {
    let folder = options.dir.as_path();
    let mut endpoint = first_endpoint(webhooks, secrets.webhook.clone());
    if options.no_webhooks {
        // Registered for no event: replaces the endpoint that an earlier start may have registered.
        endpoint.enabled_events.clear();
    }
    Server::bind(
        on_this_machine(options.twin_port),
        Options {
            state_file: Some(folder.join(TWIN_FILE)),
            latency: Duration::from_millis(options.twin_latency_ms),
            endpoints: vec![endpoint],
            seed_file: None,
            keep: KEEP,
            clock: unix_seconds,
            record: options.record.clone(),
        },
    )
    .await
    .map_err(|error| match error {
        StartError::Listen { .. } => format!("{error}: give another port with --twin-port, or 0 for any").into(),
        StartError::State { .. }
        | StartError::Unwritable { .. }
        | StartError::KeepsNothing
        | StartError::NoSecret
        | StartError::Secret { .. }
        | StartError::Seed { .. }
        | StartError::Record { .. }
        | StartError::Http(_) => Failure::from(error),
    })
}

/// Stores the folder's API key, unless an earlier start has stored it.
async fn store_key(api: &Api, key: &ApiKeyText) -> Result<(), Failure> {
    let key = new_key(key, "dev".into(), Scope::ALL.to_vec(), None)?;
    let work = Work::by(operator(), WorkId::Background("dev"));
    match work.scope(api.app.add_api_key(&key)).await {
        Ok(()) | Err(StoreError::Conflict) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Text that `dev` prints: the calls of a sale, to be pasted into a shell line by line or at once.
fn calls(folder: &Path, api: SocketAddr, twin: SocketAddr, key: &str, token: &str) -> String {
    let folder = folder.display();
    format!(
        r#"Paywright serves at http://{api}, with a Stripe twin at http://{twin}.
All data is kept in {folder} (`paywright dev --fresh` starts over). Ctrl-C stops.
A demo shop is at http://{api}/demo; it uses Spree's Storefront API (docs/spree.md).

To make a sale, paste these commands into another shell, all at once or one by one:

API=http://{api}/api/v1/shop TWIN=http://{twin}
KEY={key}
TOKEN={token}

# 1. Place an order of two lines:

ORDER=$(curl -sSw '\n' $API/orders -H "X-API-Key: $KEY" -H 'Content-Type: application/json' -d '{{
  "currency": "usd", "customer": "{CUSTOMER}", "email": "ada@example.com",
  "line_items": [{{"name": "Main product 2", "amount": 5600, "quantity": 2}}, {{"name": "Leash", "amount": 1250, "quantity": 1}}]
}}' | tee /dev/stderr | grep -o 'ORD-[0-9A-Z-]*')

# 2. Get its PaymentIntent:

INTENT=$(curl -sSw '\n' -X POST $API/orders/$ORDER/payment-intent -H "X-API-Key: $KEY" \
  -H "Authorization: Bearer $TOKEN" | tee /dev/stderr | grep -o 'pi_[0-9a-z]*' | head -1)

# 3. Pay it with a test card, as a browser would (also: pm_card_chargeDeclined):

curl -sS $TWIN/v1/payment_intents/$INTENT/confirm -u {TWIN_KEY}: -d payment_method=pm_card_visa -d return_url=https://shop.example/ | grep '"status"'

# 4. Read the order a moment later: the webhook has marked it as paid.

sleep 1; curl -sSw '\n' $API/orders/$ORDER -H "X-API-Key: $KEY" | grep -o '"payment_status":"[a-z_]*"'

# 5. Report the payment, as a payment system can; Paywright reads it from Stripe first:

curl -sSw '\n' -X POST $API/orders/$ORDER/payment -H "X-API-Key: $KEY"

# 6. Refund a part of the money:

curl -sSw '\n' $API/orders/$ORDER/refunds -H "X-API-Key: $KEY" -H 'Content-Type: application/json' -d '{{"amount": "12.50"}}'

# 7. Ask what happened, and why:

curl -sSw '\n' $API/orders/$ORDER/explain -H "X-API-Key: $KEY" | grep -o '"what":"[^"]*"'

# 8. Read what your other programs are told (docs/events.md has webhooks too):

curl -sSw '\n' "$API/events?order=$ORDER" -H "X-API-Key: $KEY" | grep -o '"position":[0-9]*,"id":"[^"]*","type":"[^"]*"'
"#
    )
}

/// Part of the text that `dev` prints about the console.
fn console_link(link: &str, settings: &Path) -> Result<String, Failure> {
    let program = std::env::current_exe()?;
    let (program, settings) = (program.display(), settings.display());
    Ok(format!(
        r#"The console for people is at the link below, which signs in once, within ten minutes (docs/console.md). For another link:
"{program}" console link --role administer --config "{settings}"

{link}
"#
    ))
}

/// Last step of the text that `dev` prints: a command on the same data.
fn command_with(settings: &Path) -> Result<String, Failure> {
    let program = std::env::current_exe()?;
    let (program, settings) = (program.display(), settings.display());
    Ok(format!(
        r#"# 9. Compare the books with the balance at Stripe (docs/books.md). Every command takes these settings:

"{program}" books reconcile --config "{settings}""#
    ))
}
