//! Audit trail: every act that moves money, changes access, sends events again or explains a break, with who did it and from where.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU32;

use async_trait::async_trait;
use paywright_domain::fact::Fact;
use paywright_domain::refund::RefundOrigin;
use paywright_domain::text::Note;
use paywright_domain::{IntentId, Money, Timestamp, variant_names};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::api_keys::ApiKey;
use super::ids_and_clock::Ids;
use super::orders::Cause;
use super::store::StoreError;
use crate::endpoints::Endpoint;
use crate::{Actor, Work};

/// Names of the operations of orders that are acts.
const CAPTURE: &str = "capture";
const CANCEL: &str = "cancel";

/// Port to the audit trail. It is append only: an entry is never changed and never deleted.
///
/// Most entries are stored by the calls that store what they are about, each in the transaction of its act: none
/// without the other. A repetition of an act that changes nothing has no entry.
#[async_trait]
pub trait AuditTrail: Send + Sync {
    /// Adds an entry about an act that changes nothing in the store. [`StoreError::Conflict`] if its id exists.
    async fn add_audit_entry(&self, entry: &AuditEntry) -> Result<(), StoreError>;

    /// Reads a page of the entries that a query admits, the newest first.
    async fn audit_entries(&self, query: &AuditQuery) -> Result<Vec<AuditEntry>, StoreError>;
}

/// Page of the audit trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditQuery {
    /// Last entry of the page before, after which the page begins; `None` for the first page.
    pub older_than: Option<Uuid>,
    /// Subject of the entries; `None` for any.
    pub subject: Option<String>,
    /// API key that acted; `None` for any actor.
    pub key: Option<Uuid>,
    /// Largest number of entries to read.
    pub limit: u16,
}

/// Entry of the audit trail: one act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Id of the entry: a UUID of version 7, so that newer entries sort later.
    pub id: Uuid,
    /// Time of the act.
    pub at: Timestamp,
    /// Act that was done.
    pub act: Act,
    /// Subject of the act: the id of an order, of an API key, of a webhook endpoint or of a session in the console; for
    /// the endpoint at Stripe, the id of the installation.
    pub subject: String,
    /// Actor who did it; `None` if that is not known.
    pub actor: Option<Actor>,
    /// Address of the client whose request it was, or of the proxy before it, if that is not trusted; `None` for commands
    /// and for work without a request.
    pub address: Option<IpAddr>,
    /// Id of the HTTP request, which its log lines have too.
    pub request: Option<String>,
}

impl AuditEntry {
    /// Entry about an act that the work that is being polled does at `at`, to what has the id `subject`.
    pub fn of_current_work(ids: &dyn Ids, at: Timestamp, subject: impl fmt::Display, act: Act) -> Self {
        let work = Work::current();
        let (address, request) = work.as_ref().map(|it| (it.address(), it.request())).unwrap_or_default();
        Self {
            id: ids.audit_entry_id(at),
            at,
            act,
            subject: subject.to_string(),
            actor: Actor::current(),
            address,
            request: request.map(str::to_owned),
        }
    }
}

