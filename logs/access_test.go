package logs_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"doorward/internal/access"
	"doorward/internal/alloctest"
	"doorward/logs"
)

// sample is a request with everything in it.
func sample() *access.Record {
	return &access.Record{
		Start:         time.Date(2026, 3, 4, 5, 6, 7, 89123000, time.UTC),
		Client:        netip.MustParseAddrPort("192.0.2.7:40001"),
		Listener:      ":443",
		Scheme:        "https",
		Route:         "shop",
		Backend:       "carts",
		Server:        "cart01",
		User:          "bob",
		Method:        []byte("GET"),
		Host:          []byte("shop.example"),
		Target:        []byte("/cart/7?code=secret"),
		Protocol:      "HTTP/1.1",
		RequestID:     []byte("0123456789abcdef"),
		UserAgent:     []byte("curl/8"),
		Referer:       []byte("https://shop.example/?token=secret"),
		Status:        200,
		BytesIn:       512,
		BytesOut:      2048,
		Request:       1500 * time.Microsecond,
		Queue:         0,
		Connect:       2 * time.Millisecond,
		Response:      30 * time.Millisecond,
		Active:        40*time.Millisecond + 1234*time.Nanosecond,
		Retries:       1,
		Redispatched:  true,
		Termination:   [2]byte{'-', '-'},
		TLSVersion:    0x0304,
		TLSCipher:     0x1301,
		ActiveConns:   6,
		FrontendConns: 5,
		BackendConns:  4,
		ServerConns:   3,
		ServerQueue:   2,
		BackendQueue:  1,
	}
}

// refused is a request that met no route, over plain HTTP.
func refused() *access.Record {
	return &access.Record{
		Start:       time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC),
		Client:      netip.MustParseAddrPort("[::ffff:192.0.2.7]:40001"),
		Listener:    ":80",
		Scheme:      "http",
		Request:     access.NotReached,
		Queue:       access.NotReached,
		Connect:     access.NotReached,
		Response:    access.NotReached,
		Active:      8490 * time.Millisecond,
		Termination: [2]byte{'C', 'R'},
		Err:         errors.New("client closed the connection"),
	}
}

// written returns the lines that an access log makes of records.
func written(t testing.TB, o logs.AccessOptions, records ...*access.Record) []string {
	t.Helper()
	o.Output = filepath.Join(t.TempDir(), "access.log")
	a, err := logs.NewAccess(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		a.Record(r)
	}
	shut(t, a)
	if lost := a.Lost(); lost > 0 {
		t.Fatalf("%d lines lost", lost)
	}
	return linesOf(t, o.Output)
}

func linesOf(t testing.TB, path string) []string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(text) > 0 && text[len(text)-1] != '\n' {
		t.Errorf("%s ends within a line", path)
	}
	return slices.Collect(strings.Lines(string(text)))
}

func shut(t testing.TB, a *logs.Access) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := a.Close(ctx); err != nil {
		t.Fatalf("Close = %v", err)
	}
}

func object(t testing.TB, line string) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(line), &m); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	return m
}

func TestAccess_json(t *testing.T) {
	limited := refused()
	limited.Status, limited.RateLimit, limited.Err = 429, "login", nil
	for _, c := range []struct {
		name   string
		record *access.Record
		query  bool
		want   string
	}{
		{"everything", sample(), true, `{"msg":"request","time":"2026-03-04T05:06:07.089123Z",
			"client":"192.0.2.7","client_port":40001,"listener":":443","scheme":"https",
			"method":"GET","host":"shop.example","path":"/cart/7","query":"code=secret",
			"protocol":"HTTP/1.1","status":200,"route":"shop","backend":"carts",
			"server":"cart01","user":"bob","request_id":"0123456789abcdef","user_agent":"curl/8",
			"referer":"https://shop.example/?token=secret","bytes_in":512,"bytes_out":2048,
			"time_request_ms":1.5,"time_queue_ms":0,"time_connect_ms":2,
			"time_response_ms":30,"time_active_ms":40.001,"retries":1,"redispatched":true,
			"termination":"--","tls_version":"TLSv1.3","tls_cipher":"TLS_AES_128_GCM_SHA256",
			"conns_active":6,"conns_listener":5,"conns_backend":4,"conns_server":3,
			"queue_server":2,"queue_backend":1}`},
		{"nearly nothing", refused(), false, `{"msg":"request","time":"2026-03-04T05:06:07.000000Z",
			"client":"192.0.2.7","client_port":40001,"listener":":80","scheme":"http",
			"status":0,"bytes_in":0,"bytes_out":0,"time_active_ms":8490,"retries":0,
			"redispatched":false,"termination":"CR","conns_active":0,"conns_listener":0,
			"conns_backend":0,"conns_server":0,"queue_server":0,"queue_backend":0,
			"error":"client closed the connection"}`},
		{"over a limit", limited, false, `{"msg":"request","time":"2026-03-04T05:06:07.000000Z",
			"client":"192.0.2.7","client_port":40001,"listener":":80","scheme":"http",
			"status":429,"bytes_in":0,"bytes_out":0,"time_active_ms":8490,"retries":0,
			"redispatched":false,"termination":"CR","rate_limit":"login","conns_active":0,
			"conns_listener":0,"conns_backend":0,"conns_server":0,"queue_server":0,
			"queue_backend":0}`},
	} {
		lines := written(t, logs.AccessOptions{Query: c.query}, c.record)
		if len(lines) != 1 {
			t.Fatalf("%s: %d lines, want 1", c.name, len(lines))
		}
		// The text, not its meaning: the order of keys is stable as well.
		want := strings.ReplaceAll(c.want, "\n\t\t\t", "") + "\n"
		if lines[0] != want {
			t.Errorf("%s:\n got %s want %s", c.name, lines[0], want)
		}
	}
}

