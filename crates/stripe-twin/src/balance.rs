//! The account's balances: their movements and their sums.

use serde_json::{Value, json};

use crate::calls::Sent;
use crate::error::Refusal;
use crate::kinds::{Kind, Spec, param};
use crate::lists::{is, is_created, page};
use crate::objects::{BalanceTransaction, set};
use crate::state::Twin;

pub(crate) const FILTERS: &[Spec] = &[
    param("currency", Kind::Text(3)),
    param("payout", Kind::Id),
    param("source", Kind::Id),
    param("type", Kind::Text(5000)),
];
pub(crate) const MOVEMENT: &[Spec] = &[
    param("amount", Kind::Int),
    param("currency", Kind::Text(3)),
    param("fee", Kind::Int),
    param("type", Kind::Text(100)),
    param("reporting_category", Kind::Text(100)),
    param("description", Kind::Text(5000)),
    param("source", Kind::Id),
    param("payout", Kind::Text(255)),
    param("balance_type", Kind::Word(BALANCES)),
    param("created", Kind::Int),
];
pub(crate) const TAMPERING: &[Spec] = &[param("deleted", Kind::Bool), param("net", Kind::Int)];

/// Ordinary balance, which payments, refunds, disputes and payouts move.
const PAYMENTS: &str = "payments";
/// Balances that a movement may be of, the ordinary one first.
pub(crate) const BALANCES: &[&str] = &[PAYMENTS, "issuing", "refund_and_dispute_prefunding", "risk_reserved"];

impl Twin {
    /// Movement of the balance by an amount of a payment, a refund or a dispute, in the currency in which the account is
    /// settled.
    pub(crate) fn movement(&self, id: String, kind: &str, amount: i64, currency: &str, now: i64) -> BalanceTransaction {
        let (amount, currency, rate) = self.account.settle(amount, currency);
        BalanceTransaction { rate, ..BalanceTransaction::new(id, kind, amount, &currency, now) }
    }

    /// Amount of a currency that can be paid out at `now`.
    pub(crate) fn available(&self, currency: &str, now: i64) -> i64 {
        self.available_of(PAYMENTS, currency, now)
    }

    pub(crate) fn available_of(&self, balance: &str, currency: &str, now: i64) -> i64 {
        let is_available = |it: &&BalanceTransaction| it.is_of(balance, currency) && it.available_on <= now;
        let of_it = self.balance_transactions.iter().filter(is_available);
        of_it.map(BalanceTransaction::net).sum::<i64>() + self.removed(balance, currency)
    }

    pub(crate) fn pending_of(&self, balance: &str, currency: &str, now: i64) -> i64 {
        let is_pending = |it: &&BalanceTransaction| it.is_of(balance, currency) && it.available_on > now;
        self.balance_transactions.iter().filter(is_pending).map(BalanceTransaction::net).sum()
    }

    /// Amount that rows removed because of their number have moved.
    pub(crate) fn removed(&self, balance: &str, currency: &str) -> i64 {
        self.account.removed.get(&removed_key(balance, currency)).copied().unwrap_or(0)
    }

    /// `GET /v1/balance`.
    pub(crate) fn show_balance(&self, sent: &Sent<'_>) -> Value {
        let of = |amount: i64, currency: &str| json!({ "amount": amount, "currency": currency, "source_types": { "card": amount } });
        let sums = |balance: &str, sum: &dyn Fn(&str) -> i64| {
            let currencies = self.currencies(balance);
            Value::Array(currencies.iter().map(|it| of(sum(it), it)).collect())
        };
        let available = |balance: &str| sums(balance, &|currency| self.available_of(balance, currency, sent.now));
        let pending = |balance: &str| sums(balance, &|currency| self.pending_of(balance, currency, sent.now));
        let mut shown = json!({
            "object": "balance",
            "available": available(PAYMENTS),
            "livemode": false,
            "pending": pending(PAYMENTS),
        });
        // Stripe's object has no field for the balance `risk_reserved`, and none for what is pending of `issuing`.
        let (issuing, prefunding) = ("issuing", "refund_and_dispute_prefunding");
        if !self.currencies(issuing).is_empty() {
            set(&mut shown, issuing, json!({ "available": available(issuing) }));
        }
        if !self.currencies(prefunding).is_empty() {
            let both = json!({ "available": available(prefunding), "pending": pending(prefunding) });
            set(&mut shown, prefunding, both);
        }
        shown
    }

