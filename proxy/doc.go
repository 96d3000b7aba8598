// Package proxy is the path of a request: connection, route, backend, answer.
//
// An Engine lives as long as the process. What it does with a request is in a
// Snapshot, an immutable value built from one configuration, which each request
// loads once when its head is complete: a reload swaps one pointer.
//
//	ServeConn   PROXY protocol and TLS, then one request after the other (conn.go)
//	exchange    one request and its answer, and all buffers it needs (exchange.go)
//	decide      host, client, request id, route, access (decide.go)
//	forward     claim a server, send, repeat where that is harmless (forward.go)
//	answer      the server's head rewritten, its body streamed (answer.go, relay.go)
//	roundtrip   both of these with a server that speaks HTTP/2, through net/http
//	            (roundtrip.go, trip.go, feed.go, homeward.go); calls of gRPC (grpc.go)
//	finish      counters and the access log (finish.go)
//
// A connection is a goroutine with plain blocking code. A second goroutine runs
// only while a request body is streamed (upload.go) or a tunnel is open
// (tunnel.go). Bytes on the wire are the business of proxy/h1, sockets of
// proxy/netio, hosts and paths of proxy/route, servers of proxy/backend.
package proxy
