# What a developer of Doorward runs. CONTRIBUTING.md says when.

# go.mod names the Go release we trust with traffic; an older go fetches it.
export GOTOOLCHAIN = auto
# One static binary that runs anywhere, also where there is no C library.
export CGO_ENABLED = 0

# The servers that tests start live where a user's PATH often does not look.
export PATH := $(PATH):/usr/sbin:/sbin

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
FLAGS   := -trimpath -ldflags '-s -w -X main.version=$(VERSION)'
FUZZ    := 20s
IMAGE   := doorward:$(VERSION)

.PHONY: build demo test tools lint fuzz bench parts docker clean

build:  ## bin/doorward for this machine
	go build $(FLAGS) -o bin/doorward ./cmd/doorward

demo: build  ## the edge on https://whoami.localhost:8443, with servers behind it
	bin/doorward demo

# The race detector is the one thing here that needs cgo. go test comes last, so
# that its summary is what the output ends with. The folder that takes longest is
# named first, so that the others run beside it.
test: tools lint  ## everything that must pass before a commit
	CGO_ENABLED=1 go test -race -timeout 12m ./test ./test/gate ./...

# Building the authority for the tests of ACME may take longer than one of them.
tools:  ## what the tests and the benchmark talk to
	scripts/tools
	@CGO_ENABLED=1 go tool -n pebble >/dev/null
	@CGO_ENABLED=1 go tool -n pebble-challtestsrv >/dev/null

# The second vet compiles for macOS, where developers sit and no test runs.
lint:  ## formatting and what reads the code without running it
	scripts/formatted
	go vet ./...
	GOOS=darwin go vet ./...
	go tool staticcheck ./...

fuzz:  ## each fuzz target for FUZZ, one after the other
	scripts/fuzz $(FUZZ)

# Where oauth2-proxy cannot be built, nginx is measured without it.
bench: build  ## side by side with HAProxy and nginx; ARGS="-rows small-h1"
	scripts/oauth2-proxy || true
	go run ./bench $(ARGS)

parts:  ## what single parts cost: picks, tables of a million entries, limits, checks, counters
	go test -run '^$$' -bench 'Round|Pick|Million|Enter|Watch|Request' -benchmem \
		./proxy/backend ./proxy/stick ./proxy/limit ./health ./internal/tally ./proxy

docker:  ## the image, named doorward:VERSION
	docker build --build-arg VERSION=$(VERSION) -t $(IMAGE) .

clean:  ## what the other targets leave behind
	rm -rf bin
