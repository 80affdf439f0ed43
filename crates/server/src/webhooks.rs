//! `paywright webhooks`: manages the endpoints of outgoing webhooks. The endpoint at Stripe is in `stripe_endpoints.rs`.

use std::sync::Arc;

use paywright_app::{
    Attempt, AttemptOutcome, AttemptQuery, EndpointEdit, EndpointError, EndpointFormat, EndpointId, EndpointState,
    EndpointUrl, NewEndpoint, NewSecret, Position, Publisher, SendErrorClass, StoredEndpoint, WAITING_ORDERS_MAX,
    WaitingOrders, Work, WorkId,
};
use paywright_domain::fact::FeedEventType;
use paywright_domain::text::Text;
use secrecy::ExposeSecret;

use crate::cli::{WebhooksCommand, WebhooksOptions};
use crate::database::{Schema, Stores};
use crate::operator::operator;
use crate::serve::publisher;
use crate::settings::Settings;
use crate::worker::WorkerSignal;
use crate::{Failure, say, stripe_endpoints};

/// Number of characters of an answer that are printed.
const TEXT_CHARS: usize = 300;

/// Number of endpoints that are read at once.
const PAGE: u16 = 100;

pub(crate) async fn run(options: WebhooksOptions) -> Result<(), Failure> {
    Work::by(operator(), WorkId::Background("webhooks")).scope(perform(options)).await
}

async fn perform(options: WebhooksOptions) -> Result<(), Failure> {
    let settings = Settings::read(options.settings.config.as_deref())?;
    if let WebhooksCommand::Ensure { url, dry_run } = &options.command {
        return stripe_endpoints::ensure(&settings, url, *dry_run).await;
    }
    if let WebhooksCommand::Rotate { id: None, overlap_hours, finish } = options.command {
        return stripe_endpoints::rotate(&settings, overlap_hours, finish).await;
    }
    manage(&settings, options.command).await
}

/// Performs a command about the endpoints of other programs.
async fn manage(settings: &Settings, command: WebhooksCommand) -> Result<(), Failure> {
    let (database, sender) = (settings.database()?, settings.webhook_sender()?);
    let Stores { feed, endpoints, .. } = database.open(1, Schema::Check).await?;
    let publisher = publisher((feed, endpoints), sender, &Arc::<WorkerSignal>::default())?;
    match command {
        WebhooksCommand::Create { url, types, description, after } => {
            let types = parse_types(&types)?.unwrap_or_default();
            let new =
                NewEndpoint { description, types, after: after.map(Position), ..NewEndpoint::at(parse_url(&url)?) };
            create(&publisher, new).await?;
        }
        WebhooksCommand::List => list(&publisher).await?,
        WebhooksCommand::Show { id } => {
            let (endpoint, waiting) = publisher.endpoint_with_waiting(EndpointId(id)).await?;
            say(&format!("{}\n{}", line(&endpoint), waiting_line(waiting)));
        }
        WebhooksCommand::Update { id, url, types, description } => {
            let url = url.map(|it| parse_url(&it)).transpose()?;
            let edit = EndpointEdit { url, description, types: parse_types(&types)?, ..EndpointEdit::default() };
            update(&publisher, EndpointId(id), edit).await?;
        }
        WebhooksCommand::Rotate { id: Some(id), overlap_hours, .. } => {
            rotate(&publisher, EndpointId(id), overlap_hours).await?;
        }
        WebhooksCommand::Disable { id } => say(&line(&publisher.disable_endpoint(EndpointId(id)).await?)),
        WebhooksCommand::Enable { id } => say(&line(&publisher.enable_endpoint(EndpointId(id)).await?)),
        WebhooksCommand::Delete { id } => {
            publisher.delete_endpoint(EndpointId(id)).await?;
            say(&format!("Endpoint {id} is deleted."));
        }
        WebhooksCommand::Test { id } => {
            let attempt = publisher.send_test_event(EndpointId(id)).await?;
            say(&attempt_line(&attempt));
            if attempt.outcome != AttemptOutcome::Delivered {
                return Err("the endpoint did not accept the test event".into());
            }
        }
        WebhooksCommand::Resend { id, position } => resend(&publisher, EndpointId(id), Position(position)).await?,
        WebhooksCommand::Replay { id, after } => {
            let endpoint = publisher.replay_events(EndpointId(id), Position(after)).await.map_err(explained)?;
            say(&format!("Every event after position {after} is sent again to:\n{}", line(&endpoint)));
        }
        WebhooksCommand::Attempts { id, outcome, limit } => {
            let query = AttemptQuery { endpoint: EndpointId(id), older_than: None, outcome, limit };
            for attempt in publisher.attempts(query).await? {
                say(&attempt_line(&attempt));
            }
        }
        // Performed before, without the endpoints of other programs.
        WebhooksCommand::Ensure { .. } | WebhooksCommand::Rotate { id: None, .. } => {}
    }
    Ok(())
}