    /// Currencies in which a balance has or had movements; for the ordinary one, US dollars if there are none yet.
    pub(crate) fn currencies(&self, balance: &str) -> Vec<String> {
        let of_rows = self.balance_transactions.iter().filter(|it| it.balance == balance).map(|it| it.currency.clone());
        let removed = self.account.removed.keys().filter_map(|key| {
            let currency = key.split(' ').next()?;
            (removed_key(balance, currency) == *key).then(|| currency.to_owned())
        });
        let mut all: Vec<String> = of_rows.chain(removed).collect();
        all.sort_unstable();
        all.dedup();
        if all.is_empty() && balance == PAYMENTS { vec!["usd".to_owned()] } else { all }
    }

    pub(crate) fn list_transactions(&self, sent: &Sent<'_>) -> Result<Value, Refusal> {
        let params = sent.params;
        let payout = params.text("payout").and_then(|it| self.payouts.get(it));
        if payout.is_some_and(|it| !it.automatic) {
            let message = "Only the balance transactions of an automatic payout can be listed.";
            return Err(Refusal::invalid("payout", message));
        }
        let is_of_payout =
            |row: &BalanceTransaction| payout.is_none_or(|it| it.is_reconciled && row.payout.as_ref() == Some(&it.id));
        let wanted = |it: &BalanceTransaction| {
            is(params, "source", it.source.as_deref().unwrap_or_default())
                && is(params, "type", &it.kind)
                && is(params, "currency", &it.currency)
                && is_created(it.created, params)
                && is_of_payout(it)
        };
        let (noun, url) = ("balance transaction", "/v1/balance_transactions");
        page(url, noun, &self.balance_transactions, params, wanted, |it| it.to_json(sent.now))
    }

    pub(crate) fn retrieve_transaction(&self, sent: &Sent<'_>) -> Result<Value, Refusal> {
        let found = self.balance_transactions.get(sent.id).map(|it| it.to_json(sent.now));
        found.ok_or_else(|| Refusal::no_such("balance transaction", sent.id))
    }

    /// Adds a movement of any kind. Stripe has no such call.
    pub(crate) fn add_movement(&mut self, sent: &Sent<'_>) -> Result<Value, Refusal> {
        let params = sent.params;
        let currency = params.required("currency")?.to_lowercase();
        params.required("amount")?;
        let amount = params.int("amount").unwrap_or(0);
        let id = self.draw("txn_");
        let kind = params.text("type").unwrap_or("adjustment");
        let row = BalanceTransaction::new(id, kind, amount, &currency, params.int("created").unwrap_or(sent.now));
        let category = params.owned("reporting_category");
        let row = BalanceTransaction {
            category: category.or_else(|| (kind == "adjustment").then(|| "other_adjustment".to_owned())),
            fee: params.int("fee").unwrap_or(0),
            description: params.owned("description"),
            source: params.owned("source"),
            payout: params.owned("payout"),
            balance: params.text("balance_type").unwrap_or(PAYMENTS).to_owned(),
            ..row
        };
        let json = row.to_json(sent.now);
        self.book(row);
        self.check_at(sent.now);
        Ok(json)
    }

    /// Falsifies a movement, or deletes it, to test a program that keeps books. A changed fee leaves the parts of the fee
    /// as they were; a changed net amount leaves the amount and the fee. Stripe has no such call.
    pub(crate) fn tamper(&mut self, sent: &Sent<'_>) -> Result<Value, Refusal> {
        let (id, params) = (sent.id, sent.params);
        let missing = || Refusal::no_such("balance transaction", id);
        if params.flag("deleted") {
            self.balance_transactions.remove(id).ok_or_else(missing)?;
            return Ok(json!({ "id": id, "object": "balance_transaction", "deleted": true }));
        }
        let row = self.balance_transactions.get_mut(id).ok_or_else(missing)?;
        if let Some(fee) = params.int("fee") {
            row.sum_of_fees = Some(row.sum_of_fees.unwrap_or(row.fee));
            row.fee = fee;
        }
        row.amount = params.int("amount").unwrap_or(row.amount);
        row.false_net = params.int("net").or(row.false_net);
        row.created = params.int("created").unwrap_or(row.created);
        if let Some(balance) = params.text("balance_type") {
            balance.clone_into(&mut row.balance);
        }
        if let Some(currency) = params.text("currency") {
            row.currency = currency.to_lowercase();
        }
        if let Some(kind) = params.text("type") {
            kind.clone_into(&mut row.kind);
        }
        params.replace("reporting_category", &mut row.category);
        params.replace("description", &mut row.description);
        params.replace("source", &mut row.source);
        params.replace("payout", &mut row.payout);
        Ok(row.to_json(sent.now))
    }
}

