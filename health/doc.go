// Package health finds out which servers work, and is the only one to say so: by
// checks of its own ([Check]) and by what becomes of requests ([Passive]). Both
// feed one [Counter] a server, which is HAProxy's to the number, so that rise and
// fall mean here what they mean there.
//
// A [Monitor] has one goroutine for each server that it watches. Everything that
// is known of a server belongs to that goroutine; others send it events and read
// the [Status] that it publishes. A check runs beside it, one at a time, so that
// a server that hangs delays nothing but its own next check.
//
// What is done with the verdict is others' business: a [Peer] takes it and
// balances by it, Options.Changed tells people. How a connection is made (names,
// TLS, sockets) is the peer's as well, so that a check goes the way of requests.
package health