async fn rotate(publisher: &Publisher, id: EndpointId, overlap_hours: u32) -> Result<(), Failure> {
    let NewSecret { endpoint, secret } = publisher.rotate_secret(id, overlap_hours * 3600).await?;
    match endpoint.endpoint.value.secret.previous_until {
        Some(until) => say(&format!("Both secrets sign until {until}. The new one is shown only once:")),
        None => say("The old secret does not sign any more. The new one is shown only once:"),
    }
    say(secret.expose_secret());
    Ok(())
}

async fn resend(publisher: &Publisher, id: EndpointId, position: Position) -> Result<(), Failure> {
    publisher.resend_event(id, position).await?;
    let is_enabled = publisher.endpoint(id).await?.endpoint.value.state == EndpointState::Enabled;
    let when = if is_enabled { "by the serving processes" } else { "once the endpoint is enabled" };
    say(&format!("Event {} is sent to endpoint {id} again {when}.", position.0));
    Ok(())
}

async fn create(publisher: &Publisher, new: NewEndpoint) -> Result<(), Failure> {
    check_description(&new.description)?;
    let NewSecret { endpoint, secret } = publisher.create_endpoint(new).await.map_err(explained)?;
    say(&line(&endpoint));
    say("The secret is shown only once; the receiver verifies the signatures with it:");
    say(secret.expose_secret());
    Ok(())
}

async fn update(publisher: &Publisher, id: EndpointId, edit: EndpointEdit) -> Result<(), Failure> {
    edit.description.as_deref().map_or(Ok(()), check_description)?;
    if edit == EndpointEdit::default() {
        return Err("nothing to change: give --url, --type or --description".into());
    }
    say(&line(&publisher.update_endpoint(id, edit).await.map_err(explained)?));
    Ok(())
}

async fn list(publisher: &Publisher) -> Result<(), Failure> {
    let mut after = None;
    loop {
        let page = publisher.list_endpoints(after, PAGE).await?;
        for endpoint in &page {
            say(&line(endpoint));
        }
        if page.is_empty() && after.is_none() {
            say("There is no endpoint: `paywright webhooks create` creates one.");
        }
        after = page.last().map(|it| it.endpoint.value.id);
        if page.len() < usize::from(PAGE) {
            return Ok(());
        }
    }
}

fn parse_url(text: &str) -> Result<EndpointUrl, Failure> {
    Ok(EndpointUrl::parse(text).map_err(|error| format!("the URL {error}"))?)
}

/// Reads new types: `None` if there are none, and all types for `*`.
fn parse_types(names: &[String]) -> Result<Option<Vec<FeedEventType>>, Failure> {
    if names.is_empty() {
        return Ok(None);
    }
    if names == ["*"] {
        return Ok(Some(Vec::new()));
    }
    let mut types = Vec::new();
    for name in names {
        let known = || FeedEventType::ALL.map(FeedEventType::name).join(", ");
        let parsed = FeedEventType::named(name)
            .ok_or_else(|| format!("--type {name}: must be '*' alone (for all types), or one of {}", known()))?;
        if types.contains(&parsed) {
            return Err(format!("--type {name} is given twice").into());
        }
        types.push(parsed);
    }
    Ok(Some(types))
}

