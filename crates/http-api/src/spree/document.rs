//! JSON:API documents: resources, their relationships, and the related resources that a request includes.

use std::collections::{BTreeMap, BTreeSet};

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use serde_json::{Map, Value, json};

use super::MEDIA_TYPE;
use super::params::Params;
use super::refusal::Refusal;
use crate::reader::echo;

/// Resource object with the resources that it is related to.
#[derive(Debug, Clone)]
pub(super) struct Resource {
    pub(super) kind: &'static str,
    pub(super) id: String,
    pub(super) attributes: Value,
    pub(super) relations: Vec<(&'static str, Relation)>,
}

/// Relationship of a resource.
#[derive(Debug, Clone)]
pub(super) enum Relation {
    /// To one resource or none.
    One(Option<Box<Resource>>),
    /// To any number of resources.
    Many(Vec<Resource>),
    /// To a resource that is identified (type and id) and never included.
    Named(&'static str, String),
}

impl Relation {
    pub(super) fn one(resource: Option<Resource>) -> Self {
        Self::One(resource.map(Box::new))
    }

    fn resources(&self) -> &[Resource] {
        match self {
            Self::One(one) => one.as_deref().map_or(&[], std::slice::from_ref),
            Self::Many(many) => many,
            Self::Named(..) => &[],
        }
    }

    fn resources_mut(&mut self) -> &mut [Resource] {
        match self {
            Self::One(one) => one.as_deref_mut().map_or(&mut [], std::slice::from_mut),
            Self::Many(many) => many,
            Self::Named(..) => &mut [],
        }
    }

    fn linkage(&self) -> Value {
        match self {
            Self::One(one) => json!({ "data": one.as_ref().map(|it| it.name()) }),
            Self::Many(many) => json!({ "data": many.iter().map(Resource::name).collect::<Vec<_>>() }),
            Self::Named(kind, id) => json!({ "data": { "id": id, "type": kind } }),
        }
    }
}

impl Resource {
    fn name(&self) -> Value {
        json!({ "id": self.id, "type": self.kind })
    }

    /// Resources that a relationship leads to.
    pub(super) fn related_mut(&mut self, name: &str) -> impl Iterator<Item = &mut Resource> {
        let found = self.relations.iter_mut().filter(move |(known, _)| *known == name);
        found.flat_map(|(_, relation)| relation.resources_mut())
    }

    /// Replaces the resource that a relationship leads to.
    pub(super) fn relate(&mut self, name: &str, resource: Self) {
        if let Some((_, relation)) = self.relations.iter_mut().find(|(known, _)| *known == name) {
            *relation = Relation::one(Some(resource));
        }
    }

    /// Sets an attribute.
    pub(super) fn set(&mut self, name: &str, value: Value) {
        if let Some(attributes) = self.attributes.as_object_mut() {
            attributes.insert(name.to_owned(), value);
        }
    }

    fn shown(&self, show: &Show) -> Value {
        debug_assert!(
            (show.known)(self.kind).is_none_or(|known| {
                self.relations.is_empty()
                    || known.len() == self.relations.len()
                        && self.relations.iter().all(|(name, _)| known.iter().any(|(known, _)| known == name))
            }),
            "the relationships of {} are other than those that are checked",
            self.kind
        );
        let mut attributes = self.attributes.clone();
        if let (Some(wanted), Some(all)) = (show.fields.get(self.kind), attributes.as_object_mut()) {
            all.retain(|name, _| wanted.contains(name));
        }
        let relations: Map<String, Value> =
            self.relations.iter().map(|(name, relation)| ((*name).to_owned(), relation.linkage())).collect();
        let mut shown = json!({ "id": self.id, "type": self.kind, "attributes": attributes });
        if !relations.is_empty() {
            shown.as_object_mut().and_then(|it| it.insert("relationships".into(), Value::Object(relations)));
        }
        shown
    }

