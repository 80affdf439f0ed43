//! Faults of one call of a port.

/// Outcomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Fault {
    /// The call succeeds and is answered.
    None,
    /// A commit is refused as if another writer had committed first.
    Conflict,
    /// The store cannot be reached.
    Down,
    /// The store does not perform the write, and the caller does not know.
    UnknownUndone,
    /// The store performs the write, and the caller does not know.
    UnknownDone,
    /// The caller does not know, and the store performs the write later.
    UnknownLate,
    /// The call takes longer than a lease lasts.
    Slow,
    /// The request never reaches Stripe.
    LostBefore,
    /// Stripe performs the request, and the answer never arrives.
    LostAfter,
    /// The caller times out, and the request reaches Stripe later.
    Late,
    /// Stripe fails without performing the request, and repeats that answer for the key.
    FailsBefore,
    /// Stripe performs the request, then fails, and repeats that answer for the key.
    FailsAfter,
    /// Stripe performs nothing and answers that the request should be sent later.
    Busy,
    /// Stripe is still answering a request with the same key.
    InFlight,
    /// The receiver of a webhook wants no more of them.
    Gone,
}

/// Kinds of calls; the kind decides which faults are possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Call {
    /// Reads from the store.
    Read,
    /// Writes to the store, other than a commit.
    Write,
    /// Commits a decision to the store.
    Commit,
    /// Writes to the feed, or to the queues of endpoints.
    FeedWrite,
    /// Sends a webhook to an endpoint.
    Endpoint,
    /// Sends Stripe a request that changes something.
    StripeWrite,
    /// Reads from Stripe.
    StripeRead,
    /// Pauses between two attempts.
    Pause,
    /// Lets more time pass than any caller waits for an answer.
    LongPause,
    /// Performs an action outside Paywright: of a customer, a bank, a person at the dashboard or another program.
    External,
}

impl Call {
    /// Whether the call may change the store or Stripe.
    pub(crate) const fn changes_something(self) -> bool {
        match self {
            Self::Write | Self::Commit | Self::FeedWrite | Self::Endpoint | Self::StripeWrite | Self::External => true,
            Self::Read | Self::StripeRead | Self::Pause | Self::LongPause => false,
        }
    }

    /// Faults that the call may meet, without [`Fault::None`].
    pub(crate) const fn faults(self) -> &'static [Fault] {
        match self {
            Self::Read => &[Fault::Down],
            Self::Write => &[Fault::Down, Fault::UnknownUndone, Fault::UnknownDone],
            Self::Commit => &[Fault::Conflict, Fault::Down, Fault::UnknownUndone, Fault::UnknownDone],
            Self::FeedWrite => &[Fault::Down, Fault::UnknownUndone, Fault::UnknownDone, Fault::UnknownLate],
            Self::Endpoint => {
                &[Fault::LostBefore, Fault::LostAfter, Fault::FailsBefore, Fault::Late, Fault::Slow, Fault::Gone]
            }
            Self::StripeWrite => &[
                Fault::LostAfter,
                Fault::LostBefore,
                Fault::FailsAfter,
                Fault::FailsBefore,
                Fault::Late,
                Fault::Busy,
                Fault::InFlight,
                Fault::Slow,
            ],
            Self::StripeRead => &[Fault::LostBefore, Fault::Busy, Fault::Slow],
            Self::Pause | Self::LongPause | Self::External => &[],
        }
    }
}
