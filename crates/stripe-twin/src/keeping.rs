//! Removal of old objects, so that a twin that runs for days does not grow without bound.

use crate::balance::removed_key;
use crate::collection::{Collection, Stored};
use crate::state::Twin;

/// Charges, refunds, disputes or balance transactions that are kept for each intent that is, on average.
const PER_INTENT: usize = 10;

impl Twin {
    /// Keeps at most the newest `most` objects of each kind, events and saved answers.
    ///
    /// Of charges, refunds, disputes and balance transactions, of which an intent may have several, ten times as many are
    /// kept. An intent is removed together with its charges, refunds, disputes and balance transactions, so that money that
    /// is shown adds up. A customer, payment method or SetupIntent is removed alone; an object that names it keeps the
    /// id, which then is not expanded and not found.
    pub fn keep_newest(&mut self, most: usize) {
        keep(&mut self.events, most);
        keep(&mut self.answers, most);
        keep(&mut self.customers, most);
        keep(&mut self.ephemeral_keys, most);
        keep(&mut self.payment_methods, most);
        keep(&mut self.setup_intents, most);
        keep(&mut self.payouts, most);
        while let Some(intent) = self.oldest_beyond(most) {
            // A payout or a fee belongs to no intent.
            let row = self.balance_transactions.iter().next().map(|it| it.id.clone()).filter(|_| intent.is_empty());
            match row {
                Some(row) => self.remove_row(&row),
                None => self.remove_intent(&intent),
            }
        }
    }

    /// Intent with the oldest object of a kind of which there are too many.
    fn oldest_beyond(&self, most: usize) -> Option<String> {
        fn oldest<T>(all: &Collection<T>, most: usize, intent: impl Fn(&T) -> &String) -> Option<String> {
            (all.len() > most).then(|| all.iter().next().map(intent).cloned()).flatten()
        }
        let of_intents = most.saturating_mul(PER_INTENT);
        oldest(&self.intents, most, |it| &it.id)
            .or_else(|| oldest(&self.charges, of_intents, |it| &it.intent))
            .or_else(|| oldest(&self.refunds, of_intents, |it| &it.intent))
            .or_else(|| oldest(&self.disputes, of_intents, |it| &it.intent))
            .or_else(|| oldest(&self.balance_transactions, of_intents, |it| &it.intent))
    }

    fn remove_intent(&mut self, id: &str) {
        self.intents.remove(id);
        remove(&mut self.charges, |it| it.intent == id);
        remove(&mut self.refunds, |it| it.intent == id);
        remove(&mut self.disputes, |it| it.intent == id);
        let rows = self.balance_transactions.iter().filter(|it| it.intent == id).map(|it| it.id.clone());
        for row in rows.collect::<Vec<_>>() {
            self.remove_row(&row);
        }
    }

    /// Removes a balance transaction; what it moved stays on the balance.
    fn remove_row(&mut self, id: &str) {
        if let Some(row) = self.balance_transactions.remove(id) {
            *self.account.removed.entry(removed_key(&row.balance, &row.currency)).or_default() += row.net();
        }
    }
}

fn keep<T: Stored>(all: &mut Collection<T>, most: usize) {
    while all.len() > most {
        all.remove_oldest();
    }
}

fn remove<T: Stored>(all: &mut Collection<T>, is_removed: impl Fn(&T) -> bool) {
    let gone: Vec<String> = all.iter().filter(|it| is_removed(it)).map(|it| it.id().to_owned()).collect();
    for id in gone {
        all.remove(&id);
    }
}

#[cfg(test)]
mod tests {
    use crate::request::Method;
    use crate::state::Twin;
    use crate::twin::tests::{NOW, post, request};

    #[test]
    fn only_the_newest_objects_are_kept_and_money_stays_whole() {
        let mut twin = Twin::default();
        let customer = post(&mut twin, "/v1/customers", "").body["id"].as_str().unwrap().to_owned();
        for amount in 500..520 {
            let form = format!("amount={amount}&currency=usd&confirm=true&payment_method=pm_card_visa");
            let paid = post(&mut twin, "/v1/payment_intents", &form).body["id"].as_str().unwrap().to_owned();
            post(&mut twin, "/v1/refunds", &format!("payment_intent={paid}&amount=100"));
            post(&mut twin, "/v1/customers", "");
            twin.keep_newest(10);
            let counts =
                [twin.intents.len(), twin.charges.len(), twin.refunds.len(), twin.customers.len(), twin.events.len()];
            assert!(counts.iter().all(|it| *it <= 10) && twin.balance_transactions.len() <= 20, "{counts:?}");
            assert!(twin.charges.iter().all(|it| twin.intents.get(&it.intent).is_some()));
            assert!(twin.refunds.iter().all(|it| twin.charges.get(&it.charge).is_some()));
            let known = |source: &str| twin.charges.get(source).is_some() || twin.refunds.get(source).is_some();
            assert!(twin.balance_transactions.iter().all(|it| it.source.as_deref().is_some_and(known)));
        }
        let gone = twin.handle(&request(Method::Get, &format!("/v1/customers/{customer}"), ""), NOW).0;
        assert_eq!(gone.status, 404);
    }
}
