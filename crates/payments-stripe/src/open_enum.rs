//! Stripe's enumerations. All are open: a value added by Stripe after this version was built is kept as text.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! open_enum {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "each variant is a value that Stripe documents")]
        pub enum $name {
            $($variant,)*
            /// A value that this version does not know.
            Other(String),
        }

        impl $name {
            /// The value as Stripe writes it.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)*
                    Self::Other(text) => text,
                }
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Ok(match text.as_str() {
                    $($text => Self::$variant,)*
                    _ => Self::Other(text),
                })
            }
        }
    };
}

open_enum! {
    /// `status` of a PaymentIntent.
    IntentStatus {
        RequiresPaymentMethod = "requires_payment_method",
        RequiresConfirmation = "requires_confirmation",
        RequiresAction = "requires_action",
        Processing = "processing",
        RequiresCapture = "requires_capture",
        Succeeded = "succeeded",
        Canceled = "canceled",
    }
}

open_enum! {
    /// `capture_method` of a PaymentIntent.
    CaptureMethod { Automatic = "automatic", AutomaticAsync = "automatic_async", Manual = "manual" }
}

open_enum! {
    /// `cancellation_reason` of a PaymentIntent. Only Stripe sets the last four; a request cannot.
    CancellationReason {
        Duplicate = "duplicate",
        Fraudulent = "fraudulent",
        RequestedByCustomer = "requested_by_customer",
        Abandoned = "abandoned",
        Automatic = "automatic",
        Expired = "expired",
        FailedInvoice = "failed_invoice",
        VoidInvoice = "void_invoice",
    }
}

open_enum! {
    /// `reason` of a Refund. Only Stripe sets the last one; a request cannot.
    RefundReason {
        Duplicate = "duplicate",
        Fraudulent = "fraudulent",
        RequestedByCustomer = "requested_by_customer",
        ExpiredUncapturedCharge = "expired_uncaptured_charge",
    }
}

open_enum! {
    /// `status` of a Refund.
    RefundStatus {
        Pending = "pending",
        RequiresAction = "requires_action",
        Succeeded = "succeeded",
        Failed = "failed",
        Canceled = "canceled",
    }
}

open_enum! {
    /// `status` of a SetupIntent.
    SetupIntentStatus {
        RequiresPaymentMethod = "requires_payment_method",
        RequiresConfirmation = "requires_confirmation",
        RequiresAction = "requires_action",
        Processing = "processing",
        Succeeded = "succeeded",
        Canceled = "canceled",
    }
}

open_enum! {
    /// `usage` of a SetupIntent, `setup_future_usage` of a PaymentIntent.
    SetupUsage { OffSession = "off_session", OnSession = "on_session" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_enum_value_is_kept_as_text() {
        for (text, status) in [
            ("succeeded", IntentStatus::Succeeded),
            ("requires_moonlight", IntentStatus::Other("requires_moonlight".into())),
        ] {
            let json = format!("\"{text}\"");
            assert_eq!(serde_json::from_str::<IntentStatus>(&json).unwrap(), status);
            assert_eq!(serde_json::to_string(&status).unwrap(), json);
        }
    }
}
