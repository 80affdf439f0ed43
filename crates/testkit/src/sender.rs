use std::collections::VecDeque;
use std::sync::Mutex;

use async_trait::async_trait;
use paywright_app::{
    EndpointAnswer, EndpointId, EndpointUrl, EventFormat, EventPart, FeedEvent, OutgoingWebhook, SendError,
    SendErrorClass, SendResult, UrlNotAllowed, WebhookSender,
};
use paywright_domain::Timestamp;
use paywright_domain::fact::FeedEventType;
use secrecy::SecretString;

/// Answer of an endpoint, or the error of an attempt without one.
type Answer = Result<EndpointAnswer, SendError>;
/// Script that answers each webhook.
type Script = Box<dyn FnMut(&OutgoingWebhook) -> Answer + Send>;

/// Sender of webhooks that answers as a test scripts, and records what it sends. Without a script, each webhook is
/// answered with 200.
pub struct ScriptedSender {
    key_id: Option<String>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    next: VecDeque<Answer>,
    script: Option<Script>,
    sent: Vec<OutgoingWebhook>,
    not_allowed: Option<String>,
}

impl Default for ScriptedSender {
    fn default() -> Self {
        Self { key_id: Some("key-1".to_owned()), state: Mutex::default() }
    }
}

impl ScriptedSender {
    /// Makes a sender without a key of its own, with which no endpoint can be created.
    pub fn without_key() -> Self {
        Self { key_id: None, ..Self::default() }
    }

    /// Makes an answer with this status and an empty body.
    pub fn answer(status: u16) -> Answer {
        Ok(EndpointAnswer { status, retry_after_seconds: None, body: String::new() })
    }

    /// Makes an error of this class.
    pub fn error(class: SendErrorClass) -> Answer {
        Err(SendError { class, message: format!("scripted: {}", class.name()) })
    }

    /// Adds answers of the next webhooks, one answer for each webhook. They come before the script.
    pub fn will(&self, answers: impl IntoIterator<Item = Answer>) {
        self.state.lock().unwrap().next.extend(answers);
    }

    /// Answers webhooks with `script` from now on. It must not call this sender.
    pub fn answers_by(&self, script: impl FnMut(&OutgoingWebhook) -> Answer + Send + 'static) {
        self.state.lock().unwrap().script = Some(Box::new(script));
    }

    /// Refuses every URL from now on.
    pub fn allows_no_url(&self, reason: &str) {
        self.state.lock().unwrap().not_allowed = Some(reason.to_owned());
    }

    /// Webhooks that were sent so far, the oldest first.
    pub fn sent(&self) -> Vec<OutgoingWebhook> {
        self.state.lock().unwrap().sent.clone()
    }
}

#[async_trait]
impl WebhookSender for ScriptedSender {
    async fn send(&self, webhook: &OutgoingWebhook) -> SendResult {
        // Lets concurrent sends interleave, as real ones do.
        tokio::task::yield_now().await;
        let mut state = self.state.lock().unwrap();
        state.sent.push(webhook.clone());
        let answer = match (state.next.pop_front(), &mut state.script) {
            (Some(answer), _) => answer,
            (None, Some(script)) => script(webhook),
            (None, None) => Self::answer(200),
        };
        SendResult { duration_ms: 3, answer }
    }

    fn check_url(&self, _url: &EndpointUrl) -> Result<(), UrlNotAllowed> {
        self.state.lock().unwrap().not_allowed.clone().map_or(Ok(()), |reason| Err(UrlNotAllowed(reason)))
    }

    fn secret(&self, endpoint: EndpointId, generation: u32) -> SecretString {
        SecretString::from(format!("whsec_{}{generation}", endpoint.0.simple()))
    }

    fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }
}

/// Format in which `order.paid` becomes three webhooks, `order.canceled` and events of the account none, and each other event one. The name of a part
/// is that of the event with the index of the part, like `order.paid.0`.
pub struct PartsFormat;

impl EventFormat for PartsFormat {
    fn part(&self, event: &FeedEvent, subscriptions: &[String], from: u32) -> Option<EventPart> {
        let count = match event.kind {
            FeedEventType::OrderPaid => 3,
            FeedEventType::OrderCanceled
            | FeedEventType::BooksBreak
            | FeedEventType::PayoutPaid
            | FeedEventType::PayoutFailed => 0,
            FeedEventType::OrderPlaced
            | FeedEventType::OrderEdited
            | FeedEventType::OrderAnomaly
            | FeedEventType::IntentCreated
            | FeedEventType::IntentChanged
            | FeedEventType::IntentConfirmed
            | FeedEventType::PaymentAccepted
            | FeedEventType::AuthorizationEnded
            | FeedEventType::RefundRequested
            | FeedEventType::RefundChanged
            | FeedEventType::RefundClosed
            | FeedEventType::DisputeOpened
            | FeedEventType::DisputeChanged => 1,
        };
        let names = (0..count).map(|index| (index, format!("{}.{index}", event.kind.name())));
        let is_wanted = |name: &String| subscriptions.iter().any(|it| it == "*" || it == name);
        let mut parts = names.filter(|(index, name)| *index >= from && is_wanted(name));
        let (index, name) = parts.next()?;
        let body = format!(r#"{{"type":"{name}","position":{}}}"#, event.position.0);
        Some(EventPart { index, name, body, next: parts.next().map(|(index, _)| index) })
    }

    fn test_body(&self, kind: &str, _at: Timestamp) -> String {
        format!(r#"{{"type":"{kind}"}}"#)
    }
}
