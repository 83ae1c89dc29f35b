# The four images: docker build --target manager . and so on with runner, server and jobtable.
#
# The build runs on the builder's own platform and cross-compiles, so that no emulation is needed:
# docker buildx build --platform linux/amd64,linux/arm64 .

# A base image is named by its digest, so that what is built today is built tomorrow. The tag is for people.
FROM --platform=$BUILDPLATFORM golang:1.26.5@sha256:3aff6657219a4d9c14e27fb1d8976c49c29fddb70ba835014f477e1c70636647 AS build
WORKDIR /src

COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download

COPY . .
ARG VERSION=dev
ARG TARGETOS
ARG TARGETARCH
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -ldflags "-s -w -X main.version=$VERSION" -o /out/ ./cmd/manager ./cmd/runner ./cmd/server ./cmd/jobtable

# What reads the results of a test, in the test's own pod: one static program, which needs nothing beside it.
FROM scratch AS runner
COPY --from=build /out/runner /runner
USER 65532:65532
ENTRYPOINT ["/runner"]

# What keeps what runs said. Its data folder is a volume.
FROM scratch AS server
COPY --from=build /out/server /server
USER 65532:65532
ENTRYPOINT ["/server"]

# What makes the rows of an application's job table into runs.
FROM scratch AS jobtable
COPY --from=build /out/jobtable /jobtable
USER 65532:65532
ENTRYPOINT ["/jobtable"]

# The operator needs nothing beside it either: the API server's certificate comes with its ServiceAccount.
FROM scratch AS manager
COPY --from=build /out/manager /manager
USER 65532:65532
ENTRYPOINT ["/manager"]
