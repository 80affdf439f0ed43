//! JSON:API resources of the storefront: carts, orders, shipments, payments, addresses and cards.

use paywright_app::{AccountCard, Session};
use paywright_domain::id::CustomerId;
use paywright_domain::money::MoneyError;
use paywright_domain::order::OrderState;
use paywright_domain::storefront::{Address, Cart, CheckoutStep, ShippingRate, Terms};
use paywright_domain::text::{Email, Text};
use paywright_domain::{Money, Order, Timestamp};
use serde_json::{Value, json};

use super::amount::decimal;
use super::content::{PricedContent, metadata, put_money, put_taxes};
use super::country;
use super::document::{Relation, Resource};

/// Id of the one payment method, Stripe.
pub(super) const PAYMENT_METHOD: &str = "stripe";

/// Time as Spree writes it: UTC, with milliseconds.
pub(super) fn time(at: Timestamp) -> String {
    let text = at.to_string();
    let seconds = text.split_once(['.', 'Z']).map_or(text.as_str(), |(seconds, _)| seconds);
    format!("{seconds}.{:03}Z", at.unix_micros().rem_euclid(1_000_000) / 1000)
}

/// Resource of a cart, with its order once that is placed. Until the order is complete, its shipment has every shipping
/// rate of `terms`.
pub(super) fn cart(
    session: &Session,
    token: &str,
    publishable_key: Option<&str>,
    terms: Option<&Terms>,
) -> Result<Resource, MoneyError> {
    let (cart, order) = (&session.cart, session.order.as_ref());
    // The order has what was paid; the cart may have changed since.
    let settled = order.filter(|it| it.is_complete() || matches!(it.state, OrderState::Canceled { .. }));
    let content = settled.map_or_else(|| PricedContent::of_cart(cart), |it| PricedContent::of_order(it, Some(cart)))?;
    let mut attributes = content.attributes()?;
    let state = order.map_or(cart.step.name(), |it| state(it, cart.step));
    let more = json!({
        "number": session.number().as_str(),
        "token": token,
        "state": state,
        "email": settled.map_or(cart.email.as_ref(), |it| it.email.as_ref()).map(Email::as_str),
        "special_instructions": cart.special_instructions.as_ref().map(Text::as_str),
        "shipment_state": shipment_state(session),
        "payment_state": order.map(payment_state),
        "created_at": time(cart.created_at),
        "updated_at": time(order.map_or(cart.updated_at, |it| it.updated_at.max(cart.updated_at))),
        "completed_at": order.and_then(completed_at),
        "public_metadata": metadata(Some(&cart.metadata)),
    });
    merge(&mut attributes, more);
    let customer = cart.customer.as_ref();
    let shipment = shipment(cart, &content, terms.filter(|_| settled.is_none()))?;
    let relations = relations(&content, order, Some((cart, shipment)), customer, publishable_key)?;
    Ok(Resource { kind: "cart", id: cart.id.to_string(), attributes, relations })
}

/// Resource of a customer's completed order, with the cart that it was made from, if any.
pub(super) fn order(
    order: &Order,
    cart: Option<&Cart>,
    token: &str,
    publishable_key: Option<&str>,
) -> Result<Resource, MoneyError> {
    let content = PricedContent::of_order(order, cart)?;
    let mut attributes = content.attributes()?;
    let ships = cart.is_some_and(|it| it.shipping_rate.is_some());
    let more = json!({
        "number": order.number.as_str(),
        "token": token,
        "state": state(order, CheckoutStep::Payment),
        "email": order.email.as_ref().map(Email::as_str),
        "special_instructions": cart.and_then(|it| it.special_instructions.as_ref()).map(Text::as_str),
        "shipment_state": ships.then_some(if order.awaits_money() { "pending" } else { "ready" }),
        "payment_state": payment_state(order),
        "created_at": time(cart.map_or(order.placed_at, |it| it.created_at)),
        "updated_at": time(order.updated_at),
        "completed_at": completed_at(order),
        "public_metadata": metadata(Some(&order.metadata)),
    });
    merge(&mut attributes, more);
    let cart = match cart {
        Some(cart) => Some((cart, shipment(cart, &content, None)?)),
        None => None,
    };
    let relations = relations(&content, Some(order), cart, order.customer.as_ref(), publishable_key)?;
    Ok(Resource { kind: "order", id: order.id.to_string(), attributes, relations })
}

