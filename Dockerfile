# The image contains one binary, the CA certificates with which it verifies Stripe, and an unprivileged user.
FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked -p paywright && cp target/release/paywright /paywright

FROM debian:bookworm-slim
# hadolint ignore=DL3008 -- the newest certificates are the right ones
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /var/lib/paywright --create-home paywright
COPY --from=build /paywright /usr/local/bin/paywright
USER 10001
WORKDIR /var/lib/paywright
# Address on which `serve` listens and which `health` calls.
ENV PAYWRIGHT__HTTP__BIND=0.0.0.0:8080
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=6s --start-period=60s --retries=3 CMD ["paywright", "health"]
ENTRYPOINT ["paywright"]
CMD ["serve", "--log", "json"]
