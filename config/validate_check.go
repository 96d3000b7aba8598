package config

// check fills in what a check takes over from other keys.
func (v *validator) check(c *Check) {
	for _, own := range []*Duration{&c.FastInterval, &c.DownInterval} {
		if *own == 0 {
			*own = c.Interval
		}
	}
	e := &c.Expect
	if len(e.Status) == 0 && e.StatusRegex == "" && e.Body == "" && e.BodyRegex == "" &&
		len(e.Header) == 0 {
		e.Status = []StatusRange{{200, 399}}
	}
}
