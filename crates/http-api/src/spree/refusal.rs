//! Error answers of the Spree dialect: `{"error": "…"}`, with `errors` by field where fields are invalid.

use std::error::Error as StdError;
use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderName, RETRY_AFTER};
use actix_web::{HttpResponse, ResponseError};
use paywright_app::{
    CheckPaymentError, CreatePaymentIntentError, EditOrderError, GatewayError, KeyRefusal, StoreError, StorefrontError,
};
use paywright_domain::money::MoneyError;
use paywright_domain::order::{LineProblem, PaymentState, QUANTITY_MAX};
use paywright_domain::storefront::{CartError, CheckoutError};
use serde_json::{Map, Value, json};

use super::MEDIA_TYPE;
use super::amount::code;
use crate::auth::NotAdmitted;
use crate::problem::Problem;
use crate::reader::{FieldProblem, FieldProblems, sentence};
use crate::tokens::TokenRefusal;

/// Refusal of a request: a status, a sentence and the problems of its fields.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    error: String,
    /// Problems by field; the field `base` is the whole request, as in Rails.
    fields: FieldProblems,
    /// Body that is sent in place of the sentence.
    body: Option<Value>,
    /// Value of the `Retry-After` header, in seconds.
    retry_after: Option<u32>,
    /// Header that belongs to the status.
    header: Option<(HeaderName, String)>,
    /// Code of the same refusal in the shop dialect, for the log.
    code: Option<&'static str>,
}

impl Refusal {
    fn new(status: StatusCode, error: impl Into<String>) -> Self {
        let (error, fields) = (sentence(error.into()), FieldProblems::default());
        Self { status, error, fields, body: None, retry_after: None, header: None, code: None }
    }

    /// Code of the same refusal in the shop dialect.
    pub(crate) const fn code(&self) -> Option<&'static str> {
        self.code
    }

    pub(crate) fn bad_request(error: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error)
    }

    /// Refusal of a required root parameter that is absent or empty, in the words of Rails.
    pub(crate) fn missing(name: &str) -> Self {
        Self::bad_request(format!("param is missing or the value is empty: {name}"))
    }

    pub(crate) fn token_invalid() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "The access token is invalid")
    }

    /// Refusal of a login by password: the shop's own login authenticates customers.
    pub(crate) fn no_passwords() -> Self {
        Self::bad_request(
            "there are no passwords in this API: the shop's own login issues customers' bearer tokens (JWT, HS256)",
        )
    }

    pub(crate) fn not_allowed() -> Self {
        Self::new(StatusCode::FORBIDDEN, "You are not authorized to access this page.")
    }

    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "The resource you were looking for could not be found.")
    }

    /// Refusal with 422 and one sentence.
    pub(crate) fn failed(error: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, error)
    }

    /// Refusal of one field.
    pub(crate) fn invalid(field: &str, problem: impl fmt::Display) -> Self {
        FieldProblem::new(field, problem).into()
    }

    /// Refusal of fields, with their problems joined to a sentence as Rails does.
    pub(crate) fn all_invalid(fields: FieldProblems) -> Self {
        let texts = fields.summary(|it| match it.field() {
            "base" => it.problem().to_owned(),
            field => format!("{} {}", words(field), it.problem()),
        });
        let error = match texts.as_slice() {
            [] => String::new(),
            [one] => one.clone(),
            [one, other] => format!("{one} and {other}"),
            [some @ .., last] => format!("{}, and {last}", some.join(", ")),
        };
        Self { fields, ..Self::failed(error) }
    }

    /// Refusal with 422 and a document in place of the sentence.
    pub(crate) fn showing(body: Value) -> Self {
        Self { body: Some(body), ..Self::failed("") }
    }

    fn respond(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        if let Some(seconds) = self.retry_after {
            response.insert_header((RETRY_AFTER, seconds.to_string()));
        }
        if let Some((name, value)) = &self.header {
            response.insert_header((name.clone(), value.as_str()));
        }
        response.insert_header((CONTENT_TYPE, MEDIA_TYPE));
        if let Some(body) = &self.body {
            return response.body(body.to_string());
        }
        let mut body = json!({ "error": self.error });
        if !self.fields.is_empty() {
            let mut fields = Map::new();
            for it in self.fields.listed() {
                let problems = fields.entry(it.field()).or_insert_with(|| json!([]));
                problems.as_array_mut().into_iter().for_each(|all| all.push(json!(it.problem())));
            }
            body.as_object_mut().and_then(|it| it.insert("errors".into(), Value::Object(fields)));
        }
        response.body(body.to_string())
    }
}

