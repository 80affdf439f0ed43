//! What may befall one call to the outside.

/// The ways in which a call can go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Fault {
    /// It is done and answered.
    None,
    /// Another writer is said to have come first. Of a commit.
    Conflict,
    /// The store cannot be reached.
    Down,
    /// It is not done, and nobody knows.
    UnknownUndone,
    /// It is done, and nobody knows.
    UnknownDone,
    /// It takes longer than a lease holds.
    Slow,
    /// The request never arrives.
    LostBefore,
    /// It is carried out, and the answer never arrives.
    LostAfter,
    /// The caller gives up waiting; the request arrives some time later.
    Late,
    /// Stripe fails at it without doing it, and repeats that for its key.
    FailsBefore,
    /// Stripe does it, fails afterwards, and repeats that for its key.
    FailsAfter,
    /// Stripe does nothing and wants to be asked later.
    Busy,
    /// Stripe is still busy with a request of the same key.
    InFlight,
}

/// What a call does, as far as it decides on what may befall it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Call {
    /// Reads from the store.
    Read,
    /// Writes to the store.
    Write,
    /// Commits a decision.
    Commit,
    /// Asks Stripe to change something.
    Ask,
    /// Asks Stripe how something stands.
    Look,
    /// Lets time pass.
    Pause,
    /// Lets more time pass than anybody waits for an answer.
    LongPause,
    /// Is no call of ours: a customer, a bank, somebody at the dashboard.
    Act,
}

impl Call {
    /// Whether the store or Stripe may be other than before it.
    pub(crate) const fn changes_something(self) -> bool {
        match self {
            Self::Write | Self::Commit | Self::Ask | Self::Act => true,
            Self::Read | Self::Look | Self::Pause | Self::LongPause => false,
        }
    }

    /// What may befall it beside [`Fault::None`].
    pub(crate) const fn faults(self) -> &'static [Fault] {
        match self {
            Self::Read => &[Fault::Down],
            Self::Write => &[Fault::Down, Fault::UnknownUndone, Fault::UnknownDone],
            Self::Commit => &[Fault::Conflict, Fault::Down, Fault::UnknownUndone, Fault::UnknownDone],
            Self::Ask => &[
                Fault::LostAfter,
                Fault::LostBefore,
                Fault::FailsAfter,
                Fault::FailsBefore,
                Fault::Late,
                Fault::Busy,
                Fault::InFlight,
                Fault::Slow,
            ],
            Self::Look => &[Fault::LostBefore, Fault::Busy, Fault::Slow],
            Self::Pause | Self::LongPause | Self::Act => &[],
        }
    }
}