/// Act that moves money, changes access, sends events again or explains a break.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act")]
pub enum Act {
    /// A refund was requested, by a caller or by a policy.
    #[serde(rename = "refund.requested")]
    RefundRequested {
        /// Number of the refund within its order.
        refund: u32,
        /// PaymentIntent that is refunded.
        intent: IntentId,
        /// Amount of the refund.
        amount: Money,
        /// Origin of the refund.
        origin: RefundOrigin,
    },
    /// The capture of an authorized payment was requested.
    #[serde(rename = "capture.requested")]
    CaptureRequested {
        /// PaymentIntent that is captured.
        intent: IntentId,
        /// Amount that is captured; `None` for all of it.
        amount: Option<Money>,
    },
    /// Money of another amount than was due was accepted as the payment of its order.
    #[serde(rename = "payment_intent.accepted")]
    PaymentAccepted {
        /// PaymentIntent whose money was accepted.
        intent: IntentId,
        /// Amount due.
        expected: Money,
        /// Amount received.
        received: Money,
        /// Why it was accepted.
        note: Note,
    },
    /// A failed refund was closed: its money went back in another way.
    #[serde(rename = "refund.closed")]
    RefundClosed {
        /// Number of the refund within its order.
        refund: u32,
        /// PaymentIntent whose money it was.
        intent: IntentId,
        /// Amount that went back in another way.
        amount: Money,
        /// Note of where it went.
        note: Note,
    },
    /// An application or an operator has asked to cancel an order, which releases an authorized payment.
    #[serde(rename = "cancellation.requested")]
    CancellationRequested,
    /// An API key was created.
    #[serde(rename = "api_key.created")]
    KeyCreated {
        /// Name of the key.
        name: String,
        /// Names of its scopes.
        scopes: Vec<String>,
        /// Networks from which it may be used; every address if there are none.
        networks: Vec<String>,
        /// Time from which it is invalid.
        expires_at: Option<Timestamp>,
        /// Maximum number of calls per minute.
        calls_per_minute: Option<NonZeroU32>,
    },
    /// An API key was replaced by a new one.
    #[serde(rename = "api_key.rotated")]
    KeyRotated {
        /// Id of the new key, whose creation has an entry of its own.
        new: Uuid,
        /// Time from which the old key is invalid.
        old_until: Timestamp,
    },
    /// An API key was revoked.
    #[serde(rename = "api_key.revoked")]
    KeyRevoked,
    /// An endpoint of outgoing webhooks was created: another program is told what happens to orders.
    #[serde(rename = "webhook_endpoint.created")]
    EndpointCreated {
        /// Host of its URL. The rest of a URL may be a secret.
        host: String,
    },
    /// The URL, the description or the events of an endpoint were changed.
    #[serde(rename = "webhook_endpoint.changed")]
    EndpointChanged {
        /// Names of the fields that differ.
        fields: Vec<String>,
        /// Host of its URL before the change.
        old_host: String,
        /// Host of its URL after the change.
        host: String,
    },
    /// An endpoint has a new secret.
    #[serde(rename = "webhook_endpoint.secret_rotated")]
    EndpointSecretRotated {
        /// Time until which the old secret signs too; `None` if it does not.
        previous_until: Option<Timestamp>,
    },
    /// An endpoint was enabled.
    #[serde(rename = "webhook_endpoint.enabled")]
    EndpointEnabled,
    /// An endpoint was disabled on request.
    #[serde(rename = "webhook_endpoint.disabled")]
    EndpointDisabled,
    /// An endpoint was set back, so that events are sent to it again.
    #[serde(rename = "webhook_endpoint.replayed")]
    EndpointReplayed {
        /// Position after which every event is sent.
        after: u64,
    },
    /// An event is sent to an endpoint again.
    #[serde(rename = "webhook_endpoint.event_resent")]
    EndpointEventResent {
        /// Position of the event.
        position: u64,
    },
    /// A test event is about to be sent to an endpoint.
    #[serde(rename = "webhook_endpoint.test_begun")]
    EndpointTestBegun,
    /// An endpoint was deleted.
    #[serde(rename = "webhook_endpoint.deleted")]
    EndpointDeleted,
    /// A difference between the books and Stripe was explained by a person.
    #[serde(rename = "break.resolved")]
    BreakResolved {
        /// Explanation of the difference.
        note: String,
    },
    /// A link to sign in to the console was made.
    #[serde(rename = "console.link_created")]
    ConsoleLinkCreated {
        /// Operator for whom it is.
        operator: String,
        /// Name of the operator's role.
        role: String,
    },
    /// An operator has signed in to the console.
    #[serde(rename = "console.signed_in")]
    ConsoleSignedIn {
        /// Name of the operator's role.
        role: String,
    },
    /// A session in the console was ended, by its operator or by a command.
    #[serde(rename = "console.session_ended")]
    ConsoleSessionEnded,
    /// A command begins to create, repair or replace the webhook endpoint at Stripe.
    #[serde(rename = "stripe_endpoint.ensure_begun")]
    StripeEnsureBegun {
        /// Host of its URL.
        host: String,
    },
    /// A command begins to rotate the secret of the webhook endpoint at Stripe, or to finish that.
    #[serde(rename = "stripe_endpoint.rotation_begun")]
    StripeRotationBegun,
}

impl Act {
    /// Change of an endpoint.
    pub(crate) fn endpoint_changed(before: &Endpoint, after: &Endpoint) -> Self {
        let differing = [
            ("url", before.url != after.url),
            ("description", before.description != after.description),
            ("types", before.types != after.types),
            ("subscriptions", before.subscriptions != after.subscriptions),
        ];
        let fields = differing.iter().filter(|(_, differs)| *differs).map(|(name, _)| (*name).to_owned()).collect();
        let host = |it: &Endpoint| it.url.host().to_owned();
        Self::EndpointChanged { fields, old_host: host(before), host: host(after) }
    }

