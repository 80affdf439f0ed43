//! Stripe's lists behind the port of the use cases.

use async_trait::async_trait;
use paywright_app::{EventPage, GatewayError, Page, ProviderRecords};
use paywright_domain::{Dispute, IntentId, IntentSnapshot, RefundSnapshot, Timestamp};
use serde_json::Value;

use crate::events::read_event;
use crate::gateway::gateway_error;
use crate::objects::{self, List, PaymentIntent};
use crate::requests::{Get, ListDisputes, ListEvents, ListPaymentIntents, ListRefunds, Since};
use crate::snapshots::{dispute_of, refund_of, snapshot_of};
use crate::{StripeGateway, StripeId};

/// The most that Stripe lists at once.
const PAGE: u8 = 100;

/// The most pages that a walk without a mark goes back through, at 100 events each.
const BACK_PAGES_MAX: u32 = 200;

impl StripeGateway {
    async fn list<R: Get<Reply = List<T>>, T>(&self, request: &R) -> Result<List<T>, GatewayError> {
        Ok(self.client().get(request).await.map_err(gateway_error)?.value)
    }
}

fn since(moment: Timestamp) -> Since {
    Since { gte: moment.unix_seconds() }
}

fn after(id: Option<&str>) -> Result<Option<StripeId>, GatewayError> {
    id.map(|it| StripeId::new("", it)).transpose().map_err(|_| GatewayError::NotFound)
}

/// A page of what can be read as ours.
fn page<T, U>(list: &List<T>, id: impl Fn(&T) -> Option<String>, read: impl Fn(&T) -> Option<U>) -> Page<U> {
    let next = list.data.last().filter(|_| list.has_more).and_then(id);
    Page { items: list.data.iter().filter_map(read).collect(), next }
}

fn refunds(list: &List<objects::Refund>) -> Page<RefundSnapshot> {
    page(list, |it| Some(it.id.to_string()), |it| refund_of(it).ok().flatten())
}

fn id_of(object: &Value) -> Option<String> {
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
            // Stripe gives those just after it, the newest first all the same.
            let page = self.list(&request).await.map_err(forgotten)?;
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
        let read = |json: Value| match read_event(json) {
            Ok(event) => Some(event),
            Err(problem) => {
                tracing::warn!(%problem, "a listed event cannot be read");
                None
            }
        };
        Ok(EventPage { events: page.data.into_iter().filter_map(read).collect(), last, more })
    }

    async fn intents(&self, after: Option<&str>, since: Timestamp) -> Result<Page<IntentSnapshot>, GatewayError> {
        let request =
            ListPaymentIntents { limit: PAGE, created: self::since(since), starting_after: self::after(after)? };
        let asked_at = self.now();
        let read = |json: &Value| {
            let intent: PaymentIntent = serde_json::from_value(json.clone()).ok()?;
            snapshot_of(&intent, asked_at).ok()
        };
        Ok(page(&self.list(&request).await?, id_of, read))
    }

    async fn refunds(&self, after: Option<&str>, since: Timestamp) -> Result<Page<RefundSnapshot>, GatewayError> {
        let starting_after = self::after(after)?;
        let created = Some(self::since(since));
        let request = ListRefunds { payment_intent: None, created, limit: PAGE, starting_after };
        Ok(refunds(&self.list(&request).await?))
    }

    async fn refunds_of(&self, intent: &IntentId, after: Option<&str>) -> Result<Page<RefundSnapshot>, GatewayError> {
        let starting_after = self::after(after)?;
        let payment_intent = self::after(Some(intent.as_str()))?;
        let request = ListRefunds { payment_intent, created: None, limit: PAGE, starting_after };
        Ok(refunds(&self.list(&request).await?))
    }

    async fn disputes(&self, after: Option<&str>, since: Timestamp) -> Result<Page<Dispute>, GatewayError> {
        let request = ListDisputes { limit: PAGE, created: self::since(since), starting_after: self::after(after)? };
        let list = self.list(&request).await?;
        Ok(page(&list, |it| Some(it.id.to_string()), |it| dispute_of(it).ok().flatten()))
    }
}

/// Stripe refuses to walk on from an event that it lists no more.
fn forgotten(error: GatewayError) -> GatewayError {
    match error {
        GatewayError::Refused(refusal) if refusal.code.as_deref() == Some("resource_missing") => GatewayError::NotFound,
        error @ (GatewayError::Refused(_)
        | GatewayError::NotFound
        | GatewayError::Spent(_)
        | GatewayError::Busy
        | GatewayError::InFlight
        | GatewayError::Misconfigured(_)
        | GatewayError::Unknown(_)) => error,
    }
}