func TestAccess_keeps_secrets_of_urls_out(t *testing.T) {
	for _, c := range []struct{ target, referer, path, from string }{
		{"/a?code=1", "https://x.example/b?token=1#f", "/a", "https://x.example/b"},
		{"/a#access_token=1", "https://x.example/#id_token=1", "/a", "https://x.example/"},
		{"http://u:secret@x.example/a?b", "https://u:secret@x.example", "http://x.example/a",
			"https://x.example"},
		{"/a@b://c@d", "//u@x/", "/a@b://c@d", "//u@x/"},
		{"*", "about:blank", "*", "about:blank"},
		{"?a=b", "", "", ""},
	} {
		r := sample()
		r.Target, r.Referer = []byte(c.target), []byte(c.referer)
		m := object(t, written(t, logs.AccessOptions{}, r)[0])
		path, _ := m["path"].(string)
		from, _ := m["referer"].(string)
		if path != c.path || from != c.from {
			t.Errorf("%q, %q: logged as %q, %q, want %q, %q", c.target, c.referer, path, from,
				c.path, c.from)
		}
		if _, some := m["query"]; some {
			t.Errorf("%q: a query was logged", c.target)
		}
	}
}

func TestAccess_off_logs_nothing(t *testing.T) {
	off, err := logs.NewAccess(logs.AccessOptions{Format: "off", Output: "/nowhere/at/all"})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range []*logs.Access{off, nil} {
		a.Record(sample())
		shut(t, a)
		if err := a.Reopen(); err != nil || a.Lost() != 0 {
			t.Errorf("Reopen = %v, Lost = %d", err, a.Lost())
		}
	}
}

func TestAccess_refuses_unknown_options(t *testing.T) {
	for _, o := range []logs.AccessOptions{
		{Format: "xml"}, {Output: "syslog+http://x:1"}, {Output: "/nowhere/at/all"}, {Output: "/"},
	} {
		if a, err := logs.NewAccess(o); a != nil || err == nil {
			t.Errorf("NewAccess(%+v) = %v, %v, want an error", o, a, err)
		}
	}
}

func TestAccess_opens_its_file_again(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	a, err := logs.NewAccess(logs.AccessOptions{Output: path})
	if err != nil {
		t.Fatal(err)
	}
	a.Record(sample())
	until(t, func() bool { return len(linesOf(t, path)) == 1 })
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	if err := a.Reopen(); err != nil {
		t.Fatal(err)
	}
	a.Record(sample())
	a.Record(sample())
	shut(t, a)
	if old, now := len(linesOf(t, path+".1")), len(linesOf(t, path)); old != 1 || now != 2 {
		t.Errorf("%d lines in the old file, %d in the new, want 1, 2", old, now)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&^0o640 != 0 {
		t.Errorf("mode %v, %v, want at most 0640", info.Mode(), err)
	}
}

// until waits for a condition that another goroutine brings about.
func until(t testing.TB, done func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for !done() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("waited too long")
		}
	}
}

func TestAccess_replaced_under_load_loses_nothing(t *testing.T) {
	dir := t.TempDir()
	open := func(i int, format string) *logs.Access {
		o := logs.AccessOptions{Format: format, Output: filepath.Join(dir, fmt.Sprint(i)),
			Size: 1 << 20}
		a, err := logs.NewAccess(o)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	a := open(0, "json")
	const writers, each = 4, 5000
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			r := sample()
			for range each {
				a.Record(r)
			}
		})
	}
	for i, format := range []string{"haproxy", "json", "haproxy"} {
		if err := a.Replace(open(i+1, format))(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	all.Wait()
	shut(t, a)
	total := 0
	for i := range 4 {
		total += len(linesOf(t, filepath.Join(dir, fmt.Sprint(i))))
	}
	if total != writers*each || a.Lost() != 0 {
		t.Errorf("%d lines written, %d lost, want %d, 0", total, a.Lost(), writers*each)
	}
	a.Record(sample())
	if a.Lost() != 1 {
		t.Errorf("%d lines lost after Close, want 1", a.Lost())
	}
}

func TestAccess_copies_what_it_needs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	a, err := logs.NewAccess(logs.AccessOptions{Output: path})
	if err != nil {
		t.Fatal(err)
	}
	r := sample()
	want := map[string]int{}
	for i := range 2000 {
		host := fmt.Sprintf("h%d.example", i)
		want[host]++
		r.Host = append(r.Host[:0], host...)
		a.Record(r)
	}
	shut(t, a)
	got := map[string]int{}
	for _, line := range linesOf(t, path) {
		got[object(t, line)["host"].(string)]++
	}
	if !maps.Equal(got, want) {
		t.Errorf("%d hosts logged, want the %d recorded, once each", len(got), len(want))
	}
}

func TestAccess_record_does_not_allocate(t *testing.T) {
	for _, format := range []string{"json", "haproxy"} {
		a, err := logs.NewAccess(logs.AccessOptions{Format: format, Output: os.DevNull})
		if err != nil {
			t.Fatal(err)
		}
		r := sample()
		for range 20_000 { // until the batches have grown
			a.Record(r)
		}
		// The writer allocates a little for each batch: less than one in 100 lines.
		if n := alloctest.PerRun(20_000, func() { a.Record(r) }); n >= 0.5 {
			t.Errorf("%s: %v allocations for a record, want 0", format, n)
		}
		shut(t, a)
	}
}