impl From<NotAdmitted> for Refusal {
    /// An unknown key is refused in the words of Spree; any other reason is told as in the shop dialect.
    fn from(reason: NotAdmitted) -> Self {
        match reason {
            NotAdmitted::Key(KeyRefusal::Unknown) => Self::token_invalid(),
            NotAdmitted::Store(error) => error.into(),
            NotAdmitted::Key(_) | NotAdmitted::Network(_) | NotAdmitted::TooMany(_) => Problem::from(reason).into(),
        }
    }
}

/// Field name as Rails humanizes it: `bill_address.country_iso` becomes `Bill address country iso`.
fn words(field: &str) -> String {
    let text = field.replace(['_', '.'], " ");
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.error)
    }
}

impl StdError for Refusal {}

impl ResponseError for Refusal {
    fn status_code(&self) -> StatusCode {
        self.status
    }
    fn error_response(&self) -> HttpResponse {
        self.respond()
    }
}

impl From<FieldProblem> for Refusal {
    fn from(problem: FieldProblem) -> Self {
        Self::all_invalid(problem.into())
    }
}

impl From<FieldProblems> for Refusal {
    fn from(problems: FieldProblems) -> Self {
        Self::all_invalid(problems)
    }
}

/// Problem of the shop dialect in this dialect: 409 becomes 422, and 404 gets Spree's own sentence.
impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::of(&problem)
    }
}

impl Refusal {
    /// Translates a problem of the shop dialect.
    pub(crate) fn of(problem: &Problem) -> Self {
        let status = match problem.status() {
            StatusCode::CONFLICT => StatusCode::UNPROCESSABLE_ENTITY,
            StatusCode::NOT_FOUND => return Self::not_found(),
            status => status,
        };
        let (code, header) = (Some(problem.code()), problem.header().cloned());
        Self { code, header, retry_after: problem.retry_after(), ..Self::new(status, problem.detail()) }
    }
}

/// Refusal of a bearer token: one sentence of Spree for all reasons for which the token is at fault. The log has the code.
impl From<TokenRefusal> for Refusal {
    fn from(refusal: TokenRefusal) -> Self {
        match refusal.retry_after() {
            Some(_) => Problem::from(refusal).into(),
            None => Self { code: Some(refusal.code()), ..Self::token_invalid() },
        }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Problem::from(error).into()
    }
}

/// Stored amounts were checked before they were written: amounts that do not add up are a corrupt row.
impl From<MoneyError> for Refusal {
    fn from(error: MoneyError) -> Self {
        StoreError::Corrupt(Box::new(error)).into()
    }
}

impl From<GatewayError> for Refusal {
    fn from(error: GatewayError) -> Self {
        match error {
            GatewayError::Refused(error) => Self::failed(error.message.or(error.code).unwrap_or_default()),
            error @ (GatewayError::NotFound(_)
            | GatewayError::KeyExhausted(_)
            | GatewayError::Busy(_)
            | GatewayError::Unreachable(_)
            | GatewayError::InFlight
            | GatewayError::Misconfigured(_)
            | GatewayError::NotUnderstood(_)
            | GatewayError::Foreign(_)
            | GatewayError::Unknown(_)) => Problem::from(error).into(),
        }
    }
}

/// Sentences of Spree, which clients show to customers.
impl From<CartError> for Refusal {
    fn from(error: CartError) -> Self {
        match &error {
            CartError::NoSuchLine => Self::not_found(),
            CartError::Line(LineProblem::Quantity) => Self::invalid("quantity", format!("must be 1 to {QUANTITY_MAX}")),
            CartError::Line(problem) => Self::invalid("base", format!("line item {problem}")),
            CartError::TooMuchMetadata => Self::invalid("public_metadata", error.to_string()),
            CartError::NoSuchCoupon | CartError::CouponNotApplied => {
                Self::failed("The coupon code you entered doesn't exist. Please try again.")
            }
            CartError::NoCoupons => {
                Self::failed("No coupon code provided and the Order doesn't have any coupon code promotions applied")
            }
            CartError::CouponAlreadyApplied => Self::failed("The coupon code has already been applied to this order"),
            CartError::CouponNotInCurrency(currency) => {
                Self::failed(format!("This coupon code cannot be used in {}", code(*currency)))
            }
            CartError::OfAnotherCustomer => Self::failed("Already assigned to a user"),
            CartError::NoSuchShippingRate => Self::failed("shipping_method_not_found"),
            CartError::NotSold(_) | CartError::TooManyLines | CartError::TooManyCoupons | CartError::Total(_) => {
                Self::failed(error.to_string())
            }
        }
    }
}

