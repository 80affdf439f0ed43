# Every recipe is a line that can be pasted; `just` itself is not needed.

# Try everything on this machine.
dev *ARGS:
    cargo run -- dev {{ARGS}}

# All tests, with what they need.
test:
    scripts/test

# What every change must pass, on a clean checkout.
ci:
    bash .ci/run

# Lints as CI has them.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings

# Tries to lose money for ten minutes: a simulated world, one run for each seed (docs/proof.md).
simulate *ARGS:
    cargo run --profile simulate -p paywright-simulator -- --seeds 1000000000 --minutes 10 {{ARGS}}

# Takes away one guard at a time and looks for money lost. Takes an hour or so.
mutants *ARGS:
    cargo run --profile simulate -p paywright-simulator -- mutants {{ARGS}}

# Benchmarks: decisions, forms, and a load on the built program. Figures go to docs/performance.md.
bench:
    cargo bench -p paywright-domain --bench domain
    cargo bench -p paywright-payments-stripe --bench form
    cargo bench -p paywright --bench load

# How near the service comes to PostgreSQL's own pgbench on the same statements. Needs its server programs; takes some
# ten minutes.
bench-postgres:
    cargo bench -p paywright --bench postgres

# Fails everything around the built program, under load, and counts what callers were told against what is there: all
# drills in some fifteen minutes, or those named. `--list` says which there are (docs/proof.md). Needs the server
# programs of PostgreSQL; some need root (mount) or libfaketime, and are left out without.
drills *ARGS:
    cargo bench --profile dev -p paywright --bench drills -- {{ARGS}}
