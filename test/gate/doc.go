// Package gate tries the gate on whole instances: browsers, programs and providers
// beside it, servers behind it. It holds tests only.
package gate