    /// Amount of the money that the act is about, if it is known.
    pub const fn amount(&self) -> Option<Money> {
        match self {
            Self::RefundRequested { amount, .. } | Self::RefundClosed { amount, .. } => Some(*amount),
            Self::CaptureRequested { amount, .. } => *amount,
            Self::PaymentAccepted { received, .. } => Some(*received),
            Self::CancellationRequested
            | Self::KeyCreated { .. }
            | Self::KeyRotated { .. }
            | Self::KeyRevoked
            | Self::EndpointCreated { .. }
            | Self::EndpointChanged { .. }
            | Self::EndpointSecretRotated { .. }
            | Self::EndpointEnabled
            | Self::EndpointDisabled
            | Self::EndpointReplayed { .. }
            | Self::EndpointEventResent { .. }
            | Self::EndpointTestBegun
            | Self::EndpointDeleted
            | Self::BreakResolved { .. }
            | Self::ConsoleLinkCreated { .. }
            | Self::ConsoleSignedIn { .. }
            | Self::ConsoleSessionEnded
            | Self::StripeEnsureBegun { .. }
            | Self::StripeRotationBegun => None,
        }
    }

    /// Note in which the person says why, if the act has one.
    pub fn note(&self) -> Option<&str> {
        if let Self::PaymentAccepted { note, .. } | Self::RefundClosed { note, .. } = self {
            Some(note.as_str())
        } else if let Self::BreakResolved { note } = self {
            Some(note)
        } else {
            None
        }
    }

    /// Creation of an API key.
    pub fn key_created(key: &ApiKey) -> Self {
        Self::KeyCreated {
            name: key.name.clone(),
            scopes: key.scopes.iter().map(ToString::to_string).collect(),
            networks: key.networks.iter().map(ToString::to_string).collect(),
            expires_at: key.expires_at,
            calls_per_minute: key.calls_per_minute,
        }
    }

    /// Act that a fact of an order records, if it is one: money is about to move, or a person or an application ends what
    /// a customer could pay. What the shop did at Stripe itself is no act here.
    pub(crate) fn of_fact(fact: &Fact, cause: Option<&Cause>) -> Option<Self> {
        match fact {
            Fact::RefundRequested { refund, intent, amount, origin } => match origin {
                RefundOrigin::Shop | RefundOrigin::Policy => Some(Self::RefundRequested {
                    refund: *refund,
                    intent: intent.clone(),
                    amount: *amount,
                    origin: *origin,
                }),
                RefundOrigin::Provider => None,
            },
            Fact::OperationRequested { name, intent, amount, .. } if name == CAPTURE => {
                Some(Self::CaptureRequested { intent: intent.clone(), amount: *amount })
            }
            Fact::OperationRequested { name, .. } if name == CANCEL => Self::canceled_by(cause),
            Fact::OrderCanceled { .. } => Self::canceled_by(cause),
            Fact::PaymentAccepted { intent, expected, received, note } => Some(Self::PaymentAccepted {
                intent: intent.clone(),
                expected: *expected,
                received: *received,
                note: note.clone(),
            }),
            Fact::RefundClosed { refund, intent, amount, note, .. } => Some(Self::RefundClosed {
                refund: *refund,
                intent: intent.clone(),
                amount: *amount,
                note: note.clone(),
            }),
            Fact::OperationRequested { .. }
            | Fact::OrderPlaced { .. }
            | Fact::OrderEdited { .. }
            | Fact::OrderPaid { .. }
            | Fact::IntentRequested { .. }
            | Fact::IntentRefused { .. }
            | Fact::IntentCreated { .. }
            | Fact::IntentChanged { .. }
            | Fact::OperationDropped { .. }
            | Fact::RequestFailed { .. }
            | Fact::AuthorizationEnded { .. }
            | Fact::PaymentConfirmed { .. }
            | Fact::ProceedsKnown { .. }
            | Fact::RefundChanged { .. }
            | Fact::DisputeOpened { .. }
            | Fact::DisputeChanged { .. }
            | Fact::AnomalyFound { .. } => None,
        }
    }

    fn canceled_by(cause: Option<&Cause>) -> Option<Self> {
        // A change with a source follows from an earlier one: the end of a cancellation that was requested before.
        let cause = cause.filter(|it| it.source.is_empty())?;
        match cause.actor.as_ref()? {
            Actor::ApiKey { .. } | Actor::Operator { .. } => Some(Self::CancellationRequested),
            Actor::Customer | Actor::CartToken | Actor::OrderToken | Actor::Stripe | Actor::Worker => None,
        }
    }
}