/// Problem of an incomplete checkout, in sentences of Spree, which clients show to customers.
fn missing(error: CheckoutError) -> FieldProblem {
    let blank = "can't be blank";
    let of = |field: &str, problem: &str| FieldProblem::new(field, problem);
    match error {
        CheckoutError::NoLines => {
            of("base", "There are no items for this order. Please add an item to the order to continue.")
        }
        CheckoutError::NoEmail => of("email", blank),
        CheckoutError::NoShippingAddress => of("ship_address", blank),
        CheckoutError::NoBillingAddress => of("bill_address", blank),
        CheckoutError::ShippingAddressLacks(field) => of(&format!("ship_address.{}", field.name()), blank),
        CheckoutError::BillingAddressLacks(field) => of(&format!("bill_address.{}", field.name()), blank),
        CheckoutError::NoShippingRates => {
            of("base", "We are unable to calculate shipping rates for the selected items.")
        }
        CheckoutError::NoShippingRate => of("shipping_method", blank),
        CheckoutError::NotPaid => of("base", "No payment found"),
    }
}

impl From<CheckoutError> for Refusal {
    fn from(error: CheckoutError) -> Self {
        missing(error).into()
    }
}

impl From<CheckPaymentError> for Refusal {
    fn from(error: CheckPaymentError) -> Self {
        match error {
            CheckPaymentError::NotCompleted { payment: PaymentState::Review, .. } => {
                Self::failed("Payment is under review")
            }
            CheckPaymentError::NotCompleted { intent: Some(status), .. } => {
                Self::failed(format!("Payment intent {}", status.name().replace('_', " ")))
            }
            CheckPaymentError::NotCompleted { intent: None, .. } => CheckoutError::NotPaid.into(),
            CheckPaymentError::Gateway(error) => error.into(),
            error @ (CheckPaymentError::Order(_) | CheckPaymentError::Settle(_)) => Problem::from(error).into(),
        }
    }
}

impl From<StorefrontError> for Refusal {
    fn from(error: StorefrontError) -> Self {
        match error {
            StorefrontError::NoCart
            | StorefrontError::NoVariant
            | StorefrontError::NoIntent
            | StorefrontError::NoCard => Self::not_found(),
            StorefrontError::Cart(error) => error.into(),
            StorefrontError::Checkout(error) => error.into(),
            StorefrontError::NotReady(lacks) => Self::all_invalid(lacks.into_iter().map(missing).collect()),
            StorefrontError::NoShipment => Self::failed("shipment_not_found"),
            error @ (StorefrontError::Unsold(_)
            | StorefrontError::Processing
            | StorefrontError::Canceled
            | StorefrontError::NoPaymentMethod(_)) => Self::failed(error.to_string()),
            StorefrontError::NotTheAmountDue { due } => {
                Self::invalid("amount", format!("must be {}, the amount due", due.to_decimal()))
            }
            error @ StorefrontError::UnderWay => Self { retry_after: Some(1), ..Self::failed(error.to_string()) },
            StorefrontError::Content(error) => Self::invalid("base", error.to_string()),
            StorefrontError::Terms(error) => Self::invalid("base", error.to_string()),
            StorefrontError::Edit(EditOrderError::Provider(error)) => GatewayError::Refused(error).into(),
            StorefrontError::Edit(error) => Problem::from(error).into(),
            StorefrontError::Cancel(error) => Problem::from(error).into(),
            StorefrontError::Intent(CreatePaymentIntentError::Gateway(error)) | StorefrontError::Gateway(error) => {
                error.into()
            }
            StorefrontError::Intent(error) => Problem::from(error).into(),
            StorefrontError::Check(error) => error.into(),
            StorefrontError::Store(error) => error.into(),
        }
    }
}
