package logs_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"doorward/internal/access"
	"doorward/internal/porttest"
	"doorward/logs"
)

// analyser takes an httplog line apart the way log analysers do: as many blanks,
// slashes and brackets as HAProxy writes, everything named.
var analyser = regexp.MustCompile(`^(?P<client_ip>[0-9a-fA-F:.]+):(?P<client_port>\d+) ` +
	`\[(?P<accept_date>\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d\.\d{3})\] ` +
	`(?P<frontend>[^ ~]+)(?P<ssl>~?) (?P<backend>[^ /]+)/(?P<server>[^ ]+) ` +
	`(?P<TR>-1|\d+)/(?P<Tw>-1|\d+)/(?P<Tc>-1|\d+)/(?P<Tr>-1|\d+)/(?P<Ta>\+?\d+) ` +
	`(?P<status>-1|\d{3}) (?P<bytes>\d+) (?P<cookie_request>\S+) (?P<cookie_answer>\S+) ` +
	`(?P<state>[A-Za-z-]{4}) (?P<actconn>\d+)/(?P<feconn>\d+)/(?P<beconn>\d+)/` +
	`(?P<srvconn>\d+)/(?P<retries>\+?\d+) (?P<srv_queue>\d+)/(?P<backend_queue>\d+) ` +
	`"(?:(?P<bad><BADREQ>)|(?P<method>[A-Z]+) (?P<path>[^ ]*) (?P<version>HTTP/\d\.\d))"$`)

func TestAccess_haproxy(t *testing.T) {
	local := time.Date(2026, 3, 4, 5, 6, 7, 89123000, time.Local)
	odd := func() *access.Record {
		r := sample()
		r.Client, r.Scheme = netip.MustParseAddrPort("[2001:db8::1]:7"), "http"
		r.Backend, r.Server = "my carts", "a#1"
		r.Target = []byte("/\"q\"#\x00\x1b[2J\x7f\xc3\xa4?a=b")
		r.Redispatched, r.Retries = false, 0
		return r
	}
	bare := &access.Record{Start: local}
	for _, c := range []struct {
		name   string
		record *access.Record
		want   string
	}{
		{"everything", sample(), `192.0.2.7:40001 [DATE.089] :443~ carts/cart01 1/0/2/30/40 200 ` +
			`2048 - - ---- 6/5/4/3/+1 2/1 "GET /cart/7?code=secret HTTP/1.1"`},
		{"refused", refused(), `192.0.2.7:40001 [DATE.089] :80 :80/<NOSRV> -1/-1/-1/-1/8490 -1 ` +
			`0 - - CR-- 0/0/0/0/0 0/0 "<BADREQ>"`},
		{"odd bytes", odd(), `2001:db8::1:7 [DATE.089] :443 my#20carts/a#231 1/0/2/30/40 200 ` +
			`2048 - - ---- 6/5/4/3/0 2/1 "GET /#22q#22#23#00#1B[2J#7F#C3#A4?a=b HTTP/1.1"`},
		{"nothing", bare, `-:0 [DATE.089] - -/<NOSRV> 0/0/0/0/0 -1 0 - - ---- 0/0/0/0/0 0/0 ` +
			`"<BADREQ>"`},
	} {
		c.record.Start = local
		got := written(t, logs.AccessOptions{Format: "haproxy", Query: true}, c.record)[0]
		want := strings.Replace(c.want, "DATE", "04/Mar/2026:05:06:07", 1) + "\n"
		if got != want {
			t.Errorf("%s:\n got %s want %s", c.name, got, want)
		}
		if c.record != bare && !analyser.MatchString(strings.TrimSuffix(got, "\n")) {
			t.Errorf("%s: an analyser does not read %s", c.name, got)
		}
	}
}

// TestAccess_haproxy_like_the_real_one compares our lines with those of HAProxy
// for the same requests, field by field, where the fields can be the same.
func TestAccess_haproxy_like_the_real_one(t *testing.T) {
	if _, err := exec.LookPath("haproxy"); err != nil {
		t.Skip("haproxy is not installed")
	}
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "ok")
	}))
	defer origin.Close()
	front, lines := startHAProxy(t, origin.Listener.Addr().String())

	answered := sample()
	answered.Scheme, answered.Listener, answered.Backend, answered.Server = "http", "fe", "be", "s1"
	answered.Retries, answered.Redispatched = 0, false
	bad := refused()
	bad.Listener, bad.Status = "fe", 400
	bad.Termination = [2]byte{'P', 'R'}
	for _, c := range []struct {
		name    string
		request string
		record  *access.Record
	}{
		{"answered", "GET /a\"b?c=d HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", answered},
		{"bad request", "GET\x01 / HTTP/1.1\r\n\r\n", bad},
	} {
		conn, err := net.Dial("tcp", front)
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(10 * time.Second))
		fmt.Fprint(conn, c.request)
		theirs := lines(t)
		conn.Close()
		c.record.Target = []byte("/a\"b?c=d")
		o := logs.AccessOptions{Format: "haproxy", Query: true}
		ours := strings.TrimSuffix(written(t, o, c.record)[0], "\n")
		their, our := analyser.FindStringSubmatch(theirs), analyser.FindStringSubmatch(ours)
		if their == nil || our == nil {
			t.Fatalf("%s: not read:\n theirs %s\n ours   %s", c.name, theirs, ours)
		}
		for i, field := range analyser.SubexpNames() {
			switch field {
			case "frontend", "ssl", "backend", "server", "status", "cookie_request",
				"cookie_answer", "state", "retries", "bad", "method", "path", "version":
				if their[i] != our[i] {
					t.Errorf("%s: %s is %q, HAProxy's %q", c.name, field, our[i], their[i])
				}
			}
		}
	}
}

// startHAProxy runs it in front of a server and returns its address and what
// waits for its next log line.
func startHAProxy(t *testing.T, server string) (front string, next func(*testing.T) string) {
	t.Helper()
	log, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	front = porttest.Address(t)
	config := filepath.Join(t.TempDir(), "haproxy.cfg")
	text := fmt.Sprintf(`global
  log %s format raw local0
defaults
  mode http
  log global
  option httplog
  timeout connect 5s
  timeout client 5s
  timeout server 5s
frontend fe
  bind %s
  default_backend be
backend be
  server s1 %s
`, log.LocalAddr(), front, server)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("haproxy", "-db", "-f", config)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	until(t, func() bool {
		conn, err := net.Dial("tcp", front)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return front, func(t *testing.T) string {
		t.Helper()
		buf := make([]byte, 4096)
		log.SetReadDeadline(time.Now().Add(10 * time.Second))
		for {
			n, _, err := log.ReadFrom(buf)
			if err != nil {
				t.Fatal(err)
			}
			// Other lines tell of its start and of the connection above.
			line := strings.TrimSpace(string(buf[:n]))
			if strings.Contains(line, `"`) && !strings.Contains(line, " 0 - - CR") {
				return line
			}
		}
	}
}