variant_names! {
    /// Name of the act in stored rows and in answers.
    pub Act::name {
        RefundRequested => "refund.requested",
        CaptureRequested => "capture.requested",
        PaymentAccepted => "payment_intent.accepted",
        RefundClosed => "refund.closed",
        CancellationRequested => "cancellation.requested",
        KeyCreated => "api_key.created",
        KeyRotated => "api_key.rotated",
        KeyRevoked => "api_key.revoked",
        EndpointCreated => "webhook_endpoint.created",
        EndpointChanged => "webhook_endpoint.changed",
        EndpointSecretRotated => "webhook_endpoint.secret_rotated",
        EndpointEnabled => "webhook_endpoint.enabled",
        EndpointDisabled => "webhook_endpoint.disabled",
        EndpointReplayed => "webhook_endpoint.replayed",
        EndpointEventResent => "webhook_endpoint.event_resent",
        EndpointTestBegun => "webhook_endpoint.test_begun",
        EndpointDeleted => "webhook_endpoint.deleted",
        BreakResolved => "break.resolved",
        ConsoleLinkCreated => "console.link_created",
        ConsoleSignedIn => "console.signed_in",
        ConsoleSessionEnded => "console.session_ended",
        StripeEnsureBegun => "stripe_endpoint.ensure_begun",
        StripeRotationBegun => "stripe_endpoint.rotation_begun",
    }
}

/// The act in words, for people. What it was done to is in the entry.
impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RefundRequested { refund, intent, amount, origin } => {
                let by = if *origin == RefundOrigin::Policy { ", by policy" } else { "" };
                write!(f, "refund {refund} of {amount} from {intent}{by}")
            }
            Self::CaptureRequested { intent, amount: Some(amount) } => write!(f, "capture of {amount} of {intent}"),
            Self::CaptureRequested { intent, amount: None } => write!(f, "capture of {intent}"),
            Self::PaymentAccepted { intent, expected, received, note } => {
                write!(f, "{received} of {intent} accepted, where {expected} was due: {:?}", note.as_str())
            }
            Self::RefundClosed { refund, intent, amount, note } => {
                write!(
                    f,
                    "failed refund {refund} from {intent} closed, {amount} went back in another way: {:?}",
                    note.as_str()
                )
            }
            Self::CancellationRequested => f.write_str("cancellation"),
            Self::KeyCreated { name, scopes, networks, expires_at, calls_per_minute } => {
                write!(f, "key {name:?} with the scopes {}", scopes.join(", "))?;
                if let Some(limit) = calls_per_minute {
                    write!(f, ", {limit} calls a minute")?;
                }
                if !networks.is_empty() {
                    write!(f, ", from {}", networks.join(", "))?;
                }
                expires_at.map_or(Ok(()), |it| write!(f, ", until {it}"))
            }
            Self::KeyRotated { new, old_until } => write!(f, "valid until {old_until}, replaced by {new}"),
            Self::KeyRevoked => f.write_str("revoked"),
            Self::EndpointCreated { host } => write!(f, "created, at {host}"),
            Self::EndpointChanged { fields, old_host, host } if old_host == host => {
                write!(f, "{} changed, at {host}", fields.join(", "))
            }
            Self::EndpointChanged { fields, old_host, host } => {
                write!(f, "{} changed, from {old_host} to {host}", fields.join(", "))
            }
            Self::EndpointSecretRotated { previous_until: Some(until) } => {
                write!(f, "new secret; the old one signs too until {until}")
            }
            Self::EndpointSecretRotated { previous_until: None } => f.write_str("new secret"),
            Self::EndpointEnabled => f.write_str("enabled"),
            Self::EndpointDisabled => f.write_str("disabled"),
            Self::EndpointReplayed { after } => write!(f, "every event after {after} again"),
            Self::EndpointEventResent { position } => write!(f, "event at position {position}, to be sent again"),
            Self::EndpointTestBegun => f.write_str("test event begins to be sent"),
            Self::EndpointDeleted => f.write_str("deleted"),
            // A line break in it could look like another entry.
            Self::BreakResolved { note } => write!(f, "resolved: {note:?}"),
            Self::ConsoleLinkCreated { operator, role } => write!(f, "link for {operator:?} with the role {role}"),
            Self::ConsoleSignedIn { role } => write!(f, "signed in with the role {role}"),
            Self::ConsoleSessionEnded => f.write_str("session ended"),
            Self::StripeEnsureBegun { host } => write!(f, "webhooks ensure begins to change the endpoint at {host}"),
            Self::StripeRotationBegun => f.write_str("webhooks rotate begins"),
        }
    }
}
