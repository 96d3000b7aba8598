// Package h1 is HTTP/1 on the wire: heads parsed into slices of the buffer they
// arrived in, body framing, chunks. Bytes in, bytes out; it opens no connection,
// knows no route and allocates nothing in the steady state.
//
// It is strict where RFC 9112 leaves a choice: whatever two parsers could read
// differently is an error, never repaired, so that what we decide on and what a
// server reads cannot differ. The error says which status answers it; the
// connection must be closed after it.
package h1
