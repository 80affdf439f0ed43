//! A load on the built program with SQLite: `serve` beside a `twin`.
//!
//! Each row is compared with a floor of the same run: `GET /healthz`, whose cost is HTTP alone. Figures of different
//! machines cannot be compared, the ratios to the floor can.
#![expect(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::float_arithmetic,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::indexing_slicing,
    reason = "a benchmark prints ratios, and one that cannot run fails; not every one uses all of the rig"
)]

mod rig;

use std::sync::Arc;
use std::time::Duration;

use rig::{ORDER, Row, Running, Server, Shop};

fn main() {
    rig::run(benchmark(rig::seconds_a_row()));
}

async fn benchmark(seconds: u64) {
    let twin = Running::twin(0);
    let shop = Shop::open("sqlite:orders.db", &twin.address, "");
    let mut starts: Vec<(Duration, f64)> = (0..5)
        .map(|_| {
            let (server, ready_after) = shop.serve();
            std::thread::sleep(Duration::from_millis(300));
            (ready_after, server.resident().0)
        })
        .collect();
    starts.sort_by_key(|it| it.0);
    let (ready, idle) = starts[2];
    println!(
        "start to first connection, median of 5: {:.0} ms; resident when idle: {idle:.1} MB",
        ready.as_secs_f64() * 1000.0
    );
    println!(
        "{:<34} {:>5} {:>9} {:>8} {:>8} {:>9} {:>9}",
        "row", "conns", "req/s", "p50 ms", "p99 ms", "cpu us", "of floor"
    );
    let server = Arc::new(shop.serve().0);
    for connections in [1, 16, 64] {
        let health = |it: &Server, _| Some(it.request("GET", "/healthz", "", ""));
        let floor = server.load(connections, seconds, 200, health).await;
        let print = |name: &str, row: &Row| {
            println!(
                "{name:<34} {connections:>5} {:>9.0} {:>8.2} {:>8.2} {:>9.0} {:>9.2}",
                row.rate,
                row.p50,
                row.p99,
                row.cpu,
                row.rate / floor.rate
            );
        };
        print("floor: GET /healthz", &floor);
        let place = |it: &Server, _| Some(it.request("POST", "/api/v1/shop/orders", "", ORDER));
        let placed = server.load(connections, seconds, 201, place).await;
        print("POST /orders, durable", &placed);
        let numbers = Arc::new(placed.numbers());
        let read = {
            let numbers = Arc::clone(&numbers);
            move |it: &Server, n: u64| {
                let number = &numbers[usize::try_from(n).unwrap() % numbers.len()];
                Some(it.request("GET", &format!("/api/v1/shop/orders/{number}"), "", ""))
            }
        };
        print("GET /orders/{number}", &server.load(connections, seconds, 200, read).await);
        let intent = move |it: &Server, n: u64| {
            let number = numbers.get(usize::try_from(n).unwrap())?;
            Some(it.request("POST", &format!("/api/v1/shop/orders/{number}/payment-intent"), "", ""))
        };
        print("POST payment-intent, twin at 0 ms", &server.load(connections, seconds, 200, intent).await);
    }
    println!("resident after all: {:.1} MB", server.resident().0);
}
