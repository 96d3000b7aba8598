package config_test

import (
	"encoding"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"doorward/config"
)

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"20s": 20 * time.Second, "1h30m": 90 * time.Minute, "150ms": 150 * time.Millisecond,
		"7d": 7 * 24 * time.Hour, "1d12h": 36 * time.Hour, "1.5s": 1500 * time.Millisecond,
	} {
		var d config.Duration
		if err := d.UnmarshalText([]byte(text)); err != nil || time.Duration(d) != want {
			t.Errorf("%q is %v, %v; want %v", text, time.Duration(d), err, want)
		}
	}
	for _, text := range []string{
		"", "5", "0s", "0d", "-1s", "1x", "d", "1d-1h", "-1d", "1d1d", "99999d99999999h", "s",
		"9223372036854775808ns", "65535d2500000h",
	} {
		var d config.Duration
		if err := d.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is %v, want an error", text, time.Duration(d))
		}
	}
	for d, want := range map[time.Duration]string{
		time.Minute: "1m", time.Hour: "1h", 90 * time.Minute: "1h30m", 1500 * time.Millisecond: "1.5s",
		time.Hour + 5*time.Second: "1h0m5s", 10 * time.Minute: "10m", 20 * time.Hour: "20h",
	} {
		if got := config.Duration(d).String(); got != want {
			t.Errorf("%v prints as %q, want %q", d, got, want)
		}
	}
}

func TestSizeAndCount(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "32768": 32768, "1_000": 1000, "32k": 32 << 10, "32K": 32 << 10, "32KiB": 32 << 10,
		"32 KiB": 32 << 10, "1MiB": 1 << 20, "2g": 2 << 30, "512B": 512, "8589934591g": 8589934591 << 30,
	} {
		var s config.Size
		if err := s.UnmarshalText([]byte(text)); err != nil || int64(s) != want {
			t.Errorf("size %q is %d, %v; want %d", text, int64(s), err, want)
		}
	}
	for _, text := range []string{"", "k", "-1", "1KB", "1MB", "1x", "1.5k", "8589934592g", "b", "ib", "9e9"} {
		var s config.Size
		if err := s.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("size %q is %v, want an error", text, s)
		}
	}
	for s, want := range map[config.Size]string{0: "0", 1000: "1000", 32 << 10: "32KiB", 3 << 30: "3GiB"} {
		if got := s.String(); got != want {
			t.Errorf("Size(%d) prints as %q, want %q", int64(s), got, want)
		}
	}
	var c config.Count
	if err := c.UnmarshalText([]byte("100k")); err != nil || c != 102400 {
		t.Errorf("count 100k is %d, %v; want 102400", c, err)
	}
	if err := c.UnmarshalText([]byte("100KiB")); err == nil {
		t.Error("a count of 100KiB gives no error")
	}
}

// TestTextRoundTrips: what is printed can be read again.
func TestTextRoundTrips(t *testing.T) {
	for _, c := range []struct {
		in  encoding.TextMarshaler
		out encoding.TextUnmarshaler
	}{
		{config.Duration(90 * time.Minute), new(config.Duration)},
		{config.Size(48 << 10), new(config.Size)},
	} {
		text, err := c.in.MarshalText()
		if err != nil || c.out.UnmarshalText(text) != nil {
			t.Errorf("%q cannot be read again", text)
		}
		if got := fmt.Sprint(c.out); got != string(text) && !strings.Contains(got, "0x") {
			t.Errorf("%q is read as %s", text, got)
		}
	}
}

func TestLogOutput(t *testing.T) {
	for text, good := range map[string]bool{
		"stderr": true, "stdout": true, "/var/log/a.log": true, "a.log": true, "syslog": true,
		"syslog+unix:///dev/log": true, "syslog+udp://[::1]:514": true,
		"syslog+tcp://logs.lan:601": true,
		"":                          false, "/var/log/": false, "syslogd": false, "syslog:x": false,
		"syslog+udp://host": false, "syslog+udp://host:0": false, "syslog+tcp://host:1/x": false,
		"syslog+tcp://u:p@host:1": false, "syslog+unix://host/x": false, "http://host:80": false,
		"syslog+udp://%zz:1": false,
	} {
		var o config.LogOutput
		if err := o.UnmarshalText([]byte(text)); (err == nil) != good || good && string(o) != text {
			t.Errorf("%q is %q, %v; want good = %v", text, o, err, good)
		}
	}
}

func TestSecretIsNeverShown(t *testing.T) {
	var s config.Secret
	if err := s.UnmarshalText([]byte(secret)); err != nil {
		t.Fatal(err)
	}
	if s.Reveal() != secret || (config.Secret{}).Reveal() != "" {
		t.Errorf("Reveal = %q and %q", s.Reveal(), config.Secret{}.Reveal())
	}
	text, _ := s.MarshalText()
	data, err := json.Marshal(map[string]any{"value": s, "pointer": &s, "text": string(text)})
	if err != nil {
		t.Fatal(err)
	}
	type hidden struct{ inner config.Secret }
	out := string(data) + s.String()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		out += fmt.Sprintf(verb, s) + fmt.Sprintf(verb, &s) + fmt.Sprintf(verb, hidden{s}) +
			fmt.Sprintf(verb, []config.Secret{s})
	}
	for _, form := range []string{secret, fmt.Sprintf("%x", secret), fmt.Sprintf("%d", []byte(secret))} {
		if strings.Contains(out, form) {
			t.Errorf("the secret is in %s", out)
		}
	}
}
