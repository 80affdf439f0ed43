//! Sources of the secrets with which webhooks may be signed.

use std::sync::Arc;

use secrecy::SecretString;

/// Secrets that are valid at one time. Clones share them.
pub type SecretSet = Arc<Vec<SecretString>>;

/// Source of the secrets with which webhooks may be signed. They may change while the process runs.
pub trait WebhookSecrets: Send + Sync {
    /// Secrets that are valid now, as far as this process knows.
    fn current(&self) -> SecretSet;

    /// Looks for other secrets than `known`, with none of which a signature was made. `None` if there are no others.
    /// Called for any forged webhook, so it must be cheap however often it is called.
    fn other_than(&self, known: &SecretSet) -> Option<SecretSet>;
}

/// Secrets that do not change, such as those of the environment.
#[derive(Debug, Clone, Default)]
pub struct FixedSecrets(SecretSet);

impl FixedSecrets {
    /// Source of these secrets.
    pub fn new(secrets: Vec<SecretString>) -> Self {
        Self(Arc::new(secrets))
    }
}

impl WebhookSecrets for FixedSecrets {
    fn current(&self) -> SecretSet {
        Arc::clone(&self.0)
    }

    fn other_than(&self, _known: &SecretSet) -> Option<SecretSet> {
        None
    }
}
