//! Attacks on the built program, each bounded: `cargo nextest run -p paywright attacks::` shows what was counted.

mod half_sent;
