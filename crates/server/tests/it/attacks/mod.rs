//! Attacks on the built program, each of limited size: `cargo nextest run -p paywright attacks::` prints the counts.

mod floods;
mod half_sent;
mod matrix;
mod mutated;
mod state;
mod strangers;