/// Key of what was removed of a balance in a currency. It is the currency for the ordinary balance, which was the only
/// one.
pub(crate) fn removed_key(balance: &str, currency: &str) -> String {
    if balance == PAYMENTS { currency.to_owned() } else { format!("{currency} {balance}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::DAY;
    use crate::request::Method;
    use crate::twin::tests::{NOW, post, request};

    fn read(twin: &mut Twin, path: &str, query: &str, now: i64) -> Value {
        let answer = twin.handle(&request(Method::Get, path, query), now).0;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body["error"].is_null().then(|| serde_json::from_str(&answer.body.to_string()).unwrap()).unwrap()
    }

    fn pay(twin: &mut Twin, amount: i64, card: &str, currency: &str) -> String {
        let form = format!("amount={amount}&currency={currency}&confirm=true&payment_method={card}");
        post(twin, "/v1/payment_intents", &form).body["id"].as_str().unwrap().to_owned()
    }

    fn lines(summary: &Value, name: &str) -> Vec<(String, [i64; 4])> {
        let numbers = |it: &Value| ["count", "gross", "fee", "net"].map(|name| it[name].as_i64().unwrap());
        let line = |it: &Value| (it["reporting_category"].as_str().unwrap().to_owned(), numbers(it));
        summary[name].as_array().unwrap().iter().map(line).collect()
    }

    /// Three payments, a refund, one that fails, and a lost dispute; then everything is paid out.
    #[test]
    fn a_report_has_the_sums_of_each_category() {
        let mut twin = Twin::default();
        post(&mut twin, "/_twin/account", "payouts=daily");
        let first = pay(&mut twin, 12_450, "pm_card_visa", "usd");
        let second = pay(&mut twin, 1_000, "pm_card_refundFail", "usd");
        pay(&mut twin, 2_000, "pm_card_createDispute", "usd");
        post(&mut twin, "/v1/refunds", &format!("payment_intent={first}&amount=1250"));
        post(&mut twin, "/v1/refunds", &format!("payment_intent={second}"));
        let dispute = twin.disputes.iter().next().unwrap().id.clone();
        post(&mut twin, &format!("/_twin/disputes/{dispute}/close"), "outcome=lost");
        let report = read(&mut twin, "/_twin/report", "", NOW);
        let usd = &report["currencies"][0];
        let line = |name: &str, numbers: [i64; 4]| (name.to_owned(), numbers);
        assert_eq!(
            lines(usd, "activity_by_category"),
            [
                line("charge", [3, 15_450, 538, 14_912]),
                line("dispute", [1, -2_000, 1_500, -3_500]),
                line("refund", [2, -2_250, 0, -2_250]),
                line("refund_failure", [1, 1_000, 0, 1_000]),
            ]
        );
        assert_eq!((&usd["activity"], &usd["ending_balance"]), (&json!(10_162), &json!(10_162)));
        let balance = read(&mut twin, "/v1/balance", "", NOW);
        assert_eq!(balance["available"][0]["amount"], -4_750, "refunds and disputes are taken at once");
        assert_eq!(balance["pending"][0]["amount"], 14_912);

        let later = read(&mut twin, "/_twin/report", "", NOW + 3 * DAY);
        let usd = &later["currencies"][0];
        assert_eq!(lines(usd, "payouts_by_category"), [line("payout", [1, -10_162, 0, -10_162])]);
        assert_eq!(usd["ending_balance"], 0);
        let next = read(&mut twin, "/_twin/report", &format!("interval_start={}", NOW + 1), NOW + 3 * DAY);
        assert_eq!(next["currencies"][0]["starting_balance"], 10_162);
    }

    #[test]
    fn a_payment_in_another_currency_is_settled_at_the_rate_of_the_account() {
        let mut twin = Twin::default();
        let set = post(&mut twin, "/_twin/account", "settlement_currency=usd&exchange_rates[eur]=1.0837");
        assert_eq!(set.body["exchange_rates"]["eur"], 1.0837);
        let paid = pay(&mut twin, 10_000, "pm_card_visa", "eur");
        post(&mut twin, "/v1/refunds", &format!("payment_intent={paid}&amount=5000"));
        let list = read(&mut twin, "/v1/balance_transactions", "", NOW);
        let row = |at: usize| {
            let row = &list["data"][at];
            (row["currency"].clone(), row["amount"].clone(), row["fee"].clone(), row["exchange_rate"].clone())
        };
        assert_eq!(row(1), (json!("usd"), json!(10_837), json!(344), json!(1.0837)));
        assert_eq!(row(0), (json!("usd"), json!(-5_419), json!(0), json!(1.0837)), "rounded half away from zero");
        let refused = post(&mut twin, "/_twin/account", "exchange_rates[eur]=x");
        assert_eq!((refused.status, &refused.body["error"]["param"]), (400, &json!("exchange_rates[eur]")));
    }

    #[test]
    fn countering_a_dispute_has_a_fee_that_is_refunded_when_it_is_won() {
        let mut twin = Twin::default();
        pay(&mut twin, 2_000, "pm_card_createDispute", "usd");
        let path = format!("/v1/disputes/{}", twin.disputes.iter().next().unwrap().id);
        post(&mut twin, &path, "evidence[service_date]=today");
        post(&mut twin, &path, "evidence[uncategorized_text]=winning_evidence");
        let fees = read(&mut twin, "/v1/balance_transactions", "type=stripe_fee", NOW);
        let shown: Vec<_> = fees["data"].as_array().unwrap().iter().map(|it| it["amount"].clone()).collect();
        assert_eq!(shown, [1_500, -1_500]);
        assert_eq!((&fees["data"][1]["reporting_category"], &fees["data"][1]["source"]), (&json!("fee"), &json!(null)));
    }

    #[test]
    fn a_movement_is_added_falsified_and_deleted() {
        let mut twin = Twin::default();
        let form = "amount=-700&currency=usd&reporting_category=climate_order_purchase&type=climate_order_purchase";
        let row = post(&mut twin, "/_twin/balance_transactions", form).body;
        assert_eq!((&row["net"], &row["reporting_category"]), (&json!(-700), &json!("climate_order_purchase")));
        pay(&mut twin, 12_450, "pm_card_visa", "usd");
        let charge = read(&mut twin, "/v1/balance_transactions", "type=charge", NOW)["data"][0].clone();
        let path = format!("/_twin/balance_transactions/{}", charge["id"].as_str().unwrap());
        let wrong = post(&mut twin, &path, "fee=392").body;
        assert_eq!(
            (&wrong["fee"], &wrong["net"], &wrong["fee_details"][0]["amount"]),
            (&json!(392), &json!(12_058), &json!(391))
        );
        assert_eq!(post(&mut twin, &path, "deleted=true").body["deleted"], true);
        assert_eq!(post(&mut twin, &path, "fee=392").status, 404);
        let balance = read(&mut twin, "/v1/balance", "", NOW);
        assert_eq!((&balance["available"][0]["amount"], &balance["pending"][0]["amount"]), (&json!(-700), &json!(0)));
    }

    fn authorized(twin: &mut Twin, amount: i64, currency: &str, more: &str) -> String {
        let form = format!(
            "amount={amount}&currency={currency}&confirm=true&payment_method=pm_card_visa&capture_method=manual&{more}"
        );
        post(twin, "/v1/payment_intents", &form).body["id"].as_str().unwrap().to_owned()
    }

    /// Amounts, fees, categories and types of all rows, the oldest first.
    fn rows(twin: &mut Twin) -> Vec<(i64, i64, String, String)> {
        let list = read(twin, "/v1/balance_transactions", "limit=100", NOW);
        let text = |it: &Value, name: &str| it[name].as_str().unwrap().to_owned();
        let row = |it: &Value| {
            assert_eq!(it["net"].as_i64(), Some(it["amount"].as_i64().unwrap() - it["fee"].as_i64().unwrap()));
            let [amount, fee] = ["amount", "fee"].map(|name| it[name].as_i64().unwrap());
            (amount, fee, text(it, "reporting_category"), text(it, "type"))
        };
        list["data"].as_array().unwrap().iter().rev().map(row).collect()
    }

    #[test]
    fn a_partial_capture_has_one_row_or_the_older_pair() {
        let row = |amount, fee, category: &str, kind: &str| (amount, fee, category.to_owned(), kind.to_owned());
        let charge = |amount, fee| row(amount, fee, "charge", "charge");
        let reversal = |amount, fee| row(amount, fee, "partial_capture_reversal", "refund");
        for (setting, currency, captured, expected) in [
            ("partial_capture_rows=one", "usd", 4_000, vec![charge(4_000, 146)]),
            ("partial_capture_rows=two", "usd", 4_000, vec![charge(10_000, 320), reversal(-6_000, -174)]),
            ("partial_capture_rows=two", "usd", 10_000, vec![charge(10_000, 320)]),
            (
                "partial_capture_rows=two&settlement_currency=usd&exchange_rates[eur]=1.0837",
                "eur",
                4_000,
                vec![charge(10_837, 344), reversal(-6_502, -189)],
            ),
        ] {
            let mut twin = Twin::default();
            let set = post(&mut twin, "/_twin/account", setting).body;
            assert!(setting.ends_with(set["partial_capture_rows"].as_str().unwrap()) || currency == "eur");
            let intent = authorized(&mut twin, 10_000, currency, "");
            let form = format!("amount_to_capture={captured}");
            let answer = post(&mut twin, &format!("/v1/payment_intents/{intent}/capture"), &form).body;
            assert_eq!((&answer["status"], &answer["amount_received"]), (&json!("succeeded"), &json!(captured)));
            assert_eq!(rows(&mut twin), expected, "{setting} {captured}");
            let list = read(&mut twin, "/v1/balance_transactions", "expand[]=data.source", NOW);
            for row in list["data"].as_array().unwrap() {
                assert_eq!(
                    (&row["source"]["object"], &row["source"]["amount_refunded"]),
                    (&json!("charge"), &json!(0))
                );
                assert_eq!(row["available_on"], NOW + 2 * DAY);
            }
        }
    }

    #[test]
    fn a_capture_in_parts_has_a_row_for_each_part() {
        let mut twin = Twin::default();
        post(&mut twin, "/_twin/account", "partial_capture_rows=two");
        let more = "payment_method_options[card][request_multicapture]=if_available";
        let path = format!("/v1/payment_intents/{}/capture", authorized(&mut twin, 10_000, "usd", more));
        post(&mut twin, &path, "amount_to_capture=3000&final_capture=false");
        post(&mut twin, &path, "amount_to_capture=1000");
        let amounts: Vec<_> = rows(&mut twin).into_iter().map(|(amount, ..)| amount).collect();
        assert_eq!(amounts, [3_000, 1_000]);
    }

    #[test]
    fn each_balance_is_shown_where_stripe_shows_it_and_only_the_ordinary_one_is_paid_out() {
        let mut twin = Twin::default();
        post(&mut twin, "/_twin/account", "payouts=daily");
        let plain = read(&mut twin, "/v1/balance", "", NOW);
        assert!(plain["issuing"].is_null() && plain["refund_and_dispute_prefunding"].is_null());
        for (amount, balance) in
            [(1_000, "payments"), (700, "issuing"), (100, "refund_and_dispute_prefunding"), (50, "risk_reserved")]
        {
            let form = format!("amount={amount}&currency=usd&balance_type={balance}");
            assert_eq!(post(&mut twin, "/_twin/balance_transactions", &form).body["balance_type"], balance);
        }
        assert_eq!(post(&mut twin, "/_twin/balance_transactions", "amount=1&currency=usd&balance_type=x").status, 400);
        let balance = read(&mut twin, "/v1/balance", "", NOW);
        let amount = |pointer: &str| balance.pointer(pointer).and_then(Value::as_i64);
        assert_eq!(amount("/available/0/amount"), Some(1_000));
        assert_eq!(amount("/issuing/available/0/amount"), Some(700));
        assert_eq!(amount("/refund_and_dispute_prefunding/available/0/amount"), Some(100));
        assert_eq!(amount("/refund_and_dispute_prefunding/pending/0/amount"), Some(0));
        let later = NOW + 3 * DAY;
        assert_eq!(read(&mut twin, "/v1/payouts", "", later)["data"][0]["amount"], 1_000);
        let report = read(&mut twin, "/_twin/report", "", later);
        let closing = |it: &Value| (it["balance_type"].as_str().unwrap().to_owned(), it["ending_balance"].clone());
        let closings: Vec<_> = report["currencies"].as_array().unwrap().iter().map(closing).collect();
        let of = |name: &str, amount: i64| (name.to_owned(), json!(amount));
        let others = [of("issuing", 700), of("refund_and_dispute_prefunding", 100), of("risk_reserved", 50)];
        assert_eq!(closings, [&[of("payments", 0)][..], &others].concat());
        twin.keep_newest(0);
        assert_eq!(read(&mut twin, "/v1/balance", "", later)["issuing"]["available"][0]["amount"], 700);
    }

    /// Each way in which Stripe's rows can differ from a shop's books.
    #[test]
    fn each_kind_of_break_can_be_made() {
        let mut twin = Twin::default();
        post(&mut twin, "/_twin/account", "payouts=daily");
        pay(&mut twin, 12_450, "pm_card_visa", "usd");
        let row = read(&mut twin, "/v1/balance_transactions", "", NOW)["data"][0].clone();
        let (id, source) = (row["id"].as_str().unwrap().to_owned(), row["source"].as_str().unwrap().to_owned());
        let path = format!("/_twin/balance_transactions/{id}");
        let numbers = |it: &Value| {
            let parts: i64 =
                it["fee_details"].as_array().unwrap().iter().map(|it| it["amount"].as_i64().unwrap()).sum();
            let [amount, fee, net] = ["amount", "fee", "net"].map(|name| it[name].as_i64().unwrap());
            [amount, fee, net, parts]
        };
        // A fee that its parts do not add up to, also of a row with no fee or no parts; a wrong net amount.
        assert_eq!(numbers(&post(&mut twin, &path, "fee=392").body), [12_450, 392, 12_058, 391]);
        assert_eq!(numbers(&post(&mut twin, &path, "fee=0").body), [12_450, 0, 12_450, 391]);
        assert_eq!(numbers(&post(&mut twin, &path, "fee=391").body), [12_450, 391, 12_059, 391]);
        assert_eq!(numbers(&post(&mut twin, &path, "net=12060").body), [12_450, 391, 12_060, 391]);
        assert_eq!(read(&mut twin, "/v1/balance", "", NOW)["pending"][0]["amount"], 12_060);
        assert_eq!(numbers(&post(&mut twin, &path, "net=12059&amount=12451").body), [12_451, 391, 12_059, 391]);
        let add = |twin: &mut Twin, form: &str| post(twin, "/_twin/balance_transactions", form).body;
        let free = add(&mut twin, "amount=-500&currency=usd&type=refund")["id"].as_str().unwrap().to_owned();
        let wrong = post(&mut twin, &format!("/_twin/balance_transactions/{free}"), "fee=1").body;
        assert_eq!(numbers(&wrong), [-500, 1, -501, 0]);
        // A row twice, and one that appears late.
        let form = format!("amount=12450&fee=391&currency=usd&type=charge&source={source}&created={}", NOW - DAY);
        let twice = add(&mut twin, &form);
        assert_eq!((numbers(&twice), &twice["source"]), ([12_450, 391, 12_059, 391], &json!(source)));
        let listed = read(&mut twin, "/v1/balance_transactions", &format!("created[lt]={NOW}"), NOW);
        assert_eq!(listed["data"][0]["id"], twice["id"]);
        // A stray row in a payout, and one that is missing in it.
        let later = NOW + 4 * DAY;
        let payout = read(&mut twin, "/v1/payouts", "", later)["data"][0].clone();
        let of_payout = format!("payout={}", payout["id"].as_str().unwrap());
        let sum = |twin: &mut Twin| {
            let rows = read(twin, "/v1/balance_transactions", &of_payout, later);
            rows["data"].as_array().unwrap().iter().map(|it| it["net"].as_i64().unwrap()).sum::<i64>()
        };
        assert_eq!(sum(&mut twin), 0);
        let stray = add(&mut twin, &format!("amount=1&currency=usd&{of_payout}"))["id"].as_str().unwrap().to_owned();
        assert_eq!(sum(&mut twin), 1);
        post(&mut twin, &format!("/_twin/balance_transactions/{stray}"), "payout=");
        assert_eq!(post(&mut twin, &path, "deleted=true").body["deleted"], true);
        assert_eq!(sum(&mut twin), -12_059);
    }

    #[test]
    fn movements_that_are_removed_for_their_number_stay_on_the_balance() {
        let mut twin = Twin::default();
        let mut expected = 0;
        for amount in 500..600 {
            pay(&mut twin, amount, "pm_card_visa", "usd");
            expected += amount - (amount * 29 / 1000 + 30);
            twin.keep_newest(3);
        }
        let balance = read(&mut twin, "/v1/balance", "", NOW + 3 * DAY);
        assert_eq!(balance["available"][0]["amount"], expected);
        assert!(twin.balance_transactions.len() <= 30);
    }
}
