//! Schemas of request bodies and parameters. Their limits are those of the domain's types.

use paywright_domain::text::Text;
use utoipa::ToSchema;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{
    AdditionalProperties, ArrayBuilder, Object, ObjectBuilder, OneOfBuilder, Schema, SchemaFormat, SchemaType, Type,
};
use utoipa::openapi::{KnownFormat, RefOr, Required};

/// Type of a text that has limits.
pub(crate) trait Limited {
    /// Smallest number of characters.
    const CHARS_MIN: usize;
    /// Largest number of characters.
    const CHARS_MAX: usize;
}

impl<const MIN: usize, const MAX: usize> Limited for Text<MIN, MAX> {
    const CHARS_MIN: usize = MIN;
    const CHARS_MAX: usize = MAX;
}

impl<T: Limited> Limited for Option<T> {
    const CHARS_MIN: usize = T::CHARS_MIN;
    const CHARS_MAX: usize = T::CHARS_MAX;
}

/// Text with the limits of a field of the domain.
pub(crate) fn text_of<O, T: Limited>(_: fn(&O) -> &T) -> ObjectBuilder {
    text::<T>()
}

/// Text with the limits of its type.
pub(crate) fn text<T: Limited>() -> ObjectBuilder {
    let min = Some(T::CHARS_MIN).filter(|it| *it > 0);
    string().min_length(min).max_length(Some(T::CHARS_MAX))
}

/// Any string.
pub(crate) fn string() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

/// String in a format that JSON Schema knows.
pub(crate) fn string_in(format: KnownFormat) -> ObjectBuilder {
    string().format(Some(SchemaFormat::KnownFormat(format)))
}

/// String in a format of JSON Schema that has no constant.
pub(crate) fn string_of(format: &str) -> ObjectBuilder {
    string().format(Some(SchemaFormat::Custom(format.to_owned())))
}

/// Integer between two limits, both inclusive.
pub(crate) fn integer<T: Into<i64>>(minimum: T, maximum: impl Into<i64>) -> ObjectBuilder {
    let (minimum, maximum): (i64, i64) = (minimum.into(), maximum.into());
    ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(minimum)).maximum(Some(maximum))
}

/// Position in the feed.
pub(crate) fn position() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        .minimum(Some(0))
}

/// Reference to a type's schema.
pub(crate) fn reference<T: ToSchema>() -> RefOr<Schema> {
    RefOr::Ref(utoipa::openapi::Ref::from_schema_name(T::name()))
}

/// Array of between `min` and `max` items.
pub(crate) fn list(items: impl Into<RefOr<Schema>>, min: usize, max: usize) -> ArrayBuilder {
    ArrayBuilder::new().items(items.into()).min_items(Some(min).filter(|it| *it > 0)).max_items(Some(max))
}

/// Object of a request body, in which unknown fields are refused and null is the same as an absent field.
pub(crate) struct BodyObject {
    object: ObjectBuilder,
    /// Names that the reader knows and that are not described yet.
    left: Vec<&'static str>,
}

impl BodyObject {
    /// Object with the fields that its reader knows.
    pub(crate) fn of(known: &[&'static str]) -> Self {
        let object = ObjectBuilder::new()
            .schema_type(Type::Object)
            .additional_properties(Some(AdditionalProperties::FreeForm(false)));
        Self { object, left: known.to_vec() }
    }

    fn property(mut self, name: &'static str, schema: RefOr<Schema>) -> Self {
        debug_assert!(self.left.contains(&name), "the reader does not know {name}");
        self.left.retain(|it| *it != name);
        Self { object: self.object.property(name, schema), ..self }
    }

    /// Adds a required field.
    pub(crate) fn required(self, name: &'static str, schema: impl Into<RefOr<Schema>>) -> Self {
        let with = self.property(name, schema.into());
        Self { object: with.object.required(name), ..with }
    }

    /// Adds an optional field.
    pub(crate) fn optional(self, name: &'static str, schema: impl Into<RefOr<Schema>>) -> Self {
        self.property(name, or_null(schema.into()))
    }

    /// The whole object.
    pub(crate) fn done(self) -> RefOr<Schema> {
        debug_assert_eq!(self.left, [""; 0], "fields without a description");
        RefOr::T(Schema::Object(self.object.build()))
    }
}

/// The schema, and null beside it.
fn or_null(schema: RefOr<Schema>) -> RefOr<Schema> {
    let simple = |object: &Object| match &object.schema_type {
        SchemaType::Type(kind) if object.enum_values.is_none() => Some(kind.clone()),
        SchemaType::Type(_) | SchemaType::Array(_) | SchemaType::AnyValue => None,
    };
    if let RefOr::T(Schema::Object(object)) = &schema
        && let Some(kind) = simple(object)
    {
        let mut object = object.clone();
        object.schema_type = SchemaType::Array(vec![kind, Type::Null]);
        return RefOr::T(Schema::Object(object));
    }
    OneOfBuilder::new().item(ObjectBuilder::new().schema_type(Type::Null)).item(schema).into()
}

/// Optional parameter of a query.
pub(crate) fn query(name: &str, description: &str, schema: impl Into<RefOr<Schema>>) -> Parameter {
    parameter(ParameterIn::Query, name, description, schema.into())
}

/// Required parameter of a query.
pub(crate) fn required_query(name: &str, description: &str, schema: impl Into<RefOr<Schema>>) -> Parameter {
    let mut parameter = query(name, description, schema);
    parameter.required = Required::True;
    parameter
}

/// Optional header of a request.
pub(crate) fn header(name: &str, description: &str, schema: impl Into<RefOr<Schema>>) -> Parameter {
    parameter(ParameterIn::Header, name, description, schema.into())
}

/// Parameter in the path.
pub(crate) fn in_path(name: &str, description: &str, schema: impl Into<RefOr<Schema>>) -> Parameter {
    parameter(ParameterIn::Path, name, description, schema.into())
}

fn parameter(place: ParameterIn, name: &str, description: &str, schema: RefOr<Schema>) -> Parameter {
    let required = if matches!(place, ParameterIn::Path) { Required::True } else { Required::False };
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(required)
        .description(Some(description))
        .schema(Some(schema))
        .build()
}

/// Defines the type that stands for the schema of a request body, with its name and the function beside its reader.
macro_rules! body_schema {
    ($($(#[$doc:meta])+ $Body:ident as $name:literal = $schema:expr;)+) => {$(
        $(#[$doc])+
        pub(crate) enum $Body {}

        impl utoipa::PartialSchema for $Body {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                $schema
            }
        }

        impl utoipa::ToSchema for $Body {
            fn name() -> std::borrow::Cow<'static, str> {
                std::borrow::Cow::Borrowed($name)
            }
        }
    )+};
}
pub(crate) use body_schema;

/// Defines the type that stands for parameters, with the function beside their reader.
macro_rules! parameters {
    ($($(#[$doc:meta])+ $Parameters:ident = $parameters:expr;)+) => {$(
        $(#[$doc])+
        pub(crate) enum $Parameters {}

        impl utoipa::IntoParams for $Parameters {
            fn into_params(
                _: impl Fn() -> Option<utoipa::openapi::path::ParameterIn>,
            ) -> Vec<utoipa::openapi::path::Parameter> {
                Vec::from($parameters)
            }
        }
    )+};
}
pub(crate) use parameters;