fn relations(
    content: &PricedContent<'_>,
    order: Option<&Order>,
    cart: Option<(&Cart, Option<Resource>)>,
    customer: Option<&CustomerId>,
    publishable_key: Option<&str>,
) -> Result<Vec<(&'static str, Relation)>, MoneyError> {
    let (cart, shipment) = cart.map_or((None, None), |(cart, shipment)| (Some(cart), shipment));
    let line_items = content.line_items()?;
    let coupons = cart.map_or(&[][..], |it| &it.coupons);
    let variants = line_items.iter().flat_map(|it| &it.relations).filter_map(|(_, it)| match it {
        Relation::One(Some(variant)) => Some((**variant).clone()),
        Relation::One(None) | Relation::Many(_) | Relation::Named(..) => None,
    });
    let address_of = |name: &str, address: Option<&Address>| {
        let owner = cart.map(|it| it.id.to_string()).unwrap_or_default();
        Relation::one(address.map(|it| address_resource(&format!("{owner}_{name}"), it)))
    };
    Ok(vec![
        ("variants", Relation::Many(variants.collect())),
        ("line_items", Relation::Many(line_items)),
        ("promotions", Relation::Many(content.promotions(coupons))),
        ("payments", Relation::Many(order.and_then(|it| payment(it, publishable_key)).into_iter().collect())),
        ("shipments", Relation::Many(shipment.into_iter().collect())),
        ("user", Relation::one(customer.map(user))),
        ("billing_address", address_of("billing", cart.and_then(|it| it.billing_address.as_ref()))),
        ("shipping_address", address_of("shipping", cart.and_then(|it| it.shipping_address.as_ref()))),
        ("gift_card", Relation::One(None)),
    ])
}

/// Customer, of whom the id alone is known here: the shop keeps its users.
fn user(customer: &CustomerId) -> Resource {
    let attributes = json!({
        "email": null, "first_name": null, "last_name": null, "selected_locale": null, "store_credits": 0,
        "completed_orders": null, "tags": [], "public_metadata": {},
    });
    let relations =
        vec![("default_billing_address", Relation::One(None)), ("default_shipping_address", Relation::One(None))];
    Resource { kind: "user", id: customer.as_str().to_owned(), attributes, relations }
}

fn merge(attributes: &mut Value, more: Value) {
    if let (Some(all), Value::Object(more)) = (attributes.as_object_mut(), more) {
        all.extend(more);
    }
}

/// Spree's state of an order: `step` of its cart, until the order is complete or canceled.
fn state(order: &Order, step: CheckoutStep) -> &'static str {
    match order.state {
        OrderState::Canceled { .. } => "canceled",
        OrderState::Open | OrderState::Paid { .. } if order.is_complete() => "complete",
        OrderState::Open | OrderState::Paid { .. } => step.name(),
    }
}

/// Time of the payment; for an order whose payment the bank is processing, the time at which it was placed.
fn completed_at(order: &Order) -> Option<String> {
    match order.state {
        OrderState::Paid { at, .. } => order.is_paid().then(|| time(at)),
        OrderState::Open => order.awaits_money().then(|| time(order.placed_at)),
        OrderState::Canceled { .. } => None,
    }
}

/// Spree's `payment_state`, by what was received and refunded.
fn payment_state(order: &Order) -> &'static str {
    match &order.state {
        OrderState::Canceled { .. } => "void",
        OrderState::Open => "balance_due",
        OrderState::Paid { .. } if !order.is_paid() => "balance_due",
        OrderState::Paid { by, .. } if order.left_of(by).minus(order.amount_due()).is_err() => "balance_due",
        OrderState::Paid { by, .. } if order.left_of(by) != order.amount_due() => "credit_owed",
        OrderState::Paid { .. } => "paid",
    }
}

