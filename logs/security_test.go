package logs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"doorward/logs"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// TestSecurity holds the attack cases that this package answers, by their id.
func TestSecurity(t *testing.T) {
	for name, run := range map[string]func(*testing.T){
		"LOG-01 one line is one event":                oneLine,
		"LOG-01 one line is one event, process log":   oneProcessLine,
		"LOG-02 keys are ours":                        ownKeys,
		"LOG-04 query strings stay out":               noQuery,
		"LOG-07 long fields are cut":                  cutFields,
		"LOG-08 disk full":                            diskFull,
		"LOG-08 nobody reads":                         nobodyReads,
		"LOG-08 log server away":                      serverAway,
		"LOG-08 standard error is a closed pipe":      closedPipe,
		"LOG-08 an output that hangs does not hinder": hangingClose,
	} {
		t.Run(name, run)
	}
}

// hostile are texts that end lines, command terminals or close strings.
var hostile = []string{
	"a\r\nHTTP/1.1 200", "a%0d%0ab", "\x1b[2J\x1b]0;x\a", "\u009b2J", "\xc2\x9b2J", "a\u2028b\u2029c",
	"a\u0085b", "\x00", "\x7f\b\b\b", "\u202eevil\u202c", "\ufeff", "\"}\n{\"level\":\"error\"}",
	`\u000a \" \\`, "\xff\xfe\xc3", "\xed\xa0\x80", "\xf0\x9f\x98", "😀 é", "\U000e0041", "\t",
	`" 200 0 "GET /`, `#0A`,
}

func oneLine(t *testing.T) {
	for _, format := range []string{"json", "haproxy"} {
		for _, text := range hostile {
			r := sample()
			b := []byte(text)
			r.Method, r.Host, r.Target, r.RequestID, r.UserAgent, r.Referer = b, b, b, b, b, b
			r.Route, r.Backend, r.Server, r.Err = text, text, text, errors.New(text)
			lines := written(t, logs.AccessOptions{Format: format, Query: true}, r)
			if len(lines) != 1 {
				t.Fatalf("%s: %q makes %d lines", format, text, len(lines))
			}
			wantPrintable(t, lines[0])
			if format == "haproxy" {
				continue
			}
			if got := object(t, lines[0])["user_agent"]; got != strings.ToValidUTF8(text, "\ufffd") &&
				utf8.ValidString(text) {
				t.Errorf("%q is read back as %q", text, got)
			}
		}
	}
}

func wantPrintable(t *testing.T, line string) {
	t.Helper()
	if !utf8.ValidString(line) {
		t.Errorf("%q is not UTF-8", line)
	}
	for _, c := range strings.TrimSuffix(line, "\n") {
		if !strconv.IsPrint(c) {
			t.Errorf("%U in %q", c, line)
		}
	}
}

func oneProcessLine(t *testing.T) {
	for _, format := range []string{"json", "console"} {
		path := filepath.Join(t.TempDir(), "log")
		p := open(t, logs.Options{Format: format, Output: path})
		for _, text := range hostile {
			p.Logger().Named(text).Error(text, zap.String("text", text),
				zap.ByteString("stack", []byte(text)), zap.Error(errors.New(text)))
		}
		lines := linesOf(t, path)
		if len(lines) != len(hostile) {
			t.Errorf("%s: %d lines for %d events", format, len(lines), len(hostile))
		}
		for _, line := range lines {
			wantPrintable(t, line)
		}
	}
}

func ownKeys(t *testing.T) {
	plain := object(t, written(t, logs.AccessOptions{}, sample())[0])
	r := sample()
	for _, field := range []*[]byte{&r.Method, &r.Host, &r.Target, &r.UserAgent, &r.RequestID} {
		*field = []byte(`x","level":"error","time":"never","user":"root`)
	}
	line := written(t, logs.AccessOptions{}, r)[0]
	got := object(t, line)
	if len(got) != len(plain) || got["time"] != plain["time"] {
		t.Errorf("keys changed: %s", line)
	}
}

func noQuery(t *testing.T) {
	for _, format := range []string{"json", "haproxy"} {
		r := sample()
		r.Target = []byte("/cb?code=hush&state=hush")
		r.Referer = []byte("https://login.example/?rd=hush#hush")
		line := written(t, logs.AccessOptions{Format: format}, r)[0]
		if strings.Contains(line, "hush") || !strings.Contains(line, "/cb") {
			t.Errorf("%s: %s", format, line)
		}
	}
}

