//! Parameters that several calls have.

use crate::kinds::{Kind, Spec, param, required_text};

pub(super) const EXPAND: &[Spec] = &[param("expand.*", Kind::Text(5000))];
pub(super) const SECRET: &[Spec] = &[required_text("client_secret", 5000)];
pub(super) const METADATA: &[Spec] = &[param("metadata", Kind::Unset), param("metadata.*", Kind::Text(500))];
pub(super) const CUSTOMER: &[Spec] = &[param("customer", Kind::Id)];

/// Parameters of every list.
pub(super) const PAGE: &[Spec] = &[
    param("limit", Kind::Int),
    param("starting_after", Kind::Id),
    param("ending_before", Kind::Id),
    param("expand.*", Kind::Text(5000)),
];

/// Time of creation of the objects of a list: one second, or a range.
pub(super) const CREATED: &[Spec] = &[
    param("created", Kind::Int),
    param("created.gt", Kind::Int),
    param("created.gte", Kind::Int),
    param("created.lt", Kind::Int),
    param("created.lte", Kind::Int),
];

pub(super) const OF_PAYMENT: &[Spec] = &[param("payment_intent", Kind::Id), param("charge", Kind::Id)];
pub(super) const PAYMENT_METHOD: &[Spec] = &[param("payment_method", Kind::Id)];
pub(super) const EMAIL: &[Spec] = &[param("email", Kind::Text(512))];
pub(super) const OUTCOME: &[Spec] = &[param("outcome", Kind::Word(&["succeeded", "failed"]))];