    /// Collects the resources that a path of relationships leads to. The path was checked when the request was read.
    fn collect(&self, path: &[&str], show: &Show, into: &mut Included) {
        let Some((first, rest)) = path.split_first() else { return };
        for (_, relation) in self.relations.iter().filter(|(name, _)| name == first) {
            for resource in relation.resources() {
                if into.seen.insert((resource.kind, resource.id.clone())) {
                    into.shown.push(resource.shown(show));
                }
                resource.collect(rest, show, into);
            }
        }
    }
}

#[derive(Default)]
struct Included {
    seen: BTreeSet<(&'static str, String)>,
    shown: Vec<Value>,
}

/// Related resources to include, and attributes to show by type. Checked before the use case runs, so that answering
/// cannot fail after it.
#[derive(Debug)]
pub(super) struct Show {
    include: Vec<String>,
    fields: BTreeMap<String, BTreeSet<String>>,
    known: Relationships,
}

/// Most paths in `include`.
const INCLUDES_MAX: usize = 50;

/// Relationships of a resource type, each with the type that it leads to. That is `None` for resources of the catalog and
/// others that are not stored here: the relationship is always empty, and any path below it is accepted. `None` for an
/// unknown resource type.
pub(super) type Relationships = fn(&str) -> Option<&'static [(&'static str, Option<&'static str>)]>;

/// Relationships of the storefront's resource types.
const STOREFRONT: Relationships = |kind| {
    Some(match kind {
        "cart" | "order" => &[
            ("line_items", Some("line_item")),
            ("variants", Some("variant")),
            ("promotions", Some("promotion")),
            ("payments", Some("payment")),
            ("shipments", Some("shipment")),
            ("user", Some("user")),
            ("billing_address", Some("address")),
            ("shipping_address", Some("address")),
            ("gift_card", None),
        ],
        "line_item" => &[("variant", Some("variant")), ("digital_links", None), ("vendor", None)],
        "variant" => &[("product", None), ("images", None), ("option_values", None), ("vendor", None)],
        "shipment" => &[
            ("shipping_rates", Some("shipping_rate")),
            ("selected_shipping_rate", Some("shipping_rate")),
            ("stock_location", None),
            ("line_items", Some("line_item")),
            ("vendor", None),
        ],
        "shipping_rate" => &[("shipping_method", None)],
        "payment" => &[("source", Some("credit_card")), ("payment_method", Some("payment_method"))],
        "payment_intent" => {
            &[("order", Some("order")), ("payment_method", Some("payment_method")), ("payment", Some("payment"))]
        }
        "credit_card" => &[("payment_method", Some("payment_method"))],
        "user" => &[("default_billing_address", Some("address")), ("default_shipping_address", Some("address"))],
        "promotion" | "address" | "payment_method" => &[],
        _ => return None,
    })
};

/// Checks a path of relationships from a resource of type `kind`.
fn check_path(relationships: Relationships, kind: &str, path: &str) -> Result<(), Refusal> {
    let mut kind = kind;
    for name in path.split('.') {
        let Some(known) = relationships(kind) else { return Ok(()) };
        let found = known.iter().find(|(known, _)| *known == name);
        let (_, leads_to) = found.ok_or_else(|| not_a_relationship(name, kind))?;
        let Some(next) = *leads_to else { return Ok(()) };
        kind = next;
    }
    Ok(())
}

fn not_a_relationship(name: &str, kind: &str) -> Refusal {
    Refusal::bad_request(format!("{} is not specified as a relationship on {kind}", echo(name)))
}

impl Show {
    /// Reads and checks `include` and `fields` of a request whose answer has the storefront's resources of type `kind`.
    pub(super) fn of(params: &Params, kind: &str) -> Result<Self, Refusal> {
        Self::of_known(params, kind, STOREFRONT)
    }

    /// Includes every relationship of resources of type `kind`, one level deep, and shows every attribute.
    pub(super) fn everything(kind: &str, known: Relationships) -> Self {
        let include = known(kind).unwrap_or_default().iter().map(|(name, _)| (*name).to_owned()).collect();
        Self { include, fields: BTreeMap::new(), known }
    }

    /// As [`Self::of`], where `known` has the relationships of each resource type.
    pub(super) fn of_known(params: &Params, kind: &str, known: Relationships) -> Result<Self, Refusal> {
        let names =
            |text: &str| text.split(',').map(str::trim).filter(|it| !it.is_empty()).map(str::to_owned).collect();
        let include: Vec<String> = params.text("include")?.map(|it| names(&it)).unwrap_or_default();
        if include.len() > INCLUDES_MAX {
            return Err(Refusal::bad_request(format!("include takes at most {INCLUDES_MAX} names")));
        }
        include.iter().try_for_each(|it| check_path(known, kind, it))?;
        let mut fields = BTreeMap::new();
        for (kind, wanted) in params.under("fields")?.unwrap_or_default().entries() {
            let malformed = || Refusal::bad_request(format!("fields[{}] must be names, like number,token", echo(kind)));
            let wanted: Vec<String> = wanted.as_str().map(names).ok_or_else(malformed)?;
            fields.insert(kind.to_owned(), wanted.into_iter().collect());
        }
        Ok(Self { include, fields, known })
    }

    /// Adds relationships to include.
    pub(super) fn including(mut self, names: &[&'static str]) -> Self {
        self.include.extend(names.iter().map(|it| (*it).to_owned()));
        self
    }

    /// Whether a relationship of the primary resource is included.
    pub(super) fn includes(&self, name: &str) -> bool {
        self.include.iter().any(|path| path.split('.').next() == Some(name))
    }

    /// Whether a relationship of this name is included, of the primary resource or of another.
    pub(super) fn names(&self, name: &str) -> bool {
        self.include.iter().any(|path| path.split('.').any(|it| it == name))
    }

    /// Document with one primary resource.
    pub(super) fn one(&self, resource: &Resource) -> Value {
        self.document(&resource.shown(self), std::slice::from_ref(resource))
    }

    /// Document with a list of primary resources.
    pub(super) fn many(&self, resources: &[Resource]) -> Value {
        self.document(&resources.iter().map(|it| it.shown(self)).collect(), resources)
    }

    fn document(&self, data: &Value, resources: &[Resource]) -> Value {
        let mut document = json!({ "data": data });
        if !self.include.is_empty() {
            let mut included = Included::default();
            for path in &self.include {
                let path: Vec<&str> = path.split('.').collect();
                for resource in resources {
                    resource.collect(&path, self, &mut included);
                }
            }
            document.as_object_mut().and_then(|it| it.insert("included".into(), Value::Array(included.shown)));
        }
        document
    }
}

/// Success with `document`, which no cache may store.
pub(super) fn answer(status: StatusCode, document: &Value) -> HttpResponse {
    HttpResponse::build(status)
        .insert_header((CONTENT_TYPE, MEDIA_TYPE))
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(document.to_string())
}
