# One image for every role: the command after the entry point says which (serve, worker, migrate, …). It also has
# `drill`, whose `receiver` shows delivered alerts.
#
#     docker build --build-arg REVISION="$(git rev-parse HEAD)" --tag glasshouse .

# --- Build: the dependencies have a layer of their own, rebuilt only when a manifest or the lock changes.
FROM rust:1.95.0-bookworm AS chef
RUN cargo install --locked cargo-chef@0.1.78
WORKDIR /build

# The recipe is what the manifests and the lock file say, without any of our source.
FROM chef AS plan
COPY . .
RUN cargo chef prepare --recipe-path recipe.json

FROM chef AS build
COPY --from=plan /build/recipe.json .
RUN cargo chef cook --release --locked --bin glasshouse --bin drill --recipe-path recipe.json
COPY . .
# The metric build_info tells the commit.
ARG REVISION=unknown
RUN GLASSHOUSE_COMMIT="${REVISION}" cargo build --release --locked --bin glasshouse --bin drill

# --- Run: the C runtime, CA certificates, time zones and nothing else: no shell, no package manager.
# The digest pins it, as these images have no dated tags. Debian 13, because Debian 12's are no longer
# updated; its C library is newer than the builder's, which is the direction that works.
# Without a shell or curl, a health check is the binary itself: `glasshouse check-health`. It is declared
# where the container is started, because the one-shot roles have no health to check.
FROM gcr.io/distroless/cc-debian13:nonroot@sha256:e792ab3d241a468a4fd7519ddbbebe66b49b5f365771716ea688ad40b6c6f1c2
COPY --from=build /build/target/release/glasshouse /build/target/release/drill /usr/local/bin/

# A number, as Kubernetes cannot tell whether a name is root. This is distroless's `nonroot`.
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/glasshouse"]
CMD ["serve"]

ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Glasshouse" \
      org.opencontainers.image.description="A multi-tenant SaaS backend whose inside can be seen from outside" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="gcr.io/distroless/cc-debian13:nonroot"
