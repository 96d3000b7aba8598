package config

// rateLimits names the limits.
func (v *validator) rateLimits() {
	for name, l := range v.cfg.RateLimits {
		l.Name = name
	}
}
