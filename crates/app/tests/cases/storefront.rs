mod account;
mod calls;
mod delayed;
mod interrupted;
mod owner;
mod ready;
mod store_double;

use std::sync::Arc;

use futures_util::future::join_all;
use paywright_app::{
    CartEdit, CartRef, Carts, OrderQuery, OrderRef, PaymentIntentParams, PriceList, Session, Settings, Shopper,
    Storefront, StorefrontError, TokenSubject,
};
use paywright_domain::id::{CustomerId, PaymentMethodId};
use paywright_domain::intent::IntentStatus;
use paywright_domain::operation::{EditError, NotNow};
use paywright_domain::order::{Metadata, OrderState};
use paywright_domain::storefront::{CartError, CheckoutEdit, PaymentMethodChoice, Prices, Terms, Variant, VariantId};
use paywright_domain::text::Email;
use paywright_domain::{Currency, Order};
use paywright_testkit::storefront_contract::{terms, variant};
use paywright_testkit::{Cards, Trouble, usd};

use crate::{Kind, PROVIDER_TIMEOUT_SECONDS, Shop};

/// Storefront of one test, which sells bones at 10.00 and toys at 25.00.
struct Front {
    shop: Shop,
    store: Arc<Kind>,
    storefront: Storefront,
    cards: Cards,
}

/// Payment method that the browser has just created.
fn new_method(id: &str) -> PaymentMethodChoice {
    PaymentMethodChoice::New(PaymentMethodId::new(id).unwrap())
}

impl Front {
    async fn open() -> Self {
        let (store, kept) = crate::fresh_store().await;
        let shop = Shop::open_on(Arc::clone(&store), kept, Settings::default());
        store.put_variants(&[variant("bone", 1000), variant("toy", 2500)]).await.unwrap();
        // Nothing is shipped or taxed: a checkout needs an email address alone.
        store.put_terms(&Terms { shipping: Vec::new(), taxes: Vec::new(), ..terms() }).await.unwrap();
        let cards = Cards::default();
        let (kept, prices) = (Arc::<Kind>::clone(&store), Arc::<Kind>::clone(&store));
        let storefront = Storefront::new(shop.app.clone(), kept, prices, Arc::new(cards.clone()), Currency::Usd);
        Self { shop, store, storefront, cards }
    }

    /// Shopper with two bones in the cart, ready to pay 20.00.
    async fn with_bones(&self, customer: Option<&str>) -> Shopper {
        let customer = customer.map(|it| CustomerId::new(it).unwrap());
        let shopper = Shopper { customer, ..Shopper::default() };
        let session = self.storefront.create_cart(&shopper, &Metadata::new()).await.unwrap();
        let shopper = Shopper { subject: Some(TokenSubject::Cart(session.cart.id)), ..shopper };
        self.add(&shopper, "bone", 2).await.unwrap();
        let email = Some(Email::new("ada@example.com").unwrap());
        self.storefront.edit_checkout(&shopper, &CheckoutEdit { email, ..CheckoutEdit::default() }).await.unwrap();
        shopper
    }

    async fn add(&self, shopper: &Shopper, id: &str, quantity: u32) -> Result<Session, StorefrontError> {
        self.storefront.add_item(shopper, &VariantId::new(id).unwrap(), quantity, None).await
    }

    async fn pay(&self, shopper: &Shopper) -> Result<Order, StorefrontError> {
        self.storefront.payment_intent(shopper, &PaymentIntentParams::default()).await.map(|it| it.order)
    }

    async fn opened(&self, shopper: &Shopper) -> Session {
        self.storefront.opened(shopper).await.unwrap().unwrap()
    }

    async fn orders(&self) -> Vec<Order> {
        use paywright_app::Orders as _;
        self.store.orders(&OrderQuery::newest(100)).await.unwrap()
    }
}

#[tokio::test]
async fn concurrent_payments_of_one_cart_place_one_order() {
    let front = Front::open().await;
    let shopper = front.with_bones(Some("ada")).await;
    let number = front.opened(&shopper).await.number();
    let requested = join_all((0..8).map(|_| front.pay(&shopper))).await;
    let intents: std::collections::BTreeSet<_> =
        requested.iter().map(|it| it.as_ref().unwrap().payable_intent().unwrap().id.clone()).collect();
    assert_eq!((intents.len(), front.orders().await.len(), front.cards.customers()), (1, 1, 1));
    let order = front.orders().await.remove(0);
    assert_eq!((order.total, order.number.clone()), (usd(2000), number), "the number that the cart showed");
    assert_eq!(order.payer.customer.as_ref().map(ToString::to_string), Some("cus_ada".to_owned()));
}

