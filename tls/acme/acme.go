// Package acme keeps certificates that a certificate authority issues over ACME
// (RFC 8555): it orders, stores, renews and hands them out, and answers the
// authority's challenges out of memory or the store.
//
// It opens no listener and knows no handshake. Names come from its caller alone,
// so no client can make it order anything. What the edge shows while a
// certificate is not there yet is decided by package tls.
package acme
