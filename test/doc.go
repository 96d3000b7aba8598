// Package test tries the whole instance on real sockets: the attack cases of
// docs/security-cases.md, each under its id, and scenarios of use. It holds
// tests only.
package test
