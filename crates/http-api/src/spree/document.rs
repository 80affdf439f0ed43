//! Documents of JSON:API: a resource, what it refers to, and of that as much as was asked for.

use std::collections::{BTreeMap, BTreeSet};

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use serde_json::{Map, Value, json};

use super::MEDIA_TYPE;
use super::params::Params;
use super::refusal::Refusal;

/// One resource with those it refers to.
#[derive(Debug, Clone)]
pub(super) struct Resource {
    pub(super) kind: &'static str,
    pub(super) id: String,
    pub(super) attributes: Value,
    pub(super) relations: Vec<(&'static str, Relation)>,
}

/// What a resource refers to under one name.
#[derive(Debug, Clone)]
pub(super) enum Relation {
    /// One, or none.
    One(Option<Box<Resource>>),
    /// Any number.
    Many(Vec<Resource>),
    /// One that is named and never shown.
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

    fn shown(&self, show: &Show) -> Value {
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

    /// Gathers what a path of names leads to.
    fn gather(&self, path: &[&str], show: &Show, into: &mut Included) -> Result<(), Refusal> {
        let Some((first, rest)) = path.split_first() else { return Ok(()) };
        let found = self.relations.iter().find(|(name, _)| name == first);
        let (_, relation) = found.ok_or_else(|| {
            Refusal::bad_request(format!("{first} is not specified as a relationship on {}", self.kind))
        })?;
        for resource in relation.resources() {
            if into.seen.insert((resource.kind, resource.id.clone())) {
                into.shown.push(resource.shown(show));
            }
            resource.gather(rest, show, into)?;
        }
        Ok(())
    }
}

#[derive(Default)]
struct Included {
    seen: BTreeSet<(&'static str, String)>,
    shown: Vec<Value>,
}

/// How much is to be shown.
#[derive(Debug, Default)]
pub(super) struct Show {
    include: Vec<String>,
    fields: BTreeMap<String, BTreeSet<String>>,
}

/// The most names that are followed.
const INCLUDES_MAX: usize = 50;

impl Show {
    pub(super) fn of(params: &Params) -> Result<Self, Refusal> {
        let names =
            |text: &str| text.split(',').map(str::trim).filter(|it| !it.is_empty()).map(str::to_owned).collect();
        let include: Vec<String> = params.text("include")?.map(|it| names(&it)).unwrap_or_default();
        if include.len() > INCLUDES_MAX {
            return Err(Refusal::bad_request(format!("include takes at most {INCLUDES_MAX} names")));
        }
        let mut fields = BTreeMap::new();
        for (kind, wanted) in params.under("fields")?.unwrap_or_default().entries() {
            let wanted: Vec<String> = wanted.as_str().map(names).unwrap_or_default();
            fields.insert(kind.to_owned(), wanted.into_iter().collect());
        }
        Ok(Self { include, fields })
    }

    /// The same, and these too.
    pub(super) fn including(mut self, names: &[&str]) -> Self {
        self.include.extend(names.iter().map(|it| (*it).to_owned()));
        self
    }

    /// A document of one resource.
    pub(super) fn one(&self, resource: &Resource) -> Result<Value, Refusal> {
        self.document(&resource.shown(self), std::slice::from_ref(resource))
    }

    /// A document of many.
    pub(super) fn many(&self, resources: &[Resource]) -> Result<Value, Refusal> {
        self.document(&resources.iter().map(|it| it.shown(self)).collect(), resources)
    }

    fn document(&self, data: &Value, resources: &[Resource]) -> Result<Value, Refusal> {
        let mut document = json!({ "data": data });
        if !self.include.is_empty() {
            let mut included = Included::default();
            for path in &self.include {
                let path: Vec<&str> = path.split('.').collect();
                resources.iter().try_for_each(|it| it.gather(&path, self, &mut included))?;
            }
            document.as_object_mut().and_then(|it| it.insert("included".into(), Value::Array(included.shown)));
        }
        Ok(document)
    }
}

/// A success. What it says is its caller's alone.
pub(super) fn answer(status: StatusCode, document: &Value) -> HttpResponse {
    HttpResponse::build(status)
        .insert_header((CONTENT_TYPE, MEDIA_TYPE))
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(document.to_string())
}
