//! Attacks on the built program, each bounded: `cargo nextest run -p paywright attacks::` shows what was counted.

mod floods;
mod half_sent;
mod matrix;
mod mutated;
mod state;
mod strangers;