fn shipment_state(session: &Session) -> Option<&'static str> {
    session.cart.shipping_rate.as_ref()?;
    Some(if session.is_paid() {
        "ready"
    } else if session.is_canceled() {
        "canceled"
    } else {
        "pending"
    })
}

/// Payment of an order: that of its leading PaymentIntent, unless that is canceled.
pub(super) fn payment(order: &Order, publishable_key: Option<&str>) -> Option<Resource> {
    use paywright_domain::intent::IntentStatus::{
        Canceled, Processing, RequiresAction, RequiresCapture, RequiresConfirmation, RequiresPaymentMethod, Succeeded,
    };
    let intent = order.leading_intent()?;
    let state = match intent.status {
        RequiresPaymentMethod if intent.last_error.is_some() => "failed",
        RequiresPaymentMethod | RequiresConfirmation | RequiresAction => "checkout",
        Processing => "processing",
        RequiresCapture => "pending",
        Succeeded => "completed",
        Canceled => return None,
    };
    let number = order.number.as_str().rsplit('-').next().unwrap_or_default();
    let mut attributes = json!({
        "response_code": intent.id.as_str(), "number": format!("P{number}"), "state": state,
        "cvv_response_code": null, "cvv_response_message": null, "payment_method_name": "Stripe",
        "payment_method_id": PAYMENT_METHOD, "public_metadata": {},
    });
    put_money(&mut attributes, &[("amount", intent.amount)]);
    let relations =
        vec![("source", Relation::One(None)), ("payment_method", Relation::one(Some(payment_method(publishable_key))))];
    Some(Resource { kind: "payment", id: order.id.to_string(), attributes, relations })
}

/// Resource of the one payment method, Stripe.
pub(super) fn payment_method(publishable_key: Option<&str>) -> Resource {
    let attributes = json!({
        "type": "SpreeStripe::Gateway", "name": "Stripe", "description": null, "public_metadata": {},
        "preferences": {}, "publishable_key": publishable_key,
    });
    Resource { kind: "payment_method", id: PAYMENT_METHOD.to_owned(), attributes, relations: Vec::new() }
}

/// Shipment of a cart that has a shipping address: with every shipping rate of `terms`, if they are given, else with the
/// chosen rate alone.
pub(super) fn shipment(
    cart: &Cart,
    content: &PricedContent<'_>,
    terms: Option<&Terms>,
) -> Result<Option<Resource>, MoneyError> {
    let Some(address) = cart.shipping_address.as_ref() else { return Ok(None) };
    let part = content.shipping();
    let chosen = match (content.shipping_name(), &cart.shipping_rate) {
        (Some(name), Some(id)) => {
            let tax = part.tax.plus(part.tax_included)?;
            Some(shipping_rate(id.as_str(), name, part.amount, tax, true))
        }
        (None, _) | (_, None) => None,
    };
    let mut rates = match terms {
        Some(terms) => shipping_rates(cart, address, terms)?,
        None => chosen.clone().into_iter().collect(),
    };
    // The chosen rate has the price of the cart, which may be older than the terms.
    for rate in &mut rates {
        if let Some(chosen) = chosen.as_ref().filter(|it| it.id == rate.id) {
            *rate = chosen.clone();
        }
    }
    let number = cart.number();
    let number = number.as_str().rsplit('-').next().unwrap_or_default();
    let mut attributes = json!({
        "number": format!("H{number}"), "state": "pending", "shipped_at": null, "tracking_url": null,
        "free": part.amount.is_zero(), "public_metadata": {},
    });
    put_money(&mut attributes, &[("final_price", part.amount), ("cost", part.amount), ("total", part.total()?)]);
    put_taxes(&mut attributes, part)?;
    let is_selected = |it: &&Resource| it.attributes.get("selected") == Some(&json!(true));
    let selected = rates.iter().find(is_selected).cloned();
    let relations = vec![
        ("shipping_rates", Relation::Many(rates)),
        ("selected_shipping_rate", Relation::one(selected)),
        ("stock_location", Relation::One(None)),
        ("line_items", Relation::Many(content.line_items()?)),
        ("vendor", Relation::One(None)),
    ];
    Ok(Some(Resource { kind: "shipment", id: cart.id.to_string(), attributes, relations }))
}

