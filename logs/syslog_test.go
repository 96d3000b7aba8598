package logs_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"doorward/internal/porttest"
	"doorward/logs"
)

// message is RFC 5424, section 6, as far as we use it.
var message = regexp.MustCompile(`^<(\d+)>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z ` +
	`\S+ doorward \d+ (access|process) - (\{.*\})$`)

func TestSyslog_datagrams(t *testing.T) {
	for _, network := range []string{"unixgram", "udp"} {
		t.Run(network, func(t *testing.T) {
			server, output := logServer(t, network)
			p, err := logs.New(logs.Options{Output: output, Level: "debug"})
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			a, err := logs.NewAccess(logs.AccessOptions{Output: output})
			if err != nil {
				t.Fatal(err)
			}
			p.Logger().Debug("one")
			p.Logger().Info("two")
			p.Logger().Warn("three")
			p.Logger().Error("four")
			a.Record(sample())
			shut(t, a)
			for _, want := range []struct{ priority, id, text string }{
				{"135", "process", `"one"`}, {"134", "process", `"two"`},
				{"132", "process", `"three"`}, {"131", "process", `"four"`},
				{"134", "access", `"shop.example"`},
			} {
				got := message.FindStringSubmatch(receive(t, server))
				if got == nil || got[1] != want.priority || got[2] != want.id ||
					!strings.Contains(got[3], want.text) {
					t.Errorf("got %q, want %+v", got, want)
				}
			}
		})
	}
}

func logServer(t *testing.T, network string) (net.PacketConn, string) {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "unixgram" {
		address = filepath.Join(t.TempDir(), "log")
	}
	server, err := net.ListenPacket(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	if network == "unixgram" {
		return server, "syslog+unix://" + address
	}
	return server, "syslog+udp://" + server.LocalAddr().String()
}

func receive(t *testing.T, server net.PacketConn) string {
	t.Helper()
	buf := make([]byte, 64<<10)
	server.SetReadDeadline(time.Now().Add(10 * time.Second))
	n, _, err := server.ReadFrom(buf)
	if err != nil {
		t.Fatal(err)
	}
	return string(buf[:n])
}

func TestSyslog_stream_counts_octets(t *testing.T) {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	a, err := logs.NewAccess(logs.AccessOptions{
		Output: "syslog+tcp://" + server.Addr().String(),
	})
	if err != nil {
		t.Fatal(err)
	}
	const lines = 300
	for range lines {
		a.Record(sample())
	}
	conn, err := server.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	in := bufio.NewReader(conn)
	for i := range lines {
		var size int
		if _, err := fmt.Fscanf(in, "%d ", &size); err != nil {
			t.Fatalf("line %d: %v", i, err)
		}
		text := make([]byte, size)
		if _, err := io.ReadFull(in, text); err != nil || !message.Match(text) {
			t.Fatalf("line %d: %q, %v", i, text, err)
		}
	}
	shut(t, a)
}

func TestSyslog_comes_back(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	p, err := logs.New(logs.Options{Output: "syslog+unix://" + path})
	if err != nil {
		t.Fatalf("a log server that is away stops the start: %v", err)
	}
	defer p.Close()
	p.Logger().Info("nobody hears")
	if p.Lost() != 1 {
		t.Errorf("Lost() = %d, want 1", p.Lost())
	}
	for i := range 2 { // the second time, the server was restarted
		os.Remove(path)
		server, err := net.ListenPacket("unixgram", path)
		if err != nil {
			t.Fatal(err)
		}
		until(t, func() bool {
			before := p.Lost()
			p.Logger().Info("again")
			return p.Lost() == before
		})
		if got := receive(t, server); !strings.Contains(got, "again") {
			t.Errorf("server %d got %q", i, got)
		}
		server.Close()
	}
	if err := p.Reopen(); err != nil {
		t.Error(err)
	}
}

func TestCheckOutput(t *testing.T) {
	dir := t.TempDir()
	for output, ok := range map[string]bool{
		"": true, "stderr": true, "stdout": true, "syslog": true, dir + "/x.log": true,
		"syslog+udp://h:514": true, "syslog+tcp://[::1]:514": true, "syslog+unix:///dev/log": true,
		dir: false, dir + "/no/x.log": false, "syslog+udp://h": false, "syslog+tcp://": false,
		"syslog+unix://": false, "syslog+tls://h:6514": false, "syslog://h:514": false,
		"syslog+udp://%zz": false,
	} {
		if err := logs.CheckOutput(output); (err == nil) != ok {
			t.Errorf("CheckOutput(%q) = %v, want it fine: %v", output, err, ok)
		}
	}
}

func TestSyslog_loses_a_line_too_long_for_a_datagram_alone(t *testing.T) {
	server, output := logServer(t, "udp")
	p := open(t, logs.Options{Output: output})
	p.Logger().Info(strings.Repeat("x", 70<<10))
	p.Logger().Info("short")
	if got := receive(t, server); !strings.Contains(got, "short") || p.Lost() != 1 {
		t.Errorf("got %.200q, Lost() = %d, want the short line and 1", got, p.Lost())
	}
}

func TestSyslog_is_not_asked_all_the_time_while_it_is_away(t *testing.T) {
	address := porttest.Address(t)
	p := open(t, logs.Options{Output: "syslog+tcp://" + address})
	p.Logger().Info("refused")
	server, err := net.Listen("tcp", address)
	if err != nil {
		t.Skip("the port was taken meanwhile")
	}
	defer server.Close()
	p.Logger().Info("not tried")
	if p.Lost() != 2 {
		t.Errorf("Lost() = %d, want 2: the second within the pause", p.Lost())
	}
	if err := p.Reopen(); err != nil { // a reload does not wait for the pause
		t.Fatal(err)
	}
	p.Logger().Info("arrives")
	conn, err := server.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	text := make([]byte, 4096)
	if n, err := conn.Read(text); err != nil || !strings.Contains(string(text[:n]), "arrives") {
		t.Errorf("got %q, %v", text[:n], err)
	}
}
