//! `paywright serve`, and the wiring that it shares with `dev`.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use paywright_app::{
    App, Bookkeeper, BookkeeperPorts, Books, BooksSettings, Console, EndpointWatch, Endpoints, Feed, Monitor, NoTraces,
    Ports, Publisher, PublisherPorts, Store, StorePorts, Storefront, Totals, Traces,
};
use paywright_domain::Currency;
use paywright_domain::country::CountryCode;
use paywright_domain::id::InstallationId;
use paywright_http_api::{
    Api, Bodies, ConsolePages, Demo, EventPages, GivenSetting, ListenOptions, Metrics, RateLimits, Shutdown,
    SpreeFormat, Tokens, TrustedProxies, serve,
};
use paywright_payments_stripe::{Client, ClientSettings, FixedSecrets, StripeGateway, StripeWebhooks, WebhookSecrets};
use paywright_webhook_sender::{HttpWebhookSender, SenderSettings};

use crate::cli::ServeOptions;
use crate::database::Stores;
use crate::retention::Keep;
use crate::settings::books::BooksSection;
use crate::settings::metrics::MetricsSection;
use crate::settings::{Payments, Settings};
use crate::stop::{FINISH_SECONDS, StopSignals, drain_on_signal};
use crate::traces::OpenTelemetry;
use crate::webhook_secrets::SecretsOfFile;
use crate::worker::{Worker, WorkerSignal};
use crate::world::{self, RandomIds, SystemClock};
use crate::{Failure, descriptors, say, stripe_endpoints};

/// Stores, secrets and settings of a service.
pub(crate) struct Wiring {
    pub(crate) stores: Stores,
    pub(crate) stripe: ClientSettings,
    pub(crate) payments: Payments,
    /// Secrets with which Stripe signs its webhooks.
    pub(crate) webhook_secrets: Arc<dyn WebhookSecrets>,
    /// Signs and verifies tokens.
    pub(crate) tokens: Tokens,
    /// Age from which tokens of carts give no access, in days; `None` for no limit.
    pub(crate) token_days: Option<u32>,
    /// Currency of a cart for which the storefront names none.
    pub(crate) currency: Currency,
    pub(crate) country: CountryCode,
    pub(crate) publishable_key: Option<String>,
    pub(crate) allowed_origins: Vec<String>,
    pub(crate) keep: Keep,
    pub(crate) demo: bool,
    /// Settings that the console shows; `None` if there is no console.
    pub(crate) console: Option<Vec<GivenSetting>>,
    /// Time for which new connections are still accepted after a stop was requested.
    pub(crate) drain: Duration,
    /// Proxies whose `X-Forwarded-*` headers are trusted.
    pub(crate) trusted_proxies: TrustedProxies,
    pub(crate) rate_limits: RateLimits,
    /// Sender of outgoing webhooks.
    pub(crate) webhooks: SenderSettings,
    pub(crate) books: BooksSection,
    pub(crate) metrics: MetricsSection,
    pub(crate) traces: Arc<dyn Traces>,
}

/// A wired service that does not answer requests yet.
pub(crate) struct Service {
    pub(crate) api: Api,
    pub(crate) waker: Arc<WorkerSignal>,
    bookkeeper: Option<Bookkeeper>,
    totals: Totals,
    keep: Keep,
    drain: Duration,
    /// Watch over the endpoint at Stripe, and the secrets that it compares.
    watch: (EndpointWatch, Arc<dyn WebhookSecrets>),
}

