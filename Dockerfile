# One image for all roles: the command selects one (serve, worker, migrate, …). It also contains `drill`, for `drill
# receiver`, which shows delivered alerts.
#
#     docker build --build-arg REVISION="$(git rev-parse HEAD)" --tag glasshouse .
#
# A release is optimized for a load that it ran under, which takes several times as long to build (scripts/train):
#
#     docker build --build-arg PROGRAMS=trained …

# The stage whose programs are in the image: built or trained.
ARG PROGRAMS=built

# --- Build: dependencies are a separate layer, which is rebuilt only when a manifest or the lock file changes.
FROM rust:1.95.0-bookworm AS chef
RUN cargo install --locked cargo-chef@0.1.78
WORKDIR /build

# The recipe contains the manifests and the lock file, and no source.
FROM chef AS plan
COPY . .
RUN cargo chef prepare --recipe-path recipe.json

FROM chef AS built
COPY --from=plan /build/recipe.json .
RUN cargo chef cook --release --locked --bin glasshouse --bin drill --recipe-path recipe.json
COPY . .
# The metric build_info has the commit as a label.
ARG REVISION=unknown
RUN GLASSHOUSE_COMMIT="${REVISION}" cargo build --release --locked --bin glasshouse --bin drill \
    && install -D --target-directory=/programs target/release/glasshouse target/release/drill

FROM chef AS trained
COPY . .
# Installs Postgres and Redis for the load.
RUN scripts/train
ARG REVISION=unknown
RUN GLASSHOUSE_COMMIT="${REVISION}" cargo pgo optimize build -- --locked --bin glasshouse --bin drill \
    && install -D --target-directory=/programs target/*-linux-gnu/release/glasshouse target/*-linux-gnu/release/drill

FROM ${PROGRAMS} AS programs

# --- Run: the C runtime, CA certificates and time zones; no shell, no package manager.
# Pinned by digest, because these images have no dated tags. Debian 13, because the images of Debian 12 are no longer
# updated; a newer C library than the builder's is compatible.
# There is no shell and no curl, so the health check is `glasshouse check-health`. It is declared where the container is
# started, because one-shot roles have no health to check.
FROM gcr.io/distroless/cc-debian13:nonroot@sha256:e792ab3d241a468a4fd7519ddbbebe66b49b5f365771716ea688ad40b6c6f1c2
COPY --from=programs /programs/ /usr/local/bin/

# Numeric, because Kubernetes' runAsNonRoot cannot check a name. This is `nonroot` of distroless.
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/glasshouse"]
CMD ["serve"]

ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Glasshouse" \
      org.opencontainers.image.description="A multi-tenant SaaS backend that is instrumented end to end" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="gcr.io/distroless/cc-debian13:nonroot"
