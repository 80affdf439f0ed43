//! Records of the shop and of Stripe after the faults.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::Value;

use crate::customer::Customer;
use crate::served::Served;

/// Maximum time until all work is complete: a lease, and some polls.
const REST_MAX: Duration = Duration::from_secs(150);

/// Interval between two lines that print the remaining work.
const PRINT_EVERY: Duration = Duration::from_secs(10);

/// All orders, intents and refunds.
pub(crate) struct Found {
    /// The shop's orders by id.
    pub(crate) orders: BTreeMap<String, Value>,
    pub(crate) intents: Vec<Value>,
    pub(crate) refunds: Vec<Value>,
}

impl Found {
    async fn read(served: &Served, customer: &Customer) -> Self {
        let mut orders = BTreeMap::new();
        let mut path = "/orders?limit=100".to_owned();
        loop {
            let page = customer.shop(&path).await;
            let of_page = page["orders"].as_array().unwrap().iter();
            orders.extend(of_page.map(|it| (it["id"].as_str().unwrap().to_owned(), it.clone())));
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            path = format!("/orders?limit=100&cursor={cursor}");
        }
        let (intents, refunds) = (served.intents().await, served.listed("/v1/refunds").await);
        Self { orders, intents, refunds }
    }

    /// Waits until no work is left and the books agree with Stripe's.
    pub(crate) async fn at_rest(served: &Served, customer: &Customer) -> (Self, Duration) {
        let (begun, mut printed_at) = (Instant::now(), Duration::ZERO);
        loop {
            let found = Self::read(served, customer).await;
            let rest = begun.elapsed();
            let mut open = found.under_way();
            if open.is_empty() {
                let (agree, printed, error) = served.run(&["audit", "--days", "3"]);
                if agree {
                    return (found, rest);
                }
                open.push(format!("{printed}{error}"));
            }
            let some = &open[..open.len().min(3)];
            assert!(begun.elapsed() < REST_MAX, "{} still under way: {some:#?}", open.len());
            if rest > printed_at + PRINT_EVERY {
                printed_at = rest;
                println!("  after {} s {} still under way: {some:#?}", rest.as_secs(), open.len());
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    /// Changes that the shop has not learned yet, or that Stripe has not made yet.
    fn under_way(&self) -> Vec<String> {
        let mut open = Vec::new();
        for (id, order) in &self.orders {
            let refunds = order["refunds"].as_array().unwrap();
            let ended = |it: &Value| ["succeeded", "failed", "canceled"].contains(&it["status"].as_str().unwrap());
            let waiting = refunds.iter().filter(|it| !ended(it)).count();
            if waiting > 0 || !order["pending_change"].is_null() {
                open.push(format!("order {id}: {waiting} refunds, {}", order["pending_change"]));
            }
        }
        for intent in self.intents.iter().filter(|it| it["status"] == "succeeded") {
            let order = order_of(intent).and_then(|it| self.orders.get(it));
            if order.is_some_and(|it| it["status"] != "paid") {
                open.push(format!("order {}: the payment {}", intent["metadata"]["order_id"], intent["id"]));
            }
        }
        let refunds = self.orders.values().flat_map(|it| it["refunds"].as_array().unwrap());
        let known: BTreeSet<_> = refunds.filter_map(|it| it["id"].as_str()).collect();
        let unknown = self.refunds.iter().filter(|it| !known.contains(it["id"].as_str().unwrap()));
        open.extend(unknown.filter(|it| self.has_order_of(it)).map(|it| format!("the refund {}", it["id"])));
        open
    }

    /// Whether the shop has the order of a refund at Stripe.
    fn has_order_of(&self, refund: &Value) -> bool {
        let intent = self.intents.iter().find(|it| it["id"] == refund["payment_intent"]);
        intent.and_then(order_of).is_some_and(|it| self.orders.contains_key(it))
    }

    /// Number of orders for each mark.
    pub(crate) fn marked(&self) -> BTreeMap<&str, usize> {
        let mut marks = BTreeMap::new();
        for mark in self.orders.values().filter_map(|it| it["metadata"]["mark"].as_str()) {
            *marks.entry(mark).or_default() += 1;
        }
        marks
    }

    /// Number of the shop's refunds for each order and amount.
    pub(crate) fn refunded(&self) -> BTreeMap<(&str, i64), usize> {
        let mut refunds = BTreeMap::new();
        for (id, order) in &self.orders {
            for refund in order["refunds"].as_array().unwrap() {
                let digits = refund["amount"].as_str().unwrap().replace('.', "");
                *refunds.entry((id.as_str(), digits.parse().unwrap())).or_default() += 1;
            }
        }
        refunds
    }

    /// Number of Stripe's refunds for each order and amount.
    pub(crate) fn refunded_at_stripe(&self) -> BTreeMap<(&str, i64), usize> {
        let orders: BTreeMap<_, _> =
            self.intents.iter().filter_map(|it| Some((it["id"].as_str()?, order_of(it)?))).collect();
        let mut refunds = BTreeMap::new();
        for refund in self.refunds.iter().filter(|it| it["status"] != "failed") {
            let order = refund["payment_intent"].as_str().and_then(|it| orders.get(it)).expect("a refund of an order");
            *refunds.entry((*order, refund["amount"].as_i64().unwrap())).or_default() += 1;
        }
        refunds
    }

    /// Number of succeeded intents for each order.
    pub(crate) fn charged(&self) -> BTreeMap<&str, usize> {
        let mut charged = BTreeMap::new();
        for order in self.intents.iter().filter(|it| it["status"] == "succeeded").filter_map(order_of) {
            *charged.entry(order).or_default() += 1;
        }
        charged
    }
}

fn order_of(intent: &Value) -> Option<&str> {
    intent["metadata"]["order_id"].as_str()
}

impl Customer {
    /// Reads from the shop.
    async fn shop(&self, path: &str) -> Value {
        let read = self.ask(Method::GET, path, None, None).await;
        assert_eq!(read.status, 200, "{path}: {read:?}");
        read.body["data"].clone()
    }
}