/// Shipping rates of a cart to an address.
pub(super) fn shipping_rates(cart: &Cart, address: &Address, terms: &Terms) -> Result<Vec<Resource>, MoneyError> {
    let rate = |(it, price): (&ShippingRate, Money)| {
        let tax = terms.shipping_tax(address, price)?;
        let is_chosen = cart.shipping_rate.as_ref() == Some(&it.id);
        Ok(shipping_rate(it.id.as_str(), it.name.as_str(), price, tax.added.plus(tax.included)?, is_chosen))
    };
    terms.shipping_to(address, cart.currency).map(rate).collect()
}

/// Shipping rate, with `tax` added to its price or included in it.
fn shipping_rate(id: &str, name: &str, price: Money, tax: Money, selected: bool) -> Resource {
    let mut attributes = json!({
        "name": name, "selected": selected, "shipping_method_id": id, "free": price.is_zero(),
        "final_price_cents": price.minor(),
    });
    put_money(&mut attributes, &[("final_price", price), ("cost", price), ("tax_amount", tax)]);
    let relations = vec![("shipping_method", Relation::Named("shipping_method", id.to_owned()))];
    Resource { kind: "shipping_rate", id: id.to_owned(), attributes, relations }
}

fn address_resource(id: &str, address: &Address) -> Resource {
    // As in Spree, a state that is known has its own name, however the address names it.
    let (state_name, state_code) = country::state(address).unzip();
    let attributes = json!({
        "firstname": address.first_name.as_str(), "lastname": address.last_name.as_str(),
        "address1": address.address1.as_str(), "address2": address.address2.as_str(), "city": address.city.as_str(),
        "zipcode": address.zipcode.as_str(), "phone": address.phone.as_str(), "company": address.company.as_str(),
        "country_name": country::name(address.country), "country_iso": address.country.to_string(),
        "country_iso3": country::alpha3(address.country), "state_name": state_name.unwrap_or(address.state.as_str()),
        "state_code": state_code,
        "label": address.label.as_str(), "public_metadata": {},
    });
    Resource { kind: "address", id: id.to_owned(), attributes, relations: Vec::new() }
}

/// Saved card.
pub(super) fn credit_card(AccountCard { card, is_default }: &AccountCard, publishable_key: Option<&str>) -> Resource {
    let attributes = json!({
        "cc_type": card.brand, "last_digits": card.last4, "month": card.exp_month, "year": card.exp_year,
        "name": card.name, "default": is_default, "gateway_payment_profile_id": card.id.as_str(), "public_metadata": {},
    });
    let relations = vec![("payment_method", Relation::one(Some(payment_method(publishable_key))))];
    Resource { kind: "credit_card", id: card.id.as_str().to_owned(), attributes, relations }
}

/// PaymentIntent. Its id is the order's, since an order has at most one payable intent.
pub(super) fn payment_intent(
    order: &Order,
    client_secret: Option<&str>,
    ephemeral_key: Option<&str>,
) -> Option<Resource> {
    let intent = order.leading_intent()?;
    let attributes = json!({
        "stripe_id": intent.id.as_str(),
        "client_secret": client_secret,
        "ephemeral_key_secret": ephemeral_key,
        "customer_id": order.payer.customer.as_ref().map(paywright_domain::id::ProviderCustomerId::as_str),
        "amount": decimal(intent.amount),
        "stripe_payment_method_id": order.payer.payment_method.as_ref().map(paywright_domain::id::PaymentMethodId::as_str),
    });
    let payment =
        if order.is_complete() { Relation::Named("payment", order.id.to_string()) } else { Relation::One(None) };
    let relations = vec![
        ("order", Relation::Named("order", order.id.to_string())),
        ("payment_method", Relation::one(Some(payment_method(None)))),
        ("payment", payment),
    ];
    Some(Resource { kind: "payment_intent", id: order.id.to_string(), attributes, relations })
}
