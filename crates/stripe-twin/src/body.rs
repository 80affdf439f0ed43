//! Bodies of answers: an object is rendered as JSON when it is first read.

use std::fmt;
use std::ops::Deref;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::books::ObjectView;
use crate::objects::Snapshot;

/// JSON body of an answer. It is a [`Value`] by `Deref`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "Value", into = "Value")]
pub struct Body {
    object: Option<Snapshot>,
    json: OnceLock<Value>,
}

impl Body {
    /// Body of an object that is rendered already, with its expansions.
    pub(crate) fn rendered(object: Snapshot, json: Value) -> Self {
        Self { object: Some(object), json: OnceLock::from(json) }
    }

    /// View of the object, if the answer is a PaymentIntent or a refund.
    pub fn object(&self) -> ObjectView<'_> {
        self.object.as_ref().map_or(ObjectView::Other, Snapshot::view)
    }
}

impl Deref for Body {
    type Target = Value;

    fn deref(&self) -> &Value {
        self.json.get_or_init(|| self.object.as_ref().map(Snapshot::to_json).unwrap_or_default())
    }
}

impl PartialEq for Body {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl fmt::Display for Body {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, out)
    }
}

impl From<Value> for Body {
    fn from(json: Value) -> Self {
        Self { object: None, json: OnceLock::from(json) }
    }
}

impl From<Snapshot> for Body {
    fn from(object: Snapshot) -> Self {
        Self { object: Some(object), json: OnceLock::new() }
    }
}

impl From<Body> for Value {
    fn from(body: Body) -> Self {
        Self::clone(&body)
    }
}