/// Whichever comes first, the payable amount in the end is that of the cart.
#[tokio::test]
async fn a_cart_that_is_changed_while_it_is_being_paid_changes_its_order() {
    for waits in 0..24 {
        let front = Front::open().await;
        let shopper = front.with_bones(None).await;
        let later = async {
            for _ in 0..waits {
                tokio::task::yield_now().await;
            }
            front.add(&shopper, "toy", 1).await
        };
        let (paid, added) = tokio::join!(front.pay(&shopper), later);
        added.unwrap();
        // A payment between the commit of the change and Stripe's answer to it is told to try again.
        let paid = if matches!(paid, Err(StorefrontError::UnderWay)) { front.pay(&shopper).await } else { paid };
        paid.unwrap();
        let session = front.opened(&shopper).await;
        let order = session.order.unwrap();
        let intent = order.payable_intent().unwrap();
        let at_provider = front.shop.provider().intent_now(&intent.id).amount;
        assert_eq!((session.cart.totals().unwrap().due, order.total, at_provider), (usd(4500), usd(4500), usd(4500)));
        assert_eq!(front.orders().await.len(), 1, "after {waits} steps");
    }
}

#[tokio::test]
async fn a_payment_of_another_amount_is_refused_and_places_nothing() {
    let front = Front::open().await;
    let shopper = front.with_bones(None).await;
    let method = Some(new_method("pm_1"));
    for wrong in ["19.99", "2000", "-20", "x", "20.001"] {
        let params = PaymentIntentParams { payment_method: method.clone(), amount: Some(wrong.to_owned()) };
        let refused = front.storefront.payment_intent(&shopper, &params).await.unwrap_err();
        assert!(matches!(refused, StorefrontError::NotTheAmountDue { due } if due == usd(2000)), "{wrong}: {refused}");
    }
    assert!(front.orders().await.is_empty());
    assert_eq!(front.opened(&shopper).await.cart.payment_method, None);
    let params = PaymentIntentParams { payment_method: method.clone(), amount: Some("20.0".to_owned()) };
    let paying = front.storefront.payment_intent(&shopper, &params).await.unwrap();
    assert_eq!(paying.order.payer.payment_method.as_ref(), method.as_ref().map(PaymentMethodChoice::id));
}

#[tokio::test]
async fn a_cart_whose_payment_is_processing_cannot_be_changed() {
    let front = Front::open().await;
    let shopper = front.with_bones(None).await;
    let intent = front.pay(&shopper).await.unwrap().payable_intent().unwrap().id.clone();
    front.shop.provider().change(&intent, |it| it.status = IntentStatus::Processing);
    front.shop.app.settle_from_provider(&front.shop.provider().intent_now(&intent)).await.unwrap();
    let before = front.opened(&shopper).await;
    let refused = front.add(&shopper, "toy", 1).await.unwrap_err();
    let in_progress = matches!(
        &refused,
        StorefrontError::Edit(paywright_app::EditOrderError::Refused(EditError::NotNow(NotNow::PaymentInProgress)))
    );
    assert!(in_progress, "{refused}");
    assert_eq!(front.opened(&shopper).await, before);
    front.shop.provider().pay(&intent);
    let complete = front.storefront.complete(&shopper).await.unwrap();
    assert!(complete.is_complete());
    assert_eq!(
        front.storefront.complete(&shopper).await.unwrap().order,
        complete.order,
        "completing it again changes nothing"
    );
    assert!(
        matches!(front.add(&shopper, "toy", 1).await, Err(StorefrontError::NoCart)),
        "a paid cart cannot be changed"
    );
}

#[tokio::test]
async fn emptying_a_cart_cancels_its_order_and_begins_another() {
    let front = Front::open().await;
    let shopper = front.with_bones(None).await;
    let first = front.pay(&shopper).await.unwrap();
    let emptied = front.storefront.edit_cart(&shopper, &CartEdit::Empty).await.unwrap();
    assert_eq!(emptied.order, None);
    assert!(matches!(front.shop.order(&first).await.state, OrderState::Canceled { .. }));
    front.add(&shopper, "toy", 1).await.unwrap();
    let second = front.pay(&shopper).await.unwrap();
    assert_ne!(second.id, first.id);
    // Another currency leads to another order too.
    let euros: Prices = [paywright_domain::Money::new(900, Currency::Eur).unwrap()].into_iter().collect();
    front.store.put_variants(&[Variant { prices: euros, ..variant("toy", 1) }]).await.unwrap();
    let changed = front.storefront.change_currency(&shopper, Currency::Eur).await.unwrap();
    assert_eq!((changed.cart.totals().unwrap().due.minor(), changed.order), (900, None));
    assert!(matches!(front.shop.order(&second).await.state, OrderState::Canceled { .. }));
    front.storefront.remove_cart(&shopper).await.unwrap();
    assert!(matches!(front.storefront.current(&shopper).await, Err(StorefrontError::NoCart)));
}

