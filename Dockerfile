# Two stages: the second holds the binary, the certificates of the public
# authorities and two empty folders. No shell, no package manager, no root.
FROM golang:1.27.4 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=unknown
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false \
        -ldflags "-s -w -X main.version=$VERSION" -o /doorward ./cmd/doorward \
    && mkdir -p /empty/etc/doorward /empty/run/doorward /empty/var/lib/doorward

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
# The control socket and the state are written by the process itself, so their
# folders belong to it; its configuration does not.
COPY --from=build /empty/etc/doorward /etc/doorward
COPY --from=build --chown=65532:65532 /empty/run/doorward /run/doorward
COPY --from=build --chown=65532:65532 /empty/var/lib/doorward /var/lib/doorward
COPY --from=build /doorward /usr/bin/doorward
USER 65532:65532
VOLUME /var/lib/doorward
EXPOSE 80 443 443/udp
# SIGTERM drains: give the container longer than timeouts.drain (30s) before it
# is killed, `docker stop -t 40`.
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/bin/doorward"]
CMD ["run", "--config", "/etc/doorward/doorward.toml"]
