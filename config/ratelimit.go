package config

// RateLimit bounds the requests of one client, route or user. At least one of
// Requests and Concurrent is above zero.
type RateLimit struct {
	// Name is the NAME of [rate_limits.NAME].
	Name string `toml:"-"`

	// What is counted together: requests of one client address, of one route, or of
	// who is signed in (by address until somebody is).
	By string `toml:"by" default:"client" enum:"client,route,user"`
	// Requests in any span of the length per. 0: no such limit.
	Requests Count `toml:"requests" default:"0" min:"0" max:"1000000000"`
	// The span in which requests are counted.
	Per Duration `toml:"per"`
	// Requests at a time. 0: no such limit.
	Concurrent Count `toml:"concurrent" default:"0" min:"0" max:"1000000000"`
	// What becomes of more: 429 with Retry-After at once, or they wait.
	Over string `toml:"over" default:"reject" enum:"reject,queue"`
	// The longest wait with over = "queue". Then 429.
	Queue Duration `toml:"queue" default:"5s"`
	// Nothing is refused; what would have been is counted and logged.
	LogOnly bool `toml:"log_only" default:"false"`
	// Clients, routes or users that are remembered.
	Size Count `toml:"size" default:"100k" min:"1" max:"67108864"`
	// Bits of an IPv6 address that count: all addresses of one subscriber are one
	// client.
	IPv6Prefix int `toml:"ipv6_prefix" default:"64" min:"1" max:"128"`
}