#[tokio::test]
async fn a_variant_that_is_no_longer_sold_cannot_be_paid() {
    let front = Front::open().await;
    let shopper = front.with_bones(None).await;
    front.store.put_variants(&[Variant { active: false, ..variant("bone", 1000) }]).await.unwrap();
    let refused = front.pay(&shopper).await.unwrap_err();
    assert!(matches!(&refused, StorefrontError::Unsold(name) if name.contains("bone")), "{refused}");
    assert!(front.orders().await.is_empty());
    front.add(&shopper, "toy", 1).await.unwrap();
    let (session, dropped) = front.storefront.drop_unsold(&shopper).await.unwrap();
    assert_eq!((dropped.len(), session.cart.lines.len()), (1, 1));
    assert_eq!(front.pay(&shopper).await.unwrap().total, usd(2500));
}

#[tokio::test]
async fn a_changed_price_is_updated_at_stripe_before_the_payment() {
    let front = Front::open().await;
    let shopper = front.with_bones(None).await;
    let before = front.pay(&shopper).await.unwrap();
    front.store.put_variants(&[variant("bone", 1100)]).await.unwrap();
    let after = front.pay(&shopper).await.unwrap();
    assert_eq!((after.id, after.total), (before.id, usd(2200)));
    let intent = &after.payable_intent().unwrap().id;
    assert_eq!(front.shop.provider().intent_now(intent).amount, usd(2200));
}

/// Whichever fault a request meets, the cart and its order agree in the end.
#[tokio::test]
async fn a_change_whose_answer_is_lost_changes_both_cart_and_order_or_neither() {
    for trouble in Trouble::PASSING {
        let front = Front::open().await;
        let shopper = front.with_bones(None).await;
        let intent = front.pay(&shopper).await.unwrap().payable_intent().unwrap().id.clone();
        front.shop.provider().will([trouble]);
        let changed = front.add(&shopper, "toy", 1).await;
        front.shop.after(PROVIDER_TIMEOUT_SECONDS).await;
        let session = front.opened(&shopper).await;
        let (cart, order) = (session.cart.totals().unwrap().due, session.order.unwrap().total);
        assert_eq!((changed.is_ok(), cart, order), (true, usd(4500), usd(4500)), "{trouble:?}");
        assert_eq!(front.shop.provider().intent_now(&intent).amount, usd(4500), "{trouble:?}");
    }
}

#[tokio::test]
async fn a_guests_cart_and_its_order_are_claimed_by_the_customer_who_signs_in() {
    let front = Front::open().await;
    let guest = front.with_bones(None).await;
    front.pay(&guest).await.unwrap();
    let ada = CustomerId::new("ada").unwrap();
    let session = front.storefront.associate(&guest, &ada).await.unwrap();
    assert_eq!(session.order.unwrap().customer, Some(ada.clone()));
    let signed_in = Shopper { customer: Some(ada.clone()), ..Shopper::default() };
    let order = front.pay(&signed_in).await.unwrap();
    assert_eq!(order.payer.customer.as_ref().map(ToString::to_string), Some("cus_ada".to_owned()));
    assert_eq!(front.orders().await.len(), 1);
    let eve = CustomerId::new("eve").unwrap();
    let refused = front.storefront.associate(&guest, &eve).await.unwrap_err();
    assert!(matches!(refused, StorefrontError::Cart(CartError::OfAnotherCustomer)), "{refused}");
    let stranger = Shopper { customer: Some(eve), ..Shopper::default() };
    let name = order.payable_intent().unwrap().id.to_string();
    let shown = front.storefront.shown_intent(&stranger, Some(&name)).await;
    assert!(matches!(shown, Err(StorefrontError::NoIntent)), "another customer's intent is not shown");
    // A paid order is found by its customer, and its cart is closed.
    front.shop.provider().pay(&order.payable_intent().unwrap().id);
    let confirmed = front.storefront.confirm_intent(&signed_in, &name).await.unwrap();
    assert!(matches!(confirmed.order.state, OrderState::Paid { .. }));
    assert!(matches!(front.storefront.current(&signed_in).await, Err(StorefrontError::NoCart)));
    let closed = front.store.cart(CartRef::Order(order.id)).await.unwrap().unwrap().value;
    assert!(closed.closed_at.is_some());
    assert!(front.shop.app.get_order(&OrderRef::Id(order.id), &paywright_app::Access::Customer(ada)).await.is_ok());
}

