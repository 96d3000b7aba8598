package backend_test

import (
	"errors"
	"testing"
	"time"

	"doorward/proxy/backend"
)

func TestTimeoutsHaveDefaults(t *testing.T) {
	o := at(nowhere(1)...)
	o.Timeouts.Server = time.Second
	got := started(t, o).Timeouts()
	want := backend.Timeouts{
		Connect: 5 * time.Second, Server: time.Second, Queue: 10 * time.Second,
		Tunnel: time.Hour, Idle: time.Minute,
	}
	if got != want {
		t.Errorf("timeouts %+v, want %+v", got, want)
	}
}

func TestRetryOnStatus(t *testing.T) {
	var none backend.RetryOn
	some := none.WithStatus(429, 500, 503, 599, 200, 600, -1)
	for code, want := range map[int]bool{
		429: true, 500: true, 503: true, 599: true, 400: false, 501: false, 464: false,
		200: false, 600: false, -1: false, 0: false, 1 << 40: false, -1 << 40: false,
	} {
		if got := some.Status(code); got != want {
			t.Errorf("status %d worth another try: %v, want %v", code, got, want)
		}
		if none.Status(code) {
			t.Errorf("status %d is in the empty set", code)
		}
	}
	o := at(nowhere(1)...)
	o.RetryOn, o.Retries, o.Redispatch = some, 3, true
	o.Description = "for people"
	b := started(t, o)
	if *b.RetryOn() != some || b.Retries() != 3 || !b.Redispatch() || !b.KeepAlive() ||
		b.Name() != "app" || b.Description() != "for people" {
		t.Error("the options are not what was given")
	}
}

func TestConnectErrorText(t *testing.T) {
	cause := errors.New("connection refused")
	for want, e := range map[string]backend.ConnectError{
		"server s1 (10.0.0.1:80): connection refused": {
			Server: "s1", Address: "10.0.0.1:80", Reason: backend.Dial, Err: cause},
		"server 10.0.0.1:80: connection refused": {
			Server: "10.0.0.1:80", Address: "10.0.0.1:80", Reason: backend.Dial, Err: cause},
	} {
		if e.Error() != want || !errors.Is(&e, cause) || e.Reason.String() != "dial" {
			t.Errorf("error %q (%s), want %q", e.Error(), e.Reason, want)
		}
	}
}

func TestWhatIsReadForStatistics(t *testing.T) {
	o := at(nowhere(2)...)
	o.Servers[0].Cookie = "c1"
	b := started(t, o)
	one := b.Server("s1")
	for range 3 {
		claimed(t, b, nil)
	}
	if b.Active() != 3 {
		t.Errorf("%d active, want 3", b.Active())
	}
	for _, s := range b.Servers() {
		for s.Active() > 0 {
			s.Release()
		}
	}
	if b.Active() != 0 || b.ActiveMax() != 3 || one.ActiveMax() != 2 {
		t.Errorf("%d active, most %d, at one server %d; want 0, 3, 2",
			b.Active(), b.ActiveMax(), one.ActiveMax())
	}
	if one.Cookie() != "c1" || b.Server("s2").Cookie() != "" {
		t.Error("the cookies are not those of the options")
	}
}
