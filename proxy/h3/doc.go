// Package h3 is HTTP/3 (RFC 9114) on the wire, the server's side of it, over the QUIC
// of quic-go: frames in, requests out, answers in, frames out. Extended CONNECT (RFC
// 9220) is part of it; priorities are read and given no meaning, and the dynamic table
// of QPACK is not offered.
//
// A stream is handled in a goroutine of its own, which reads its head as well: streams
// share nothing here but counters. Flow control and congestion are quic-go's: a Write
// returns when its bytes are in packets.
//
// The frames are read here and not by quic-go's own package http3 because a server at
// the edge of a network needs what that does not have: a limit on the time that a head
// takes, GOAWAY for one connection, a stream that counts until its handler has ended
// whatever the client resets, and heads that are judged and refused, and logged, as on
// HTTP/1 and HTTP/2.
//
// A request comes as h1.Request and an answer is given as the text of an HTTP/1 head,
// as in package h2. Routes, servers and sessions are not known here.
package h3