/// Longest idempotency key that Stripe accepts, in characters ("Idempotent requests").
const KEY_CHARS_MAX: usize = 255;

#[tokio::test]
async fn every_customer_key_is_short_enough_for_stripe_and_unique_to_the_installation() {
    let (one, other) = (Front::open().await, Front::open().await);
    let ada = CustomerId::new("a".repeat(CustomerId::CHARS_MAX)).unwrap();
    for front in [&one, &other] {
        let saving = front.storefront.save_card(&ada, None).await.unwrap();
        front.cards.save(saving.customer.as_str(), &format!("pm_{}", "1".repeat(252)));
        let card = front.storefront.saved_cards(&ada).await.unwrap().remove(0);
        front.storefront.forget_card(&ada, &card.id).await.unwrap();
    }
    let (ours, theirs) = (one.cards.keys(), other.cards.keys());
    let kinds: Vec<_> = ours.iter().filter_map(|it| Some(it.split_once(':')?.0)).collect();
    assert_eq!(kinds, ["customer", "ephemeral", "setup", "forget"]);
    assert!(ours.iter().chain(&theirs).all(|it| it.len() <= KEY_CHARS_MAX), "{ours:?}");
    // The other keys are random for each call; this test counts them.
    for (ours, theirs) in [(&ours[0], &theirs[0]), (&ours[3], &theirs[3])] {
        assert_ne!(ours, theirs);
    }
    let again = one.storefront.save_card(&CustomerId::new("eve").unwrap(), None).await.unwrap();
    assert!(again.customer.as_str().ends_with("eve"));
}

/// An unpaid order is canceled after some time; its cart stays.
#[tokio::test]
async fn a_cart_whose_order_was_abandoned_gets_another_order() {
    let front = Front::open().await;
    let shopper = front.with_bones(None).await;
    let first = front.pay(&shopper).await.unwrap();
    let which = OrderRef::Id(first.id);
    let abandoned = paywright_domain::order::CancelReason::Abandoned;
    front.shop.app.cancel_order(&which, &paywright_app::Access::All, abandoned).await.unwrap();
    let (found, at_once) = tokio::join!(front.storefront.current(&shopper), front.storefront.current(&shopper));
    let found = found.unwrap();
    assert_eq!(at_once.unwrap(), found, "both callers get the same cart");
    assert_eq!((found.cart.item_count(), &found.order), (2, &None));
    assert_ne!(found.number(), first.number);
    assert_eq!(front.opened(&shopper).await.number(), found.number(), "another number, and the same from then on");
    let second = front.pay(&shopper).await.unwrap();
    assert_ne!(second.id, first.id);
    // An order that the shop itself canceled stays canceled.
    let wanted = paywright_domain::order::CancelReason::RequestedByCustomer;
    front.shop.app.cancel_order(&OrderRef::Id(second.id), &paywright_app::Access::All, wanted).await.unwrap();
    assert!(matches!(front.pay(&shopper).await, Err(StorefrontError::NoCart)));
    assert!(front.opened(&shopper).await.is_canceled());
}

/// A cart gets no other order until Stripe has canceled the intent of its order.
#[tokio::test]
async fn a_cart_gets_another_order_only_when_the_first_can_no_longer_be_paid() {
    let front = Front::open().await;
    let shopper = front.with_bones(None).await;
    let first = front.pay(&shopper).await.unwrap();
    front.shop.provider().will([Trouble::LostBefore]);
    let emptied = front.storefront.edit_cart(&shopper, &CartEdit::Empty).await;
    assert!(matches!(emptied, Err(StorefrontError::UnderWay)), "{emptied:?}");
    let cart = front.opened(&shopper).await.cart;
    assert_eq!((cart.item_count(), cart.order), (2, first.id), "as it was");
    front.shop.provider().pay(&first.payable_intent().unwrap().id);
    front.shop.after(PROVIDER_TIMEOUT_SECONDS).await;
    assert!(front.opened(&shopper).await.is_complete(), "the payment came first");
}