func cutFields(t *testing.T) {
	r := sample()
	r.Target = bytes.Repeat([]byte("/a"), 4<<10)
	r.UserAgent = bytes.Repeat([]byte("é"), 8<<10)
	r.Referer = bytes.Repeat([]byte("r"), 2<<10)
	got := object(t, written(t, logs.AccessOptions{}, r)[0])
	for key, want := range map[string]string{
		"path":       strings.Repeat("/a", 512) + "...(+7168)",
		"user_agent": strings.Repeat("é", 1024) + "...(+14336)",
		"referer":    strings.Repeat("r", 2048),
	} {
		if got[key] != want {
			t.Errorf("%s is %q, %d bytes", key, got[key], len(fmt.Sprint(got[key])))
		}
	}
	line := written(t, logs.AccessOptions{Format: "haproxy"}, r)[0]
	if len(line) > 2<<10 || !analyser.MatchString(strings.TrimSuffix(line, "\n")) {
		t.Errorf("%d bytes: %s", len(line), line)
	}
}

// observed is a process log that a test can read.
func observed() (*zap.Logger, func(message string) []observer.LoggedEntry) {
	core, all := observer.New(zapcore.DebugLevel)
	return zap.New(core), func(message string) []observer.LoggedEntry {
		return all.FilterMessageSnippet(message).All()
	}
}

func diskFull(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("no /dev/full here")
	}
	log, said := observed()
	a, err := logs.NewAccess(logs.AccessOptions{Output: "/dev/full", Log: log})
	if err != nil {
		t.Fatal(err)
	}
	const lines = 3000
	for range lines {
		a.Record(sample())
	}
	shut(t, a)
	if a.Lost() != lines {
		t.Errorf("Lost() = %d, want %d", a.Lost(), lines)
	}
	if n := len(said("cannot be written")); n != 1 {
		t.Errorf("told %d times that the output fails, want once", n)
	}
	p := open(t, logs.Options{Output: "/dev/full"})
	p.Logger().Error("x")
	if p.Lost() != 1 {
		t.Errorf("process log: Lost() = %d, want 1", p.Lost())
	}
}

// nobodyReads fills the queue of a log server that does not read, far beyond
// what may wait, and then reads again.
func nobodyReads(t *testing.T) {
	server, output := logServer(t, "unixgram")
	log, said := observed()
	a, err := logs.NewAccess(logs.AccessOptions{Output: output, Size: 100, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	const lines = 50_000
	began := time.Now()
	for range lines {
		a.Record(sample())
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("requests waited: %v for %d records", took, lines)
	}
	if a.Lost() == 0 {
		t.Error("no line counted as lost")
	}
	go func() {
		for buf := make([]byte, 64<<10); ; {
			if _, _, err := server.ReadFrom(buf); err != nil {
				return
			}
		}
	}()
	until(t, func() bool {
		a.Record(sample())
		return len(said("lines lost")) > 0
	})
	shut(t, a)
	var told uint64
	for _, entry := range said("lines lost") {
		told += uint64(entry.ContextMap()["lines"].(uint64))
	}
	if told != a.Lost() {
		t.Errorf("the process log tells of %d lost lines, want %d", told, a.Lost())
	}
}

func serverAway(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	a, err := logs.NewAccess(logs.AccessOptions{Output: "syslog+unix://" + path})
	if err != nil {
		t.Fatalf("a log server that is away stops the start: %v", err)
	}
	a.Record(sample())
	until(t, func() bool { return a.Lost() == 1 })
	server, _ := logServer(t, "unixgram")
	if err := os.Symlink(server.LocalAddr().String(), path); err != nil {
		t.Fatal(err)
	}
	received := make(chan string, 1)
	go func() { received <- receive(t, server) }()
	until(t, func() bool {
		a.Record(sample())
		return len(received) > 0
	})
	if got := <-received; !message.MatchString(got) {
		t.Errorf("got %q", got)
	}
	shut(t, a)
}

// closedPipe runs this test program again with a standard error that nobody
// reads any more. Without care the first line there would end the process.
func closedPipe(t *testing.T) {
	const marker = "DOORWARD_TEST_CLOSED_PIPE"
	if os.Getenv(marker) != "" {
		p := open(t, logs.Options{})
		a, err := logs.NewAccess(logs.AccessOptions{Log: p.Logger()})
		if err != nil {
			t.Fatal(err)
		}
		p.Logger().Error("into the void")
		a.Record(sample())
		shut(t, a)
		fmt.Printf("alive, %d and %d lost\n", p.Lost(), a.Lost())
		return
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestSecurity$/^LOG-08_standard")
	cmd.Env = append(slices.Clip(os.Environ()), marker+"=1")
	cmd.Stderr = writer
	reader.Close()
	out, err := cmd.Output()
	writer.Close()
	// Two lines of the process log: ours, and that the access log fails.
	if err != nil || !strings.Contains(string(out), "alive, 3 and 1 lost") {
		t.Errorf("%v: %s", err, out)
	}
}

func hangingClose(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("elsewhere a full queue is an error at once")
	}
	_, output := logServer(t, "unixgram")
	a, err := logs.NewAccess(logs.AccessOptions{Output: output})
	if err != nil {
		t.Fatal(err)
	}
	for range 5000 {
		a.Record(sample())
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := a.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Close = %v, want the end of its time", err)
	}
}
