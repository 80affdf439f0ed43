//! Callers that repeatedly place, pay and refund orders.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::customer::Customer;
use crate::ledger::{Ledger, Reply, Wanted};
use crate::program::two_lines;

/// A caller that repeats either no call or every call.
pub(crate) struct Caller {
    pub(crate) customer: Customer,
    pub(crate) name: String,
    /// Whether each call is repeated under its own `Idempotency-Key` until it is answered. If not, each call is sent
    /// once, without a key.
    pub(crate) repeats: bool,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) stop: Arc<AtomicBool>,
}

impl Caller {
    /// Buys one order after the other until `stop`.
    pub(crate) async fn call(self) {
        for n in 0.. {
            if self.stop.load(Ordering::SeqCst) {
                break;
            }
            self.buy(format!("{}-{n}", self.name), n).await;
            tokio::time::sleep(Duration::from_millis(fastrand::u64(5..40))).await;
        }
    }

    /// Places an order and pays it; a webhook reports the payment.
    pub(crate) async fn buy_one(&self, mark: String) -> Option<()> {
        let mut body = two_lines();
        body["metadata"] = json!({ "mark": mark });
        let order = self.ask(Wanted::Order { mark: mark.clone() }, "/orders", Some(&body), &mark).await?;
        let path = format!("/orders/{order}/payment-intent");
        let intent = self.ask(Wanted::Intent { order }, &path, None, &mark).await?;
        self.customer.pay(&intent, "pm_card_visa").await;
        Some(())
    }

    /// Buys an order as far as each step is acknowledged. Every third order is only placed, and every second paid order
    /// is partially refunded.
    async fn buy(&self, mark: String, n: usize) -> Option<()> {
        let mut body = two_lines();
        body["metadata"] = json!({ "mark": mark });
        let order = self.ask(Wanted::Order { mark: mark.clone() }, "/orders", Some(&body), &mark).await?;
        if n % 3 == 2 {
            return Some(());
        }
        let path = |what: &str| format!("/orders/{order}/{what}");
        let wanted = Wanted::Intent { order: order.clone() };
        let intent = self.ask(wanted, &path("payment-intent"), None, &mark).await?;
        self.customer.pay(&intent, "pm_card_visa").await;
        self.ask(Wanted::Payment { order: order.clone() }, &path("payment"), None, &mark).await?;
        if n.is_multiple_of(2) {
            for amount in 101..103 {
                let body = json!({ "amount": format!("1.0{}", amount - 100) });
                let wanted = Wanted::Refund { order: order.clone(), amount };
                self.ask(wanted, &path("refunds"), Some(&body), &format!("{mark}-{amount}")).await;
            }
        }
        Some(())
    }

    /// Sends a call, records its reply, and returns the id of the object.
    async fn ask(&self, wanted: Wanted, path: &str, body: Option<&Value>, key: &str) -> Option<String> {
        let key = self.repeats.then(|| key.to_owned());
        let answer = if self.repeats {
            Some(self.customer.ask(Method::POST, path, body, key.as_deref()).await)
        } else {
            self.customer.ask_once(Method::POST, path, body, None).await
        };
        let reply = Reply::by(answer.as_ref());
        self.ledger.record(wanted, reply.clone(), key);
        match reply {
            Reply::Done { id } => Some(id),
            Reply::NothingChanged { .. } | Reply::Unknown { .. } => None,
        }
    }
}
