//! `ProviderRecords` over the Stripe client: lists of events, PaymentIntents, refunds and disputes.

use async_trait::async_trait;
use paywright_app::{EventPage, GatewayError, Page, ProviderRecords, RecordedOrder, UnknownStatus};
use paywright_domain::dispute::Dispute;
use paywright_domain::id::ChargeId;
use paywright_domain::intent::CaptureMethod;
use paywright_domain::order::LostOrder;
use paywright_domain::refund::RefundSnapshot;
use paywright_domain::text::Email;
use paywright_domain::{IntentId, IntentSnapshot, OrderId, Timestamp};
use serde_json::Value;

use crate::events::read_event;
use crate::gateway::read_failure;
use crate::metadata::{self, Owner};
use crate::objects::{self, Expandable, List, PaymentIntent};
use crate::requests::{
    Get, ListDisputes, ListEvents, ListPaymentIntents, ListRefunds, RetrieveCharge, RetrievePaymentIntent, Since,
};
use crate::snapshots::{Unreadable, dispute_of, refund_of, snapshot_of};
use crate::{StripeGateway, StripeId};

/// Largest page that Stripe answers.
pub(crate) const PAGE: u8 = 100;

/// Most pages that a walk without a cursor reads backwards, with 100 events each.
const BACK_PAGES_MAX: u32 = 200;

impl StripeGateway {
    pub(crate) async fn list<R: Get<Reply = List<T>>, T>(&self, request: &R) -> Result<List<T>, GatewayError> {
        Ok(self.client().get(request).await.map_err(read_failure)?.value)
    }
}

fn since(time: Timestamp) -> Since {
    Since { gte: time.unix_seconds() }
}

pub(crate) fn after(id: Option<&str>) -> Result<Option<StripeId>, GatewayError> {
    id.map(|it| StripeId::new("", it)).transpose().map_err(GatewayError::from)
}

/// An object of a list, after its conversion.
enum Listed<T> {
    Read(T),
    UnknownStatus(UnknownStatus),
    /// The object has no PaymentIntent, or one that no order can have.
    Foreign,
}

impl<T> Listed<T> {
    /// Classifies the conversion of the object `id`, which belongs to `intent`.
    fn of(
        read: Result<Option<T>, Unreadable>,
        id: &str,
        intent: Option<&StripeId>,
        order: impl FnOnce() -> Option<OrderId>,
    ) -> Self {
        match (read, intent.and_then(|it| IntentId::new(it.as_str()).ok())) {
            (Ok(Some(read)), _) => Self::Read(read),
            (Err(Unreadable::Status(status)), Some(intent)) => {
                Self::UnknownStatus(UnknownStatus { id: id.to_owned(), status, intent, order: order() })
            }
            (Ok(None) | Err(Unreadable::Status(_) | Unreadable::Foreign(_)), _) => Self::Foreign,
        }
    }
}

/// Converts a page of Stripe's list, leaving out foreign objects.
fn page<T, U>(list: &List<T>, id: impl Fn(&T) -> Option<String>, read: impl Fn(&T) -> Listed<U>) -> Page<U> {
    let next = list.data.last().filter(|_| list.has_more).and_then(id);
    let (mut items, mut unknown) = (Vec::new(), Vec::new());
    for object in &list.data {
        match read(object) {
            Listed::Read(item) => items.push(item),
            Listed::UnknownStatus(object) => unknown.push(object),
            Listed::Foreign => {}
        }
    }
    Page { items, unknown, next }
}

fn refunds(list: &List<objects::Refund>, owner: Owner) -> Page<RefundSnapshot> {
    let read = |it: &objects::Refund| {
        Listed::of(refund_of(it, owner), it.id.as_str(), it.payment_intent.as_ref().map(Expandable::id), || None)
    };
    page(list, |it| Some(it.id.to_string()), read)
}

fn disputes(list: &List<objects::Dispute>) -> Page<Dispute> {
    let read = |it: &objects::Dispute| {
        Listed::of(dispute_of(it), it.id.as_str(), it.payment_intent.as_ref().map(Expandable::id), || None)
    };
    page(list, |it| Some(it.id.to_string()), read)
}

pub(crate) fn id_of(object: &Value) -> Option<String> {
    object.get("id").and_then(Value::as_str).map(str::to_owned)
}

