//! Checks of a request against the object that its path names.

use super::METADATA_KEYS_MAX;
use crate::error::Refusal;
use crate::objects::Metadata;
use crate::params::Params;
use crate::state::Twin;

impl Twin {
    /// Refuses a client secret that is not that of the intent, whatever the API key.
    pub(super) fn check_secret(&self, id: &str, params: &Params) -> Result<(), Refusal> {
        let Some(given) = params.text("client_secret") else { return Ok(()) };
        let intent = self.intents.get(id).map(|it| (&it.client_secret, "payment_intent", "PaymentIntent"));
        let found =
            intent.or_else(|| Some((&self.setup_intents.get(id)?.client_secret, "setup_intent", "SetupIntent")));
        match found {
            Some((secret, kind, noun)) if secret != given => {
                let message =
                    format!("The client_secret provided does not match the client_secret associated with the {noun}.");
                Err(Refusal::parameter(&format!("{kind}_invalid_parameter"), "client_secret", &message))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Refuses metadata that has too many keys together with those that the object already has.
    pub(super) fn check_metadata(&self, object: &str, id: &str, params: &Params) -> Result<(), Refusal> {
        let added = params.below("metadata").filter(|(_, value)| !value.is_empty()).count();
        if added == 0 || params.given("metadata").is_some() {
            return Ok(());
        }
        let Some(present) = self.metadata_of(object, id) else { return Ok(()) };
        if present.len() + added <= METADATA_KEYS_MAX {
            return Ok(());
        }
        let mut merged = present.clone();
        params.merge_metadata(&mut merged);
        if merged.len() <= METADATA_KEYS_MAX { Ok(()) } else { Err(too_many_keys(merged.len())) }
    }

    fn metadata_of(&self, object: &str, id: &str) -> Option<&Metadata> {
        match object {
            "payment_intent" => self.intents.get(id).map(|it| &it.metadata),
            "charge" => self.charges.get(id).map(|it| &it.metadata),
            "refund" => self.refunds.get(id).map(|it| &it.metadata),
            "dispute" => self.disputes.get(id).map(|it| &it.metadata),
            "customer" => self.customers.get(id).map(|it| &it.metadata),
            "payment_method" => self.payment_methods.get(id).map(|it| &it.metadata),
            "setup_intent" => self.setup_intents.get(id).map(|it| &it.metadata),
            "webhook_endpoint" => self.endpoints.get(id).map(|it| &it.metadata),
            _ => None,
        }
    }
}

/// Refusal of metadata with so many keys.
pub(super) fn too_many_keys(keys: usize) -> Refusal {
    let message = format!("You can have up to {METADATA_KEYS_MAX} keys in metadata, but you passed in {keys}");
    Refusal::invalid("metadata", &message)
}
