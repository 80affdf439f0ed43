use std::borrow::Cow;

/// Outcome of a request with an idempotency key, by which a repeat is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdempotencyOutcome {
    /// The request placed an order.
    Order {
        /// Answer that the caller got, in the words of its dialect, without secrets; never a number alone.
        answer: String,
    },
    /// The request made a refund.
    Refund {
        /// Number of the refund in its order.
        number: u32,
    },
}

impl IdempotencyOutcome {
    /// Text of the outcome in stored rows: the answer, or the number of the refund in decimal digits.
    pub fn stored(&self) -> Cow<'_, str> {
        match self {
            Self::Order { answer } => Cow::Borrowed(answer),
            Self::Refund { number } => Cow::Owned(number.to_string()),
        }
    }

    /// Outcome that has this text in stored rows.
    pub fn restore(stored: String) -> Self {
        match stored.parse::<u32>() {
            Ok(number) if number.to_string() == stored => Self::Refund { number },
            Ok(_) | Err(_) => Self::Order { answer: stored },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_is_restored_from_the_text_of_its_row() {
        let order = |answer: &str| IdempotencyOutcome::Order { answer: answer.to_owned() };
        for (stored, outcome) in [
            ("1", IdempotencyOutcome::Refund { number: 1 }),
            ("4294967295", IdempotencyOutcome::Refund { number: u32::MAX }),
            ("{\"id\":\"0196\"}", order("{\"id\":\"0196\"}")),
            ("ORD-20250331-1A2B3C", order("ORD-20250331-1A2B3C")),
            ("", order("")),
            ("+1", order("+1")),
            ("01", order("01")),
        ] {
            assert_eq!(IdempotencyOutcome::restore(stored.to_owned()), outcome);
            assert_eq!(outcome.stored(), stored);
        }
    }
}
