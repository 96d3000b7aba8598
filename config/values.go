package config

import (
	"crypto/sha256"
	"net/netip"
	"time"
)

// Duration is a span of time, written "20s", "5m", "1h30m" or "7d". It is never
// zero or negative in a file; the zero value means that the key was not given.
type Duration time.Duration

// Size is a number of bytes, written 32768, "32k", "32KiB" or "1MiB".
type Size int64

// Count is a number of things, written 1000, "100k" (102400) or "1m" (1048576).
type Count int64

// Networks is a list of networks, addresses, and names of [networks.NAME] sets.
type Networks struct {
	// Entries are as written; nil when the key was not given, which is not the
	// same as an empty list: that one holds nobody.
	Entries []string
	// Prefixes are the networks that Entries stand for.
	Prefixes []netip.Prefix
}

// Fields maps the names of header fields to their values. Printed, it shows the
// names alone, because values may hold credentials.
type Fields map[string]string

// Pins are SHA-256 digests of public keys (SubjectPublicKeyInfo, RFC 7469).
type Pins [][sha256.Size]byte

// LogOutput is where log lines go.
type LogOutput struct {
	// Kind is "stderr", "stdout", "file" or "syslog".
	Kind string
	// Network is "unixgram", "udp" or "tcp" for syslog, else empty.
	Network string
	// Address is the absolute file name, the socket, or "host:port".
	Address string
}