#[tokio::test]
async fn a_card_that_stripe_refuses_does_not_block_the_next_one() {
    let front = Front::open().await;
    let cart = front.with_bones(None).await;
    let order = front.shop.placed().await;
    let alone = Shopper { subject: Some(TokenSubject::Order(order.id)), ..Shopper::default() };
    for shopper in [cart, alone] {
        front.shop.provider().will([Trouble::Refuses("resource_missing")]);
        let params = PaymentIntentParams { payment_method: Some(new_method("pm_none")), amount: None };
        let refused = front.storefront.payment_intent(&shopper, &params).await.unwrap_err();
        assert!(matches!(refused, StorefrontError::Intent(_)), "{refused}");
        let made = front.pay(&shopper).await.unwrap();
        assert_eq!(made.payer.payment_method, order.payer.payment_method.clone().filter(|_| made.id == order.id));
        assert!(made.payable_intent().is_some());
    }
}

#[tokio::test]
async fn a_card_that_is_refused_leaves_the_one_that_was_chosen_before() {
    let front = Front::open().await;
    front.cards.does_not_know_method("pm_none");
    let cart = front.with_bones(None).await;
    let choice = CheckoutEdit { payment_method: Some(new_method("pm_1")), ..CheckoutEdit::default() };
    front.storefront.edit_checkout(&cart, &choice).await.unwrap();
    let by = |method: &str| PaymentIntentParams { payment_method: Some(new_method(method)), amount: None };
    let placed = front.shop.placed().await;
    let alone = Shopper { subject: Some(TokenSubject::Order(placed.id)), ..Shopper::default() };
    let of_order = placed.payer.payment_method.clone();
    for (shopper, before) in [(cart, Some(new_method("pm_1").id().clone())), (alone, of_order)] {
        let unknown = front.storefront.payment_intent(&shopper, &by("pm_none")).await.unwrap_err();
        assert!(matches!(unknown, StorefrontError::NoPaymentMethod(_)), "{unknown}");
        // Stripe knows the next one, and does not let it pay.
        front.shop.provider().will([Trouble::Refuses("payment_method_unexpected_state")]);
        let refused = front.storefront.payment_intent(&shopper, &by("pm_2")).await.unwrap_err();
        assert!(matches!(refused, StorefrontError::Intent(_)), "{refused}");
        assert_eq!(front.pay(&shopper).await.unwrap().payer.payment_method, before, "before the first PaymentIntent");
        front.shop.provider().will([Trouble::Refuses("payment_method_unexpected_state")]);
        let refused = front.storefront.payment_intent(&shopper, &by("pm_3")).await.unwrap_err();
        assert!(matches!(refused, StorefrontError::Edit(_)), "{refused}");
        assert_eq!(front.pay(&shopper).await.unwrap().payer.payment_method, before, "of a PaymentIntent");
        // One that was chosen before and that Stripe refuses by now does not block the next one.
        let other = front.storefront.payment_intent(&shopper, &by("pm_4")).await.unwrap();
        assert_eq!(other.order.payer.payment_method.as_ref(), Some(new_method("pm_4").id()));
    }
}

/// The customer may have created another cart since.
#[tokio::test]
async fn an_intent_is_found_by_its_id_and_read_from_stripe() {
    let front = Front::open().await;
    let ada = CustomerId::new("ada").unwrap();
    let first = front.with_bones(Some("ada")).await;
    let order = front.pay(&first).await.unwrap();
    let name = order.payable_intent().unwrap().id.to_string();
    let guest = front.with_bones(None).await;
    front.storefront.associate(&guest, &ada).await.unwrap();
    let signed_in = Shopper { customer: Some(ada), ..Shopper::default() };
    let newest = front.storefront.current(&signed_in).await.unwrap().cart.id;
    assert_eq!(guest.subject, Some(TokenSubject::Cart(newest)), "the other cart is the newest");
    let params = PaymentIntentParams { payment_method: Some(new_method("pm_1")), amount: None };
    let updated = front.storefront.update_intent(&signed_in, &name, &params).await.unwrap();
    let chosen = updated.order.payer.payment_method.as_ref();
    assert_eq!((updated.order.id, chosen), (order.id, Some(new_method("pm_1").id())));
    assert_eq!(front.opened(&Shopper { is_reissued: true, ..guest }).await.order, None);
    // It was paid a moment ago, and no event has reported it yet.
    front.shop.provider().pay(&order.payable_intent().unwrap().id);
    front.shop.clock.advance_seconds(1);
    let shown = front.storefront.shown_intent(&signed_in, Some(&name)).await.unwrap();
    assert!(matches!(shown.order.state, OrderState::Paid { .. }));
}