/// Error that names the option that is wrong.
fn explained(error: EndpointError) -> Failure {
    match error {
        EndpointError::UrlNotAllowed(reason) => {
            format!("the URL {reason} (settings webhooks.allow_http and webhooks.allowed_networks)").into()
        }
        EndpointError::Position(error) => format!("--after: {error}").into(),
        error @ (EndpointError::NotFound
        | EndpointError::NotConfigured
        | EndpointError::OtherKey
        | EndpointError::TypesFollowSubscriptions
        | EndpointError::TooManyEndpoints
        | EndpointError::EventNotFound
        | EndpointError::TooManyResends
        | EndpointError::EventStillWaits { .. }
        | EndpointError::Store(_)) => error.into(),
    }
}

fn check_description(text: &str) -> Result<(), Failure> {
    match Text::<0, { Publisher::ENDPOINT_DESCRIPTION_CHARS_MAX }>::of_one_line(text) {
        Ok(_) => Ok(()),
        Err(problem) => Err(format!("the description {problem}").into()),
    }
}

/// Line about an endpoint.
fn line(stored: &StoredEndpoint) -> String {
    let endpoint = &stored.endpoint.value;
    let types: Vec<_> = endpoint.types.iter().map(|it| it.name()).collect();
    let types = if types.is_empty() { "*".to_owned() } else { types.join(", ") };
    let state = match (endpoint.state, endpoint.failing) {
        (EndpointState::Disabled { reason, at }, _) => format!("disabled {at} ({})", reason.name()),
        (EndpointState::Enabled, Some(failing)) => format!("failing since {}", failing.since),
        (EndpointState::Enabled, None) => "enabled".to_owned(),
    };
    let position = stored.reached().map_or_else(|| "-".to_owned(), |it| it.0.to_string());
    let format = match endpoint.format {
        EndpointFormat::Standard => String::new(),
        EndpointFormat::Spree => format!("  spree [{}]", endpoint.subscriptions.join(", ")),
    };
    let description = if endpoint.description.is_empty() { "" } else { "  " };
    format!(
        "{}  {}  [{types}]{format}  position {position}  {state}{description}{}",
        endpoint.id,
        endpoint.url.as_str(),
        endpoint.description
    )
}

/// Line about what waits for an endpoint.
fn waiting_line(waiting: WaitingOrders) -> String {
    let WaitingOrders { count, next_attempt_at } = waiting;
    let or_more = if count >= WAITING_ORDERS_MAX { " or more" } else { "" };
    let next = next_attempt_at.map(|it| format!("; next attempt at {it}")).unwrap_or_default();
    format!("orders with events that wait: {count}{or_more}{next}")
}

/// Line about an attempt.
fn attempt_line(attempt: &Attempt) -> String {
    let position = attempt.position().map_or_else(|| "-".to_owned(), |it| it.0.to_string());
    let answer = match (attempt.status, attempt.error) {
        (Some(status), _) => status.to_string(),
        (None, error) => error.map(SendErrorClass::name).unwrap_or_default().to_owned(),
    };
    let text: String =
        attempt.answer.chars().map(|it| if it.is_control() { ' ' } else { it }).take(TEXT_CHARS).collect();
    let more = if attempt.answer.chars().count() > TEXT_CHARS { "…" } else { "" };
    format!(
        "{}  {position}  {}  {}  attempt {}  {}  {answer}  {} ms  {text}{more}",
        attempt.at,
        attempt.kind,
        attempt.event,
        attempt.number,
        attempt.outcome.name(),
        attempt.duration_ms
    )
}