#[async_trait]
impl ProviderRecords for StripeGateway {
    async fn events(&self, after: Option<&str>, since_then: Timestamp) -> Result<EventPage, GatewayError> {
        let mut request = ListEvents {
            limit: PAGE,
            types: Vec::new(),
            created: None,
            starting_after: None,
            ending_before: self::after(after)?,
            delivery_success: None,
        };
        let (mut page, more) = if request.ending_before.is_some() {
            // Stripe answers the events that directly follow the cursor, still with the newest first.
            let page = self.list(&request).await?;
            let more = page.has_more;
            (page, more)
        } else {
            request.created = Some(since(since_then));
            let mut page = self.list(&request).await?;
            let mut pages = 1;
            while page.has_more && pages < BACK_PAGES_MAX {
                request.starting_after = self::after(page.data.last().and_then(id_of).as_deref())?;
                page = self.list(&request).await?;
                pages += 1;
            }
            (page, pages > 1)
        };
        page.data.reverse();
        let last = page.data.last().and_then(|it| {
            let created = it.get("created").and_then(Value::as_i64)?;
            Some((id_of(it)?, Timestamp::from_unix_seconds(created).ok()?))
        });
        let read = |json: Value| match read_event(json, self.owner()) {
            Ok(event) => Some(event),
            Err(problem) => {
                tracing::warn!(%problem, "an event of Stripe's event list cannot be read");
                None
            }
        };
        Ok(EventPage { events: page.data.into_iter().filter_map(read).collect(), last, more })
    }

    async fn intents(&self, after: Option<&str>, since: Timestamp) -> Result<Page<IntentSnapshot>, GatewayError> {
        let request =
            ListPaymentIntents { limit: PAGE, created: self::since(since), starting_after: self::after(after)? };
        let requested_at = self.now();
        let read = |json: &Value| match serde_json::from_value::<PaymentIntent>(json.clone()) {
            Ok(intent) => {
                let read = snapshot_of(&intent, requested_at, self.owner()).map(Some);
                Listed::of(read, intent.id.as_str(), Some(&intent.id), || self.owner().order(&intent.metadata))
            }
            Err(_) => Listed::Foreign,
        };
        Ok(page(&self.list(&request).await?, id_of, read))
    }

    async fn recorded_order(&self, intent: &IntentId) -> Result<Option<RecordedOrder>, GatewayError> {
        let id = StripeId::new("pi_", intent.as_str()).map_err(GatewayError::from)?;
        let request = RetrievePaymentIntent { intent: id, expand: Vec::new() };
        let intent = self.client().get(&request).await.map_err(read_failure)?.value;
        Ok(recorded_order(&intent, self.owner()))
    }

    async fn intent_of_charge(&self, charge: &ChargeId) -> Result<Option<IntentId>, GatewayError> {
        let charge = StripeId::new("", charge.as_str()).map_err(GatewayError::from)?;
        match self.client().get(&RetrieveCharge { charge }).await.map_err(read_failure) {
            Ok(found) => {
                let intent = found.value.payment_intent.map(|it| IntentId::new(it.id().as_str()));
                intent.transpose().map_err(|it| GatewayError::NotUnderstood(it.to_string()))
            }
            Err(GatewayError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn refunds(&self, after: Option<&str>, since: Timestamp) -> Result<Page<RefundSnapshot>, GatewayError> {
        let starting_after = self::after(after)?;
        let created = Some(self::since(since));
        let request = ListRefunds { payment_intent: None, created, limit: PAGE, starting_after };
        Ok(refunds(&self.list(&request).await?, self.owner()))
    }

    async fn refunds_of(&self, intent: &IntentId, after: Option<&str>) -> Result<Page<RefundSnapshot>, GatewayError> {
        let starting_after = self::after(after)?;
        let payment_intent = self::after(Some(intent.as_str()))?;
        let request = ListRefunds { payment_intent, created: None, limit: PAGE, starting_after };
        Ok(refunds(&self.list(&request).await?, self.owner()))
    }

    async fn disputes(&self, after: Option<&str>, since: Timestamp) -> Result<Page<Dispute>, GatewayError> {
        let (created, starting_after) = (Some(self::since(since)), self::after(after)?);
        let request = ListDisputes { payment_intent: None, limit: PAGE, created, starting_after };
        Ok(disputes(&self.list(&request).await?))
    }

    async fn disputes_of(&self, intent: &IntentId, after: Option<&str>) -> Result<Page<Dispute>, GatewayError> {
        let starting_after = self::after(after)?;
        let payment_intent = self::after(Some(intent.as_str()))?;
        let request = ListDisputes { payment_intent, limit: PAGE, created: None, starting_after };
        Ok(disputes(&self.list(&request).await?))
    }
}

/// Order data recorded in a PaymentIntent and its metadata. An invalid email address is left out.
fn recorded_order(intent: &PaymentIntent, owner: Owner) -> Option<RecordedOrder> {
    let order = LostOrder {
        id: owner.order(&intent.metadata)?,
        number: metadata::order_number(&intent.metadata)?,
        customer: metadata::customer(&intent.metadata),
        capture: match intent.capture_method {
            Some(crate::CaptureMethod::Manual) => CaptureMethod::Manual,
            Some(_) | None => CaptureMethod::Automatic,
        },
        email: intent.receipt_email.as_deref().and_then(|it| Email::new(it).ok()),
    };
    Some(RecordedOrder { order, names_installation: owner.is_named(&intent.metadata) })
}
