package config

// Mail says how Doorward sends mail. Without Host it sends none.
type Mail struct {
	// The mail server.
	Host string `toml:"host"`
	// Its port: 587, with security = "tls" 465, with "none" 25.
	Port int `toml:"port" default:"587" min:"1" max:"65535" shows:"as security wants"`
	// Who Doorward is to the mail server. Empty: it is not asked.
	Username string `toml:"username"`
	// The password of username.
	Password Secret `toml:"password"`
	// How the connection is secured: TLS is asked for and demanded (starttls), begins
	// at once (tls), or there is none.
	Security string `toml:"security" default:"starttls" enum:"starttls,tls,none"`
	// PEM file with the CAs to trust in place of the system's.
	CAFile string `toml:"ca_file" is:"path"`
	// The sender: "doorward@example.com" or "Doorward <doorward@example.com>".
	From string `toml:"from"`
	// For one mail, from the connection to the end.
	Timeout Duration `toml:"timeout" default:"30s"`

	_ struct{} `later:"oauth2"`
}

// Alerts say who is told when a server goes up or down.
type Alerts struct {
	// Addresses that get a mail. They need [mail].
	Mail []string `toml:"mail"`
	// A URL that gets a POST with JSON. It may hold a secret and is never shown.
	Webhook Secret `toml:"webhook"`
	// Changes within this time are told together.
	Delay Delay `toml:"delay" default:"10s"`
}
