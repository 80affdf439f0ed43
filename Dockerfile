# Builds the program, then keeps nothing but it: the image holds one binary, the certificates it trusts Stripe by,
# and a user who may do nothing else.
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
EXPOSE 8080
ENTRYPOINT ["paywright"]
CMD ["serve", "--bind", "0.0.0.0:8080", "--log", "json"]
