//! Schemas of events, one for each type, for the description of the HTTP API.

use paywright_domain::fact::FeedEventType;
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::account_event_view::{BreakFoundView, PayoutChangedView};
use super::event_view::{
    AcceptedView, AnomalyFoundView, CanceledView, DisputeChangedView, DisputeOpenedView, EditedView, EventFieldsView,
    IntentView, PaymentView, RefundChangedView, RefundClosedView, RefundRequestedView, StatusView,
};
use crate::OrderView;

/// Schemas by their names.
type Schemas = Vec<(String, RefOr<Schema>)>;

/// Schema of an object of its own, and those that it refers to.
fn object_of<T: ToSchema>(referred: &mut Schemas) -> Object {
    T::schemas(referred);
    match T::schema() {
        RefOr::T(Schema::Object(object)) => object,
        RefOr::T(_) | RefOr::Ref(_) => Object::new(),
    }
}

/// Fields of what an event shows, as [`super::event_view`] shows the facts and account events of this type.
fn shown(kind: FeedEventType, referred: &mut Schemas) -> Object {
    match kind {
        FeedEventType::OrderPlaced => Object::new(),
        FeedEventType::OrderEdited => object_of::<EditedView>(referred),
        FeedEventType::OrderPaid | FeedEventType::IntentCreated | FeedEventType::IntentConfirmed => {
            object_of::<PaymentView<'_>>(referred)
        }
        FeedEventType::OrderCanceled => object_of::<CanceledView>(referred),
        FeedEventType::OrderAnomaly => object_of::<AnomalyFoundView<'_>>(referred),
        FeedEventType::IntentChanged => object_of::<StatusView<'_>>(referred),
        FeedEventType::PaymentAccepted => object_of::<AcceptedView<'_>>(referred),
        FeedEventType::AuthorizationEnded => object_of::<IntentView<'_>>(referred),
        FeedEventType::RefundRequested => object_of::<RefundRequestedView<'_>>(referred),
        FeedEventType::RefundChanged => object_of::<RefundChangedView<'_>>(referred),
        FeedEventType::RefundClosed => object_of::<RefundClosedView<'_>>(referred),
        FeedEventType::DisputeOpened => object_of::<DisputeOpenedView<'_>>(referred),
        FeedEventType::DisputeChanged => object_of::<DisputeChangedView<'_>>(referred),
        FeedEventType::BooksBreak => object_of::<BreakFoundView<'_>>(referred),
        FeedEventType::PayoutPaid | FeedEventType::PayoutFailed => object_of::<PayoutChangedView<'_>>(referred),
    }
}

/// Schema of the events of a type: the fields that all events have, and in `data` those of the change with the order, or
/// the object of the account. Adds the schemas that it refers to.
pub fn event_schema(kind: FeedEventType, referred: &mut Schemas) -> Object {
    let mut event = object_of::<EventFieldsView>(referred);
    let name = ObjectBuilder::new().schema_type(Type::String).enum_values(Some([kind.name()])).build();
    event.properties.insert("type".to_owned(), RefOr::T(Schema::Object(name)));
    let mut data = shown(kind, referred);
    data.description = None;
    if kind.is_of_account() {
        // The type that other events have is there too: generators of clients leave out fields that are only null.
        for (field, kind) in [("order", Type::String), ("version", Type::Integer)] {
            let nullable = SchemaType::Array(vec![kind, Type::Null]);
            let null = ObjectBuilder::new().schema_type(nullable).description(Some("Null: it is about no order."));
            event.properties.insert(field.to_owned(), RefOr::T(Schema::Object(null.build())));
        }
    } else {
        data.properties.insert("order".to_owned(), RefOr::Ref(Ref::from_schema_name(OrderView::name())));
        data.required.push("order".to_owned());
        OrderView::schemas(referred);
        referred.push((OrderView::name().into_owned(), OrderView::schema()));
    }
    event.properties.insert("data".to_owned(), RefOr::T(Schema::Object(data)));
    event.required.push("data".to_owned());
    event.description = None;
    event
}
