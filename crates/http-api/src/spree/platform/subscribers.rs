//! `/webhooks/subscribers` of the Platform API: endpoints that get webhooks in Spree's format.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use paywright_app::{
    Endpoint, EndpointEdit, EndpointError, EndpointFormat, EndpointId, EndpointState, EndpointUrl, EndpointUrlError,
    NewEndpoint, NewSecret, Publisher, Scope, StoredEndpoint,
};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use uuid::Uuid;

use super::call::{Call, ListCall};
use super::webhook_format::{EVERY_EVENT, SpreeEvent, types_of};
use crate::Api;
use crate::problem::Problem;
use crate::reader::{FieldProblems, Reason, echo};
use crate::spree::document::{Resource, answer};
use crate::spree::pages::list_answer;
use crate::spree::params::{Params, flag, text};
use crate::spree::refusal::Refusal;
use crate::spree::resources::time;

/// Parameters of the lists of subscribers and of their events, which have one order each.
pub(super) const LIST: [&str; 5] = ["page", "per_page", "include", "fields", "filter"];

/// Filters of the list.
const FILTERS: [&str; 2] = ["active_eq", "url_cont"];

impl From<EndpointError> for Refusal {
    fn from(error: EndpointError) -> Self {
        match error {
            EndpointError::NotFound => Self::not_found(),
            EndpointError::UrlNotAllowed(reason) => Self::invalid("url", reason),
            error @ (EndpointError::NotConfigured
            | EndpointError::OtherKey
            | EndpointError::TypesFollowSubscriptions
            | EndpointError::TooManyEndpoints
            | EndpointError::Position(_)
            | EndpointError::EventNotFound
            | EndpointError::TooManyResends
            | EndpointError::EventStillWaits { .. }
            | EndpointError::Store(_)) => Problem::from(error).into(),
        }
    }
}

/// Every subscriber, the oldest first.
pub(super) async fn all_subscribers(api: &Api) -> Result<Vec<StoredEndpoint>, Refusal> {
    let all = api.publisher.list_endpoints(None, Publisher::ENDPOINTS_MAX).await?;
    Ok(all.into_iter().filter(|it| it.endpoint.value.format == EndpointFormat::Spree).collect())
}

/// Whether a URL contains a text, whatever the case of both.
pub(super) fn url_contains(endpoint: &Endpoint, text: &str) -> bool {
    endpoint.url.as_str().to_lowercase().contains(&text.to_lowercase())
}

/// Resource of a subscriber without its secret.
pub(super) fn resource(endpoint: &Endpoint) -> Resource {
    let attributes = json!({
        "url": endpoint.url.as_str(),
        "active": endpoint.state == EndpointState::Enabled,
        "subscriptions": endpoint.subscriptions,
        "created_at": time(endpoint.created_at),
        "updated_at": time(endpoint.updated_at),
    });
    Resource { kind: "subscriber", id: endpoint.id.to_string(), attributes, relations: Vec::new() }
}

fn with_secret(new: &NewSecret) -> Resource {
    let mut resource = resource(&new.endpoint.endpoint.value);
    if let Some(attributes) = resource.attributes.as_object_mut() {
        attributes.insert("secret_key".to_owned(), json!(new.secret.expose_secret()));
    }
    resource
}

/// Subscriber with the id in a path.
async fn find(api: &Api, id: &str) -> Result<Endpoint, Refusal> {
    let id = EndpointId(Uuid::try_parse(id).map_err(|_| Refusal::not_found())?);
    let found = api.publisher.endpoint(id).await?.endpoint.value;
    if found.format == EndpointFormat::Spree { Ok(found) } else { Err(Refusal::not_found()) }
}

/// Reads a URL, with the problems in Spree's words where Spree has them.
fn url(value: &Value) -> Result<EndpointUrl, Reason> {
    let text = text(value)?;
    if text.trim().is_empty() {
        return Err("can't be blank".into());
    }
    EndpointUrl::parse(&text).map_err(|error| match error {
        EndpointUrlError::NoPath => "the URL must have a path".into(),
        EndpointUrlError::Malformed | EndpointUrlError::Scheme | EndpointUrlError::Host => "must be a valid URL".into(),
        error @ (EndpointUrlError::TooLong
        | EndpointUrlError::Credentials
        | EndpointUrlError::ControlCharacter
        | EndpointUrlError::Fragment) => error.into(),
    })
}

/// Reads the names of events. Those that are never sent are refused by their names, so that nobody waits for them.
fn subscriptions(value: &Value) -> Result<Vec<String>, Reason> {
    let names = value.as_array().ok_or("must be an array of the names of events, like [\"order.paid\"]")?;
    let mut subscriptions = Vec::new();
    for name in names {
        let name = name.as_str().ok_or("must be an array of the names of events, like [\"order.paid\"]")?;
        if name != EVERY_EVENT && SpreeEvent::named(name).is_none() {
            let known = SpreeEvent::ALL.map(SpreeEvent::name).join(", ");
            return Err(format!("{} is never sent: use *, or of {known}", echo(name)).into());
        }
        if !subscriptions.iter().any(|it| it == name) {
            subscriptions.push(name.to_owned());
        }
    }
    Ok(subscriptions)
}

