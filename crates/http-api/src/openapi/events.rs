//! Schemas of events, and the webhooks that carry them.

use std::borrow::Cow;

use paywright_app::event_schema;
use paywright_domain::fact::FeedEventType;
use utoipa::openapi::path::{HttpMethod, OperationBuilder, ParameterBuilder, ParameterIn, PathItem, PathsBuilder};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{Components, Discriminator, ObjectBuilder, OneOfBuilder, Schema, Type};
use utoipa::openapi::{ContentBuilder, KnownFormat, OpenApi, Ref, RefOr, Required, ResponseBuilder};
use utoipa::{PartialSchema, ToSchema};

use super::schema::{string, string_in};

/// Name of the schema of the test event.
const TEST: &str = "TestEvent";

/// Event of any type.
pub(crate) enum AnyEvent {}

impl PartialSchema for AnyEvent {
    fn schema() -> RefOr<Schema> {
        let mut one_of = OneOfBuilder::new().description(Some("Event of the feed."));
        let mut by_type = Discriminator::new("type");
        for kind in FeedEventType::ALL {
            let name = name_of(kind);
            by_type.mapping.insert(kind.name().to_owned(), format!("#/components/schemas/{name}"));
            one_of = one_of.item(Ref::from_schema_name(name));
        }
        one_of.discriminator(Some(by_type)).into()
    }
}

impl ToSchema for AnyEvent {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Event")
    }
}

/// Name of the schema of a type's events: `OrderPaidEvent` for `order.paid`.
fn name_of(kind: FeedEventType) -> String {
    let word = |it: &str| match it.split_at_checked(1) {
        Some((first, rest)) => first.to_ascii_uppercase() + rest,
        None => String::new(),
    };
    kind.name().split(['.', '_']).map(word).collect::<String>() + "Event"
}

/// Adds the schemas of all events, and the webhooks.
pub(super) fn add(api: &mut OpenApi) {
    let components = api.components.get_or_insert_with(Components::default);
    let mut webhooks = PathsBuilder::new();
    for kind in FeedEventType::ALL {
        let mut referred = Vec::new();
        let event = event_schema(kind, &mut referred);
        components.schemas.extend(referred);
        components.schemas.insert(name_of(kind), RefOr::T(Schema::Object(event)));
        webhooks = webhooks.path(kind.name(), webhook(&name_of(kind), "An event of the feed."));
    }
    components.schemas.insert(TEST.to_owned(), test_event());
    webhooks = webhooks.path("webhook.test", webhook(TEST, "A test event, sent by a call; it is not in the feed."));
    api.webhooks = Some(webhooks.build());
}

fn test_event() -> RefOr<Schema> {
    let kind = string().enum_values(Some(["webhook.test"]));
    let event = ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("id", string_in(KnownFormat::Uuid))
        .property("type", kind)
        .property("timestamp", string_in(KnownFormat::DateTime))
        .property("data", ObjectBuilder::new().schema_type(Type::Object));
    ["id", "type", "timestamp", "data"].into_iter().fold(event, ObjectBuilder::required).into()
}

/// Webhook (Standard Webhooks 1.0) with a body of this schema.
fn webhook(schema: &str, what: &str) -> PathItem {
    let header = |name: &str, what: &str| {
        ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Header)
            .required(Required::True)
            .description(Some(what))
            .schema(Some(string()))
            .build()
    };
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(schema))).build();
    let body = RequestBodyBuilder::new().content("application/json", content).required(Some(Required::True));
    let success = "The receiver has the event. 410 disables the endpoint; any other status is a failure, and the event \
                   is sent again.";
    let operation = OperationBuilder::new()
        .tag("Webhooks")
        .summary(Some(what))
        .parameter(header("webhook-id", "Id of the event, the same in every delivery."))
        .parameter(header("webhook-timestamp", "Time of this delivery, in seconds since 1970."))
        .parameter(header("webhook-signature", "Signatures `v1,…` of id, timestamp and body, separated by spaces."))
        .request_body(Some(body.build()))
        .response("2XX", ResponseBuilder::new().description(success).build());
    PathItem::new(HttpMethod::Post, operation)
}
