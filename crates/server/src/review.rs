//! `paywright review`: lists the orders that are held for review.

use paywright_domain::{Money, Order};

use crate::cli::ReviewOptions;
use crate::database::Schema;
use crate::settings::Settings;
use crate::{Failure, say};

/// Largest number of orders that are listed.
const ORDERS_MAX: u16 = 1000;

pub(crate) async fn run(options: ReviewOptions) -> Result<(), Failure> {
    let database = Settings::read(options.settings.config.as_deref())?.database()?;
    let stores = database.open(1, Schema::Check).await?;
    let held = stores.monitoring.orders_in_review(ORDERS_MAX).await?;
    for order in &held {
        lines(order).for_each(|it| say(&it));
    }
    if held.is_empty() {
        say("No order is held for review.");
    }
    if held.len() >= usize::from(ORDERS_MAX) {
        say(&format!("There may be more: the oldest {ORDERS_MAX} are listed."));
    }
    Ok(())
}

/// A line for each anomaly for which an order is held.
fn lines(order: &Order) -> impl Iterator<Item = String> {
    let (total, currency) = (order.total.to_decimal(), order.total.currency().code());
    order.anomalies_in_review().map(move |it| {
        let intent = it.intent.as_ref().map_or("-", |it| it.as_str());
        let money = |it: Money| format!("{} {}", it.to_decimal(), it.currency().code());
        let received = it.intent.as_ref().and_then(|id| order.intent(id)).map_or_else(String::new, |it| {
            let left = order.left_of(&it.id);
            let left = if left == it.received { String::new() } else { format!(", {} left", money(left)) };
            format!(", received {}{left}", money(it.received))
        });
        format!("{}  {}  {}  {intent}  due {total} {currency}{received}", it.found_at, order.number, it.kind.name())
    })
}

#[cfg(test)]
mod tests {
    use paywright_domain::anomaly::Policies;
    use paywright_domain::intent::IntentStatus;
    use paywright_domain::{IntentId, IntentSnapshot};
    use paywright_testkit::{at, place, request_intent, usd};

    use super::*;

    #[test]
    fn a_line_names_the_order_its_anomaly_and_the_amounts() {
        let placed = place(1).order;
        assert_eq!(lines(&placed).next(), None);
        let requested = request_intent(&placed, at(100)).order;
        let mut paid = IntentSnapshot::new(IntentId::new("pi_1").unwrap(), requested.id, requested.total, at(200));
        (paid.status, paid.received) = (IntentStatus::Succeeded, usd(4000));
        let held = requested.settle(&paid, &Policies::DEFAULT, at(200)).unwrap().order;
        let (number, total) = (&held.number, held.total.to_decimal());
        let line = format!("1970-01-01T00:03:20Z  {number}  amount_differs  pi_1  due {total} USD, received 40.00 USD");
        assert_eq!(lines(&held).map(|it| it.to_lowercase()).collect::<Vec<_>>(), [line.to_lowercase()]);
    }
}