pub(crate) async fn run(options: ServeOptions) -> Result<(), Failure> {
    let settings = Settings::read(options.settings.config.as_deref())?;
    let (database, workers) = (settings.database()?, workers(settings.http.workers()));
    let bind = settings.http.bind(options.bind.as_deref())?;
    let (stripe, (tokens, issuers_keys)) = (settings.stripe_client()?, settings.tokens()?);
    let (webhook_secrets, publishable_key) = (webhook_secrets(&settings)?, settings.publishable_key()?);
    let webhooks = settings.webhook_sender()?;
    let traces: Arc<dyn Traces> = match settings.trace_export()? {
        Some(_) => Arc::new(OpenTelemetry),
        None => Arc::new(NoTraces),
    };
    let open_files_max = descriptors::raise_limit();
    let connections =
        descriptors::connections_max(settings.http.connections(), open_files_max, database.connections(), workers)?;
    if let Some(keys) = issuers_keys {
        keys.start().await?;
    }
    let wiring = Wiring {
        // Opened, and perhaps migrated, only after all settings were checked.
        stores: database.open(workers, options.migrate.into()).await?,
        stripe,
        payments: settings.payments.clone(),
        webhook_secrets,
        tokens,
        token_days: settings.auth.order_token_days(),
        currency: settings.storefront.currency,
        country: settings.storefront.country,
        publishable_key,
        allowed_origins: settings.storefront.allowed_origins.0.clone(),
        keep: Keep {
            carts: settings.storefront.keep_carts(),
            feed: settings.feed.retention(),
            records: settings.payments.retention(),
        },
        demo: settings.storefront.demo,
        console: settings.console.enabled.then(|| settings.given().to_vec()),
        drain: settings.http.drain(),
        trusted_proxies: settings.http.trusted_proxies.clone(),
        rate_limits: settings.limits.rate_limits(settings.clients_seen()),
        webhooks,
        books: settings.books.clone(),
        metrics: settings.metrics.clone(),
        traces,
    };
    if wiring.webhook_secrets.current().is_empty() {
        tracing::warn!("no webhook secret is set (PAYWRIGHT__STRIPE__WEBHOOK_SECRETS): every webhook is refused");
    }
    let service = wire(wiring)?;
    let listener = listen(bind.as_str())?;
    let signals = StopSignals::new()?;
    say(&format!("Paywright serves at http://{}", listener.local_addr()?));
    answer(service, listener, workers, connections, signals).await
}

/// The secrets with which Stripe signs its webhooks. Those of a file are read again while the process runs.
fn webhook_secrets(settings: &Settings) -> Result<Arc<dyn WebhookSecrets>, Failure> {
    let secrets = settings.webhook_secrets()?;
    let Some(path) = settings.webhook_secrets_file() else { return Ok(Arc::new(FixedSecrets::new(secrets))) };
    let of_file = SecretsOfFile::new(path, secrets);
    tokio::spawn(of_file.clone().keep_fresh());
    Ok(Arc::new(of_file))
}

/// Number of serving threads: `set`, or one per core if that is 0.
pub(crate) fn workers(set: usize) -> usize {
    if set == 0 { std::thread::available_parallelism().map_or(2, Into::into) } else { set }
}

/// Connects the adapters to the use cases.
pub(crate) fn wire(wiring: Wiring) -> Result<Service, Failure> {
    let waker = Arc::<WorkerSignal>::default();
    let Stores { orders, carts, prices, feed, endpoints, books, totals, monitoring, console, installation } =
        wiring.stores;
    let publisher = publisher((Arc::clone(&feed), endpoints), wiring.webhooks, &waker)?;
    let settings = wiring.payments.into_settings(&wiring.stripe);
    let demo = wiring.demo.then(|| Demo { stripe_url: wiring.stripe.base_url.clone() });
    let watch = stripe_endpoints::watch(wiring.stripe.clone(), Arc::clone(&orders), installation)?;
    let gateway = gateway(wiring.stripe, installation)?;
    let app = use_cases(Arc::clone(&orders), &gateway, settings, &waker).with_traces(Arc::clone(&wiring.traces));
    let books_settings = wiring.books.settings(installation, settings.livemode);
    let totals = Totals::new(feed, totals, books_settings.zone.clone());
    let keeper = bookkeeper((books, orders), &gateway, books_settings, &app);
    let publisher = publisher.warning_through(&app).with_traces(wiring.traces);
    let access = keeper.access();
    let kept_books = wiring.books.enabled().then(|| access.clone());
    let monitor = Monitor::new(app.clone(), monitoring, kept_books).with_endpoint_watch(watch.clone());
    let secrets = wiring.webhook_secrets;
    let console = Console::new(console, Arc::new(SystemClock), Arc::new(RandomIds));
    let shoppers = Arc::new(gateway.for_shoppers());
    let api = Api {
        storefront: Storefront::new(app.through(shoppers.clone()), carts, prices, shoppers, wiring.currency)
            .with_country(wiring.country)
            .with_token_days(wiring.token_days),
        app,
        publisher,
        books: access,
        publishable_key: wiring.publishable_key,
        allowed_origins: wiring.allowed_origins,
        demo,
        console: wiring.console.map(|settings| ConsolePages {
            sign_in: console,
            settings: settings.into(),
            totals: totals.clone(),
            accounts: wiring.books.account_names(),
        }),
        webhooks: Arc::new(StripeWebhooks::with(Arc::clone(&secrets)).of_installation(installation)),
        tokens: Arc::new(wiring.tokens),
        bodies: Bodies::default(),
        event_pages: EventPages::default(),
        rate_limits: wiring.rate_limits,
        shutdown: Shutdown::default(),
        monitor,
        metrics: metrics(&wiring.metrics)?,
        trusted_proxies: Arc::new(wiring.trusted_proxies),
    };
    let bookkeeper = wiring.books.enabled().then_some(keeper);
    Ok(Service { api, waker, bookkeeper, totals, keep: wiring.keep, drain: wiring.drain, watch: (watch, secrets) })
}

