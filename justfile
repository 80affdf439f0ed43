# Every recipe can be pasted into a shell; `just` itself is not needed.

# Runs everything on this machine, with a stand-in for Stripe.
dev *ARGS:
    cargo run -- dev {{ARGS}}

# Runs all tests, and installs the programs they need where it may.
test:
    scripts/test

# Runs all checks that every change must pass, on a clean checkout.
ci:
    bash .ci/run

# Runs the formatter and the lints as in CI.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings

# Tries to lose money for ten minutes: a simulated world, one run for each seed (docs/proof.md).
simulate *ARGS:
    cargo run --profile simulate -p paywright-simulator -- --seeds 1000000000 --minutes 10 {{ARGS}}

# Removes one guard at a time and checks that the simulator notices. Takes about an hour.
mutants *ARGS:
    cargo run --profile simulate -p paywright-simulator -- mutants {{ARGS}}

# Builds target/debian/paywright_VERSION_ARCH.deb (docs/operations.md, "Packages"). With `--check` it also installs and runs
# it in an empty root. Needs dpkg-dev; takes ten minutes.
deb *ARGS:
    scripts/build-deb {{ARGS}}

# Benchmarks decisions, Stripe forms, and the built program under load. Figures go to docs/performance.md.
bench:
    cargo bench -p paywright-domain --bench domain
    cargo bench -p paywright-payments-stripe --bench form
    cargo bench -p paywright --bench load

# Compares the service with PostgreSQL's pgbench on the same statements. Needs PostgreSQL's server programs; takes about
# ten minutes.
bench-postgres:
    cargo bench -p paywright --bench postgres

# Measures what the feed costs a commit, how soon an event is in it, and how fast webhooks are delivered. Needs
# PostgreSQL's server programs; takes about three minutes.
bench-feed:
    cargo bench -p paywright --bench feed

# Measures statements over a million balance transactions, the reading back of a past, and commits of the books. Needs
# PostgreSQL's server programs; takes about ten minutes.
bench-books:
    cargo bench -p paywright --bench books

# Causes failures around the built program under load, and compares what callers were told with what is stored: all
# drills in about fifteen minutes, or the named ones. `--list` lists them (docs/proof.md). Needs PostgreSQL's server
# programs; some drills need root (mount) or libfaketime, and are skipped without.
drills *ARGS:
    cargo bench --profile dev -p paywright --bench drills -- {{ARGS}}