/// Fields of a subscriber that a request has.
#[derive(Debug, Default)]
struct SubscriberBody {
    url: Option<EndpointUrl>,
    active: Option<bool>,
    subscriptions: Option<Vec<String>>,
}

impl SubscriberBody {
    fn read(params: &Params, is_new: bool) -> Result<Self, Refusal> {
        let given = params.root("subscriber")?;
        let mut problems = FieldProblems::default();
        let mut it = given.reader_of(&["url", "active", "subscriptions"], &mut problems);
        if is_new && it.get("url").is_none() {
            it.note("url", "can't be blank");
        }
        let url = it.optional("url", url);
        let active = it.optional("active", flag);
        let subscriptions = it.optional("subscriptions", subscriptions);
        Ok(problems.done(Some(Self { url, active, subscriptions }))?)
    }
}

/// `GET /webhooks/subscribers`: a page of the subscribers, the oldest first.
pub(in crate::spree) async fn list(
    api: Data<Api>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Refusal> {
    let call = ListCall::read(&api, &request, payload, Scope::WebhooksRead, "subscriber").await?;
    let mut problems = FieldProblems::default();
    call.params.note_others(&LIST, &mut problems);
    let mut filter = call.filter.reader_of(&FILTERS, &mut problems);
    let (active, url) = (filter.optional("active_eq", flag), filter.optional("url_cont", text));
    problems.done(Some(()))?;
    let mut found = all_subscribers(&api).await?;
    found.retain(|it| {
        let endpoint = &it.endpoint.value;
        active.is_none_or(|active| active == (endpoint.state == EndpointState::Enabled))
            && url.as_ref().is_none_or(|text| url_contains(endpoint, text))
    });
    let total = u64::try_from(found.len()).unwrap_or(u64::MAX);
    let shown: Vec<_> = call.page.of(found).iter().map(|it| resource(&it.endpoint.value)).collect();
    Ok(list_answer(&api, &request, call.page, &call.show, (&shown, total)))
}

/// `GET /webhooks/subscribers/{id}`: a subscriber.
pub(in crate::spree) async fn show(
    api: Data<Api>,
    request: HttpRequest,
    payload: Payload,
    id: Path<String>,
) -> Result<HttpResponse, Refusal> {
    let Call { show, .. } = Call::to_show(&api, &request, payload, Scope::WebhooksRead, "subscriber").await?;
    Ok(answer(StatusCode::OK, &show.one(&resource(&find(&api, &id).await?))))
}

/// `POST /webhooks/subscribers`: creates a subscriber, inactive unless the request says otherwise. The answer alone has
/// the secret.
pub(in crate::spree) async fn create(
    api: Data<Api>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Refusal> {
    let Call { params, show } = Call::read(&api, &request, payload, Scope::WebhooksWrite, "subscriber").await?;
    let body = SubscriberBody::read(&params, true)?;
    let url = body.url.ok_or_else(|| Refusal::invalid("url", "can't be blank"))?;
    let subscriptions = body.subscriptions.unwrap_or_default();
    let new = NewEndpoint {
        format: EndpointFormat::Spree,
        types: types_of(&subscriptions),
        subscriptions,
        is_enabled: body.active.unwrap_or_default(),
        ..NewEndpoint::at(url)
    };
    let created = api.publisher.create_endpoint(new).await?;
    Ok(answer(StatusCode::CREATED, &show.one(&with_secret(&created))))
}

/// `PATCH /webhooks/subscribers/{id}`: changes a subscriber. Once it is active, it gets the events that came since it was
/// made inactive; the first time, those from then on. What waits for a retry is sent at once.
pub(in crate::spree) async fn update(
    api: Data<Api>,
    request: HttpRequest,
    payload: Payload,
    id: Path<String>,
) -> Result<HttpResponse, Refusal> {
    let Call { params, show } = Call::read(&api, &request, payload, Scope::WebhooksWrite, "subscriber").await?;
    let SubscriberBody { url, active, subscriptions } = SubscriberBody::read(&params, false)?;
    let found = find(&api, &id).await?;
    let subscriptions = subscriptions.map(|it| {
        let types = types_of(&it);
        (it, types)
    });
    let edit = EndpointEdit { url, subscriptions, ..EndpointEdit::default() };
    let mut changed = api.publisher.update_endpoint(found.id, edit).await?;
    match active {
        Some(true) => changed = api.publisher.enable_endpoint(found.id).await?,
        Some(false) => changed = api.publisher.disable_endpoint(found.id).await?,
        None => {}
    }
    Ok(answer(StatusCode::OK, &show.one(&resource(&changed.endpoint.value))))
}

/// `DELETE /webhooks/subscribers/{id}`: deletes a subscriber with what it has not received.
pub(in crate::spree) async fn remove(
    api: Data<Api>,
    request: HttpRequest,
    payload: Payload,
    id: Path<String>,
) -> Result<HttpResponse, Refusal> {
    Call::read(&api, &request, payload, Scope::WebhooksWrite, "subscriber").await?;
    api.publisher.delete_endpoint(find(&api, &id).await?.id).await?;
    Ok(HttpResponse::NoContent().finish())
}