/// The metrics of this process, if the settings want them.
fn metrics(settings: &MetricsSection) -> Result<Option<Metrics>, Failure> {
    let Some(networks) = settings.networks() else { return Ok(None) };
    let metrics = Metrics::record(networks, env!("CARGO_PKG_VERSION"))?;
    // After the recorder was installed: what is described before has no effect.
    paywright_app::describe_metrics();
    paywright_payments_stripe::describe_metrics();
    Ok(Some(metrics))
}

/// The gateway to Stripe for one installation.
pub(crate) fn gateway(stripe: ClientSettings, installation: InstallationId) -> Result<StripeGateway, Failure> {
    Ok(StripeGateway::new(Client::new(stripe)?, world::now).of_installation(installation))
}

/// The use cases over Stripe.
pub(crate) fn use_cases(
    store: Arc<dyn Store>,
    gateway: &StripeGateway,
    settings: paywright_app::Settings,
    waker: &Arc<WorkerSignal>,
) -> App {
    let background = gateway.in_background();
    let ports = Ports {
        store: StorePorts::of(store),
        gateway: Arc::new(gateway.clone()),
        background: Arc::new(background.clone()),
        records: Arc::new(background),
        clock: Arc::new(SystemClock),
        ids: Arc::new(RandomIds),
        waker: Arc::<WorkerSignal>::clone(waker),
    };
    App::new(ports, settings)
}

/// The use cases of the books, which read Stripe behind all others.
pub(crate) fn bookkeeper(
    (books, orders): (Arc<dyn Books>, Arc<dyn Store>),
    gateway: &StripeGateway,
    settings: BooksSettings,
    app: &App,
) -> Bookkeeper {
    let ports = BookkeeperPorts {
        books,
        orders: Arc::<dyn Store>::clone(&orders),
        cursors: orders,
        balance: Arc::new(gateway.for_books()),
        clock: Arc::new(SystemClock),
        ids: Arc::new(RandomIds),
    };
    Bookkeeper::new(ports, settings, app)
}

/// The use cases of the feed and of outgoing webhooks.
pub(crate) fn publisher(
    (feed, endpoints): (Arc<dyn Feed>, Arc<dyn Endpoints>),
    sender: SenderSettings,
    waker: &Arc<WorkerSignal>,
) -> Result<Publisher, Failure> {
    Ok(Publisher::new(PublisherPorts {
        feed,
        endpoints,
        sender: Arc::new(HttpWebhookSender::new(sender)?),
        spree_format: Arc::new(SpreeFormat),
        clock: Arc::new(SystemClock),
        ids: Arc::new(RandomIds),
        waker: Arc::<WorkerSignal>::clone(waker),
    }))
}

pub(crate) fn listen(address: &str) -> Result<TcpListener, Failure> {
    let listener = TcpListener::bind(address).map_err(|error| format!("cannot listen on {address}: {error}"))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

pub(crate) const fn on_this_machine(port: u16) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), port)
}

/// Answers requests and runs the worker until the process receives a signal to stop; then drains, and finishes requests
/// and tasks under way.
pub(crate) async fn answer(
    service: Service,
    listener: TcpListener,
    workers: usize,
    connections_max: usize,
    signals: StopSignals,
) -> Result<(), Failure> {
    let Service { api, waker, bookkeeper, totals, keep, drain, watch } = service;
    let shutdown = api.shutdown.clone();
    if let Some(metrics) = api.metrics.clone() {
        tokio::spawn(metrics.keep_up());
    }
    let worker = Worker::start(&api.app, &api.storefront, (&api.publisher, totals), bookkeeper, watch, &waker, keep);
    let options = ListenOptions { workers, connections_max, finish_seconds: FINISH_SECONDS };
    let server = serve(api, listener, options)?;
    let handle = server.handle();
    let stopped = tokio::spawn(async move {
        drain_on_signal(signals, &shutdown, drain).await;
        shutdown.close();
        // Concurrently, so that a stop takes at most `FINISH_SECONDS` after the drain, and not twice as long.
        tokio::join!(handle.stop(true), worker.stop(Duration::from_secs(FINISH_SECONDS)));
    });
    server.await?;
    Ok(stopped.await?)
}
