//! Description of the shop dialect at `/openapi.json` (OpenAPI 3.1), made from the handlers, and its page at `/docs`.
//! Neither needs an API key: they contain nothing of the installation.

mod events;
mod page;
pub(crate) mod refusals;
pub(crate) mod schema;

use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, ContentType};
use utoipa::openapi::link::Link;
use utoipa::openapi::path::{Operation, ParameterIn, PathItem};
use utoipa::openapi::response::Response;
use utoipa::openapi::schema::{AllOf, ArrayBuilder, Object, ObjectBuilder, OneOf, Schema, SchemaType, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Header, HeaderBuilder, OpenApi, Ref, RefOr, Required};
use utoipa::{Modify, OpenApi as _};

use crate::problem::Envelope as Refusal;
use crate::{health, metrics, shop, webhook};
pub(crate) use events::AnyEvent;
pub(crate) use page::{accepts_gzip, file, page};

/// Description of all calls, in JSON.
pub fn description() -> &'static str {
    &DESCRIPTION
}

static DESCRIPTION: LazyLock<String> = LazyLock::new(|| {
    let mut all = Description::openapi().nest(shop::PREFIX, shop::Description::openapi());
    events::add(&mut all);
    Finish.modify(&mut all);
    // A description is plain data, for which this cannot fail.
    serde_json::to_string(&all).unwrap_or_default()
});

/// `GET /openapi.json`: the description.
pub(crate) async fn document() -> HttpResponse {
    HttpResponse::Ok().content_type(ContentType::json()).insert_header((CACHE_CONTROL, "no-cache")).body(description())
}

const TEXT: &str = "\
Orders, payments and refunds through Stripe, the feed of events, and webhooks to other programs.\n\n\
A success is `{\"message\", \"data\"}`, a refusal `{\"message\", \"error\"}` with a stable `code`. Later versions may add \
fields, names of anomalies and types of events. The documentation is in `docs/api.md` and `docs/events.md`.";

/// Calls outside the shop dialect, and what all calls have in common.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(title = "Paywright", description = TEXT),
    paths(webhook::stripe, health::healthz, health::readyz, metrics::page),
    components(schemas(Refusal)),
    tags(
        (name = "Orders", description = "Orders and their payments."),
        (name = "Books", description = "Books of the balance at Stripe: statements, payouts, and what does not agree."),
        (name = "Events", description = "Feed of what happened to all orders."),
        (name = "Webhook endpoints", description = "Endpoints of other programs, to which events are sent."),
        (name = "Audit trail", description = "Every act that moved money, changed access, told other programs something or explained a break."),
        (name = "Stripe", description = "Events of Stripe."),
        (name = "Health", description = "Probes and metrics."),
    ),
)]
struct Description;

const REQUEST_ID: &str = "X-Request-Id";
const RETRY_AFTER: &str = "Retry-After";
const REPLAYED: &str = "Idempotent-Replayed";

/// Adds what is the same everywhere: security schemes, headers, required fields.
struct Finish;

impl Modify for Finish {
    fn modify(&self, api: &mut OpenApi) {
        let mut components = api.components.take().unwrap_or_default();
        components.add_security_scheme("api_key", api_key());
        components.add_security_scheme("bearer", bearer());
        let schemas = components.schemas.clone();
        for (name, schema) in &mut components.schemas {
            refer(name, schema, &schemas);
            flatten(schema, &schemas);
            require(schema);
        }
        components.headers.extend(headers());
        api.components = Some(components);
        for item in api.paths.paths.values_mut() {
            operations_of(item).for_each(finish);
        }
        link(api, "placeOrder", "order");
        link(api, "createWebhookEndpoint", "endpoint");
    }
}

fn api_key() -> SecurityScheme {
    let what = "Key of the application, made by `paywright keys create`. Each call requires one of its scopes.";
    SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description("X-API-Key", what)))
}

fn bearer() -> SecurityScheme {
    let what = "Token of a customer (a JWT that the shop or its login signs) or of one order. The call sees only the \
                orders that it gives access to.";
    SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(what)).build())
}

/// Links the answer of the call that creates an object to the calls about it, whose path has its id.
fn link(api: &mut OpenApi, creation: &str, parameter: &str) {
    let is_about = |it: &&mut Operation| {
        it.parameters.iter().flatten().any(|it| match it {
            RefOr::T(it) => it.parameter_in == ParameterIn::Path && it.name == parameter,
            RefOr::Ref(_) => false,
        })
    };
    let about = api.paths.paths.values_mut().flat_map(operations_of).filter(is_about);
    let names: Vec<_> = about.filter_map(|it| it.operation_id.clone()).collect();
    let created =
        api.paths.paths.values_mut().flat_map(operations_of).find(|it| it.operation_id.as_deref() == Some(creation));
    let Some(RefOr::T(answer)) = created.and_then(|it| it.responses.responses.get_mut("201")) else { return };
    for name in names {
        let link = Link::builder().operation_id(&name).parameter(parameter, "$response.body#/data/id").build();
        answer.links.insert(name, RefOr::T(link));
    }
}

fn operations_of(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, put, post, delete, patch, .. } = item;
    [get, put, post, delete, patch].into_iter().flatten()
}

/// Adds the headers of all answers, and lets a body that may be absent not be null.
fn finish(operation: &mut Operation) {
    let is_idempotent = operation.parameters.iter().flatten().any(|it| match it {
        RefOr::T(parameter) => parameter.name == "Idempotency-Key",
        RefOr::Ref(_) => false,
    });
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        add_header(response, REQUEST_ID);
        if ["409", "429", "503"].contains(&status.as_str()) {
            add_header(response, RETRY_AFTER);
        }
        if is_idempotent && status == "201" {
            add_header(response, REPLAYED);
        }
    }
    if let Some(RefOr::T(body)) = &mut operation.request_body {
        for content in body.content.values_mut() {
            let RefOr::T(content) = content else { continue };
            match content.schema.take() {
                Some(RefOr::T(Schema::OneOf(one))) => {
                    content.schema = one.items.into_iter().find(|it| !is_null(it));
                    body.required = Some(Required::False);
                }
                schema => {
                    content.schema = schema;
                    body.required = Some(Required::True);
                }
            }
        }
    }
}

