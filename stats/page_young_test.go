package stats_test

import (
	"strings"
	"testing"
	"time"

	"doorward/stats"
)

// youngPage is a page of an instance that was looked at for so many seconds, with
// traffic in those that busy is true for.
func youngPage(t *testing.T, e *edge, seconds int, busy func(int) bool) document {
	t.Helper()
	sampler := stats.NewSampler(e, stats.SamplerOptions{})
	sampler.Sample()
	for i := range seconds {
		if busy(i) {
			e.pass(1)
		} else {
			e.change(func(v *stats.View) { v.Node.Now = v.Node.Now.Add(time.Second) })
		}
		sampler.Sample()
	}
	page := stats.NewPage(t.Context(), stats.PageOptions{Sampler: sampler})
	return parse(t, get(page, "/"))
}

func always(int) bool { return true }
func never(int) bool  { return false }

// Charts show as little of the past as holds what there is, and say why they show
// nothing.
func TestChartsOfTheFirstMinutes(t *testing.T) {
	const waiting = "Collecting: a point every 10 seconds"
	for _, c := range []struct {
		seconds int
		busy    func(int) bool
		// What the axis begins with and where the line does, and what the charts of
		// requests, errors and latency say.
		from, begins string
		says         [3]string
	}{
		{0, always, "2 min ago", "", [3]string{waiting, waiting, waiting}},
		{19, always, "2 min ago", "", [3]string{waiting, waiting, waiting}},
		{20, always, "2 min ago", "M330 ", [3]string{}},
		{120, always, "2 min ago", "M30 ", [3]string{}},
		{130, always, "10 min ago", "M288 ", [3]string{}},
		{610, always, "30 min ago", "M240 ", [3]string{}},
		{1810, always, "1 hour ago", "M180 ", [3]string{}},
		{3700, always, "1 hour ago", "M1 ", [3]string{}},
		{60, never, "2 min ago", "M210 ", [3]string{
			"No requests in this time", "No errors in this time", "No requests in this time",
		}},
	} {
		d := youngPage(t, newEdge(), c.seconds, c.busy)
		line := attribute(d.byID("ch-req-line-all"), "d")
		if got := d.text("ch-req-from"); got != c.from || !strings.HasPrefix(line, c.begins) ||
			line != "" && c.begins == "" {
			t.Errorf("after %d s: from %q with the line %.20s, want %q and %q", c.seconds, got, line, c.from, c.begins)
		}
		for i, id := range []string{"ch-req", "ch-err", "ch-lat"} {
			if got := d.text(id + "-wait"); got != c.says[i] {
				t.Errorf("after %d s %s says %q, want %q", c.seconds, id, got, c.says[i])
			}
			if got := d.text(id + "-top"); (got == "") != (c.begins == "" || c.says[i] != "") {
				t.Errorf("after %d s the scale of %s ends at %q", c.seconds, id, got)
			}
		}
	}
}

// While nobody asks nothing takes any time: that is a gap, and not a time of zero.
func TestLatencyHasGaps(t *testing.T) {
	d := youngPage(t, newEdge(), 100, func(i int) bool { return i < 20 || i/10 == 5 })
	line := attribute(d.byID("ch-lat-line-p50"), "d")
	if n := strings.Count(line, "M"); n != 2 || strings.Count(line, "L") != 1 || !strings.HasSuffix(line, "h0") {
		t.Errorf("two points, a gap and one more are %s", line)
	}
	if got := d.text("ch-lat-p50"); got != "–" {
		t.Errorf("without requests the latency is %q", got)
	}
	if line := attribute(d.byID("ch-req-line-all"), "d"); strings.Count(line, "M") != 1 {
		t.Errorf("without requests their number is %s", line)
	}
}

func TestPageSaysWhatIsWrong(t *testing.T) {
	for name, c := range map[string]struct {
		change             func(*stats.View)
		title, out, colour string
	}{
		"all kinds": {func(*stats.View) {}, "4 down · edge-fra-1 · Doorward", "4 down, 1 drain, 1 maint", "bad"},
		"only people": {func(v *stats.View) {
			v.Backends = v.Backends[:1]
			v.Backends[0].Servers = v.Backends[0].Servers[4:6]
			v.Backends[0].Servers[0].Admin, v.Backends[0].Servers[0].Weight = "ready", 0
		}, "edge-fra-1 · Doorward", "1 maint, 1 weight 0", "warn"},
		"nothing": {func(v *stats.View) {
			v.Backends = v.Backends[:1]
			v.Backends[0].Servers = v.Backends[0].Servers[:2]
		}, "edge-fra-1 · Doorward", "all of them", "ok"},
	} {
		e := newEdge()
		e.change(c.change)
		d := youngPage(t, e, 1, always)
		if got := d.text("title"); got != c.title {
			t.Errorf("%s: the title is %q, want %q", name, got, c.title)
		}
		if got := strings.ReplaceAll(d.text("t-down"), "\u00a0", " "); got != c.out || attribute(d.byID("t-up"), "data-state") != c.colour {
			t.Errorf("%s: %s %q, want %s %q", name, attribute(d.byID("t-up"), "data-state"), got, c.colour, c.out)
		}
	}
}

// Times are relative, and words say what there is no figure for.
func TestPanelsSayWhoAndWhen(t *testing.T) {
	e := newEdge()
	e.change(func(v *stats.View) {
		v.Backends[1].Servers[1].Health.At = time.Time{}
		s := &v.Backends[0].Servers[5]
		s.Health.At = time.Time{}
		s.Cookie = "c0ffee"
		v.Certificates[0].Issuer = "CN=R11,O=Let's Encrypt,C=US"
		v.Certificates[1].Source = ""
	})
	d := youngPage(t, e, 1, always)
	for id, want := range map[string]string{
		"b0s0-fup": "up for 3d 5h", "b0s3-fup": "down for 12m 1s", "b2s0-fup": "none",
		"b0s0-fby": "–", "b0s4-fby": "ops: drain, 40m 1s ago", "b0s5-fby": "anna: maint, 3h ago",
		"b0s5-lastchk": "–", "b0s5-fchk": "no check, as long as it is in maintenance", "b0s5-fchkat": "–",
		"b1s1-lastchk": "…", "b0s3-fchkat": "1s ago", "b0s3-fchk": "L4CON in 0.4 ms: connection refused",
		"b0s3-ftTotal": "–", "b0s0-ftTotal": "12.8 ms · 32.0 ms", "b0s2-fweight": "100", "b1s2-fweight": "40/100",
		"r-at": "2026-03-02 04:30:00 UTC, 5h ago", "r-failed": "–",
	} {
		if got := d.text(id); got != want {
			t.Errorf("%s is %q, want %q", id, got, want)
		}
	}
	text := textOf(d.root) // neighbours run together
	for _, want := range []string{
		"Backup server of shop", "Cookie valuec0ffee", "R11/etc/doorward/certs/shop.pem",
		"Example Internal CA–2026-03-07",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if strings.Contains(text, "O=Let's") {
		t.Error("the page says all that there is to an issuer's name")
	}
}
