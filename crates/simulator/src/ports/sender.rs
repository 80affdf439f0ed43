//! Sender of webhooks to the receivers of the simulated world.

use async_trait::async_trait;
use paywright_app::{
    EndpointAnswer, EndpointId, EndpointUrl, EventFormat, EventPart, FeedEvent, OutgoingWebhook, SendError,
    SendErrorClass, SendResult, UrlNotAllowed, WebhookSender,
};
use paywright_domain::Timestamp;
use paywright_domain::fact::FeedEventType;
use secrecy::SecretString;

use super::{ProcessPorts, SLOW_SECONDS};
use crate::fault::{Call, Fault};

/// Id of the key from which secrets follow.
const KEY_ID: &str = "simulated";

/// Status of an answer, or the class of the error without one.
type Outcome = Result<u16, SendErrorClass>;

fn result_of(outcome: Outcome) -> SendResult {
    let answer = |status| EndpointAnswer { status, retry_after_seconds: None, body: String::new() };
    let error = |class: SendErrorClass| SendError { class, message: class.name().to_owned() };
    SendResult { duration_ms: 0, answer: outcome.map(answer).map_err(error) }
}

#[async_trait]
impl WebhookSender for ProcessPorts {
    async fn send(&self, webhook: &OutgoingWebhook) -> SendResult {
        {
            let mut core = self.world.core();
            let now = core.now;
            let checked = core.books.feed.send(self.process, webhook, now);
            core.books.note(checked);
        }
        let fault = self.world.turn(Call::Endpoint, "send webhook").await;
        let outcome: Outcome = {
            let mut core = self.world.core();
            if fault == Fault::Slow {
                core.pass(SLOW_SECONDS);
            }
            let books = &mut core.books.feed;
            match fault {
                Fault::None | Fault::Slow => {
                    books.receive(webhook);
                    Ok(200)
                }
                Fault::LostAfter => {
                    books.receive(webhook);
                    Err(SendErrorClass::Interrupted)
                }
                Fault::Late => {
                    books.late.push(webhook.clone());
                    Err(SendErrorClass::Timeout)
                }
                Fault::FailsBefore => Ok(500),
                Fault::Gone => Ok(410),
                Fault::LostBefore
                | Fault::Conflict
                | Fault::Down
                | Fault::UnknownUndone
                | Fault::UnknownDone
                | Fault::UnknownLate
                | Fault::FailsAfter
                | Fault::Busy
                | Fault::InFlight => Err(SendErrorClass::Connect),
            }
        };
        self.world.learn(|| format!("{outcome:?}"));
        result_of(outcome)
    }

    fn check_url(&self, _url: &EndpointUrl) -> Result<(), UrlNotAllowed> {
        Ok(())
    }

    fn secret(&self, endpoint: EndpointId, generation: u32) -> SecretString {
        SecretString::from(format!("whsec_{endpoint}_{generation}"))
    }

    fn key_id(&self) -> Option<&str> {
        Some(KEY_ID)
    }
}

/// Format in which events of some types become several webhooks, and those of others none.
pub(crate) struct SimulatedFormat;

/// Number of webhooks that an event becomes in the simulated format, if all are subscribed to.
pub(crate) const fn parts_of(kind: FeedEventType) -> u32 {
    match kind {
        FeedEventType::OrderPaid => 3,
        FeedEventType::OrderPlaced | FeedEventType::RefundChanged => 2,
        FeedEventType::OrderEdited | FeedEventType::OrderCanceled | FeedEventType::IntentChanged => 1,
        FeedEventType::OrderAnomaly
        | FeedEventType::IntentCreated
        | FeedEventType::IntentConfirmed
        | FeedEventType::PaymentAccepted
        | FeedEventType::AuthorizationEnded
        | FeedEventType::RefundRequested
        | FeedEventType::RefundClosed
        | FeedEventType::DisputeOpened
        | FeedEventType::DisputeChanged
        | FeedEventType::BooksBreak
        | FeedEventType::PayoutPaid
        | FeedEventType::PayoutFailed => 0,
    }
}

impl EventFormat for SimulatedFormat {
    fn part(&self, event: &FeedEvent, _subscriptions: &[String], from: u32) -> Option<EventPart> {
        let parts = parts_of(event.kind);
        (from < parts).then(|| EventPart {
            index: from,
            name: format!("{}.{from}", event.kind.name()),
            body: event.to_json(),
            next: Some(from + 1).filter(|it| *it < parts),
        })
    }

    fn test_body(&self, _kind: &str, _at: Timestamp) -> String {
        String::new()
    }
}