#[tokio::test]
async fn abandoned_carts_are_deleted_and_paid_ones_are_kept() {
    const DAY: u32 = 24 * 3600;
    let front = Front::open().await;
    let empty = front.with_bones(None).await;
    let waiting = front.with_bones(None).await;
    let open = front.pay(&waiting).await.unwrap();
    let paid = front.with_bones(None).await;
    let order = front.pay(&paid).await.unwrap();
    front.shop.provider().pay(&order.payable_intent().unwrap().id);
    front.storefront.complete(&paid).await.unwrap();
    front.shop.clock.advance_seconds(89 * DAY);
    let visited = front.with_bones(None).await;
    assert!(!front.storefront.forget_left_carts(90 * DAY).await.unwrap());
    front.opened(&empty).await;
    front.shop.clock.advance_seconds(2 * DAY);
    let (left, right) =
        tokio::join!(front.storefront.forget_left_carts(90 * DAY), front.storefront.forget_left_carts(90 * DAY));
    assert!(!left.unwrap() && !right.unwrap());
    assert_eq!(front.storefront.opened(&empty).await.unwrap(), None, "forgotten");
    assert_eq!(front.opened(&waiting).await.order.unwrap().id, open.id, "it can still be paid");
    assert!(front.opened(&paid).await.cart.closed_at.is_some(), "what an order was made from");
    assert_eq!(front.opened(&visited).await.cart.item_count(), 2);
    let abandoned = paywright_domain::order::CancelReason::Abandoned;
    let which = OrderRef::Id(open.id);
    front.shop.app.cancel_order(&which, &paywright_app::Access::All, abandoned).await.unwrap();
    assert!(!front.storefront.forget_left_carts(90 * DAY).await.unwrap(), "once a day");
    front.shop.clock.advance_seconds(DAY);
    front.storefront.forget_left_carts(90 * DAY).await.unwrap();
    assert_eq!(front.storefront.opened(&waiting).await.unwrap(), None);
}

#[tokio::test]
async fn only_empty_guest_carts_are_deleted_early() {
    const HOUR: u32 = 3600;
    let front = Front::open().await;
    let new = async |customer: Option<&str>| {
        let customer = customer.map(|it| CustomerId::new(it).unwrap());
        let shopper = Shopper { customer, ..Shopper::default() };
        let made = front.storefront.create_cart(&shopper, &Metadata::new()).await.unwrap();
        Shopper { subject: Some(TokenSubject::Cart(made.cart.id)), ..shopper }
    };
    let (empty, of_customer) = (new(None).await, new(Some("ada")).await);
    let filled = front.with_bones(None).await;
    front.storefront.forget_empty_carts(2 * HOUR).await.unwrap();
    front.opened(&empty).await;
    front.shop.clock.advance_seconds(2 * HOUR + 1);
    front.storefront.forget_empty_carts(2 * HOUR).await.unwrap();
    assert_eq!(front.storefront.opened(&empty).await.unwrap(), None);
    front.opened(&of_customer).await;
    assert_eq!(front.opened(&filled).await.cart.item_count(), 2);
}

#[tokio::test]
async fn a_saved_card_is_listed_and_removed_by_its_owner_alone() {
    let front = Front::open().await;
    let (ada, eve) = (CustomerId::new("ada").unwrap(), CustomerId::new("eve").unwrap());
    assert!(front.storefront.saved_cards(&ada).await.unwrap().is_empty(), "no customer exists at Stripe");
    let saving = front.storefront.save_card(&ada, Some("2024-06-20")).await.unwrap();
    front.storefront.save_card(&eve, None).await.unwrap();
    front.cards.save(saving.customer.as_str(), "pm_1");
    let card = PaymentMethodId::new("pm_1").unwrap();
    assert!(matches!(front.storefront.forget_card(&eve, &card).await, Err(StorefrontError::NoCard)));
    assert_eq!(front.storefront.saved_cards(&ada).await.unwrap().len(), 1);
    front.storefront.forget_card(&ada, &card).await.unwrap();
    assert!(front.storefront.saved_cards(&ada).await.unwrap().is_empty());
}