fn add_header(response: &mut Response, name: &str) {
    let reference = RefOr::Ref(Ref::new(format!("#/components/headers/{name}")));
    response.headers.insert(name.to_owned(), reference);
}

/// Headers that several answers have.
fn headers() -> [(String, RefOr<Header>); 3] {
    let header = |name: &str, what: &str, schema: ObjectBuilder| {
        (name.to_owned(), RefOr::T(HeaderBuilder::new().description(Some(what)).schema(Some(schema)).build()))
    };
    let id = "Id of the request in the service's log: the caller's own if it is plain.";
    let retry = "Seconds after which the request is worth repeating; absent if it is not.";
    let replayed = "Present if an earlier request with this `Idempotency-Key` was answered so.";
    [
        header(REQUEST_ID, id, schema::string()),
        header(RETRY_AFTER, retry, schema::integer(0, u32::MAX)),
        header(REPLAYED, replayed, schema::string().enum_values(Some(["true"]))),
    ]
}

/// Whether the schema is that of null.
fn is_null(schema: &RefOr<Schema>) -> bool {
    matches!(schema, RefOr::T(Schema::Object(Object { schema_type: SchemaType::Type(Type::Null), .. })))
}

/// Whether the schema allows null.
fn is_nullable(schema: &RefOr<Schema>) -> bool {
    let types = |it: &SchemaType| matches!(it, SchemaType::Array(types) if types.contains(&Type::Null));
    match schema {
        RefOr::T(Schema::OneOf(OneOf { items, .. })) => items.iter().any(is_null),
        RefOr::T(Schema::Object(object)) => types(&object.schema_type),
        RefOr::T(Schema::Array(array)) => types(&array.schema_type),
        RefOr::T(_) | RefOr::Ref(_) => false,
    }
}

type Schemas = std::collections::BTreeMap<String, RefOr<Schema>>;

/// Refers to the schema of the data of an answer. utoipa repeats it in the schema of the answer, `Envelope_…`.
fn refer(name: &str, schema: &mut RefOr<Schema>, all: &Schemas) {
    let RefOr::T(Schema::Object(object)) = schema else { return };
    let (Some(data), Some(of)) = (object.properties.get_mut("data"), name.strip_prefix("Envelope_")) else { return };
    let item = of.strip_prefix("Vec_");
    let named = item.unwrap_or(of);
    if all.contains_key(named) {
        let reference = RefOr::Ref(Ref::from_schema_name(named));
        *data = if item.is_some() { ArrayBuilder::new().items(reference).into() } else { reference };
    }
}

/// Makes one object of an object with flattened fields, which is described as all of several.
fn flatten(schema: &mut RefOr<Schema>, all: &Schemas) {
    let RefOr::T(Schema::AllOf(AllOf { items, description, .. })) = schema else { return };
    let mut whole = Object::new();
    whole.description.clone_from(description);
    whole.schema_type = SchemaType::Type(Type::Object);
    for part in items {
        let mut part = match part {
            RefOr::Ref(reference) => {
                let name = reference.ref_location.rsplit('/').next().unwrap_or_default();
                all.get(name).cloned().unwrap_or_default()
            }
            RefOr::T(_) => part.clone(),
        };
        flatten(&mut part, all);
        if let RefOr::T(Schema::Object(part)) = part {
            whole.properties.extend(part.properties);
            whole.required.extend(part.required);
        }
    }
    *schema = RefOr::T(Schema::Object(whole));
}

/// Fields that events from before an update of the program lack: the only ones that may be null and may be absent.
const MAY_BE_ABSENT: [&str; 3] = ["accepted_at", "closed_at", "closed_amount"];

/// Requires the fields of an answer that may be null: they are null rather than absent. Any other field that may be absent is
/// described as never null.
fn require(schema: &mut RefOr<Schema>) {
    let RefOr::T(Schema::Object(object)) = schema else { return };
    // Bodies of requests refuse unknown fields, and have their own requirements.
    if object.additional_properties.is_none() {
        let nullable = object.properties.iter().filter(|(_, it)| is_nullable(it)).map(|(name, _)| name.clone());
        for name in nullable {
            if !object.required.contains(&name) && !MAY_BE_ABSENT.contains(&name.as_str()) {
                object.required.push(name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// Methods and paths of the description.
    fn described() -> Vec<(String, String)> {
        let document: Value = serde_json::from_str(description()).unwrap();
        let paths = document["paths"].as_object().unwrap();
        let methods = |(path, item): (&String, &Value)| {
            item.as_object().unwrap().keys().map(|it| (it.clone(), path.clone())).collect::<Vec<_>>()
        };
        let mut described: Vec<_> = paths.iter().flat_map(methods).collect();
        described.sort();
        described
    }

    #[test]
    fn the_description_has_exactly_the_routes_of_the_shop_dialect() {
        let mut routes: Vec<_> = shop::ROUTES
            .iter()
            .map(|(method, path)| ((*method).to_owned(), format!("{}{path}", shop::PREFIX)))
            .collect();
        let others = [("get", "/healthz"), ("get", "/metrics"), ("get", "/readyz"), ("post", "/webhooks/stripe")];
        routes.extend(others.map(|(method, path)| (method.to_owned(), path.to_owned())));
        routes.sort();
        assert_eq!(described(), routes);
    }
}
