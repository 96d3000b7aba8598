package config

// rateLimits checks the limits, and who uses them.
func (v *validator) rateLimits() {
	at := v.root.key("rate_limits")
	used := make(map[string]bool)
	v.limitNames(v.cfg.Limits.RateLimits, v.root.key("limits").key("rate_limits"), used)
	everywhere := len(used)
	for i := range v.cfg.Routes {
		p := v.root.key("route").item(i).key("rate_limits")
		v.limitNames(v.cfg.Routes[i].RateLimits, p, used)
	}
	if everywhere > 0 {
		v.limitedTwice()
	}
	for _, name := range sortedKeys(v.cfg.RateLimits) {
		l, p := v.cfg.RateLimits[name], at.key(name)
		l.Name = name
		if !isName(name) {
			v.errorf(p, "letters, digits, - and _", "cannot be the name of a limit")
		}
		if !used[name] && !v.failed["route"] {
			v.warnf(p, "nothing uses this limit")
		}
		v.rateLimit(l, p)
	}
}

// limitNames checks a list of names, and notes those that are used.
func (v *validator) limitNames(names []string, p place, used map[string]bool) {
	known := sortedKeys(v.cfg.RateLimits)
	for i, name := range names {
		if v.cfg.RateLimits[name] == nil {
			v.errorf(p.item(i), didYouMean(name, known), "there is no limit %s", p.item(i).shown())
			name = Nearest(name, known)
		}
		used[name] = true
	}
	v.duplicates(names, p)
}

// limitedTwice warns about routes that name a limit which holds for all.
func (v *validator) limitedTwice() {
	everywhere := make(map[string]bool)
	for _, name := range v.cfg.Limits.RateLimits {
		everywhere[name] = true
	}
	for i := range v.cfg.Routes {
		p := v.root.key("route").item(i).key("rate_limits")
		for j, name := range v.cfg.Routes[i].RateLimits {
			if everywhere[name] {
				v.warnf(p.item(j), "holds for every route already, by limits.rate_limits")
			}
		}
	}
}

func (v *validator) rateLimit(l *RateLimit, p place) {
	switch {
	case l.Requests == 0 && l.Concurrent == 0:
		v.missingf(p, `requests = 100, per = "10s"`, "needs requests or concurrent above 0")
	case l.Requests > 0 && l.Per == 0:
		v.missingf(p, `per = "10s"`, "needs the time in which requests are counted")
	case l.Requests == 0 && p.key("per").given:
		v.errorf(p.key("per"), "", "has no effect without requests")
	}
	if p.key("queue").given && l.Over == "reject" && !v.failed[p.key("over").path] {
		v.errorf(p.key("queue"), "", `has no effect without over = "queue"`)
	}
	if p.key("ipv6_prefix").given && l.By == "route" {
		v.errorf(p.key("ipv6_prefix"), "", `has no effect with by = "route"`)
	}
	if l.By == "user" {
		v.warnf(p.key("by"), nobodySigned)
	}
}
