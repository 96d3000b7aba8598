package logs

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"os"
	"strconv"
	"testing"
	"time"

	"doorward/internal/access"

	"go.uber.org/zap"
)

// everyday is what a browser's request leaves behind.
func everyday() *access.Record {
	return &access.Record{
		Start:      time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC),
		Client:     netip.MustParseAddrPort("192.0.2.7:40001"),
		Listener:   ":443",
		Scheme:     "https",
		Route:      "shop",
		Backend:    "carts",
		Server:     "cart01",
		Method:     []byte("GET"),
		Host:       []byte("shop.example"),
		Target:     []byte("/assets/app-3f2a9c.js"),
		Protocol:   "HTTP/1.1",
		RequestID:  []byte("0123456789abcdef"),
		UserAgent:  []byte("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
		Referer:    []byte("https://shop.example/cart"),
		Status:     200,
		BytesIn:    512,
		BytesOut:   2048,
		Request:    150 * time.Microsecond,
		Connect:    210 * time.Microsecond,
		Response:   3 * time.Millisecond,
		Active:     4 * time.Millisecond,
		TLSVersion: 0x0304,
		TLSCipher:  0x1301,
	}
}

// FuzzLine puts arbitrary bytes where a client's stand: a record makes one line,
// the JSON is valid with no key of the client's, and both show printable runes
// only.
func FuzzLine(f *testing.F) {
	f.Add([]byte("GET"), []byte("/a?b#c"), []byte("agent\r\n\x00\u2028\u202e\x9b[2J\xff"))
	f.Add([]byte(`","level":"x`), []byte("http://u:p@h/\u0085"), []byte("\U000e0001\ufffd\xc3"))
	f.Add([]byte(""), bytes.Repeat([]byte("é"), 600), bytes.Repeat([]byte{0xff}, 3000))
	toJSON, toHAProxy := newJSON(), newHAProxy()
	keys := map[string]any{}
	if err := json.Unmarshal(toJSON.append(nil, everyday()), &keys); err != nil {
		f.Fatal(err)
	}
	keys["query"], keys["method"], keys["path"], keys["host"] = "", "", "", ""
	f.Fuzz(func(t *testing.T, method, target, text []byte) {
		r := everyday()
		r.Method, r.Target = method, target
		r.Host, r.UserAgent, r.Referer, r.RequestID = text, text, text, text
		b := &batch{}
		b.add(r, len(text)%2 == 0)
		for _, e := range []encoder{toJSON, toHAProxy} {
			line := e.append(nil, &b.records[0])
			if end := len(line) - 1; bytes.IndexByte(line, '\n') != end {
				t.Fatalf("%T: not one line: %q", e, line)
			}
			for _, c := range string(line[:len(line)-1]) {
				if !strconv.IsPrint(c) {
					t.Fatalf("%T: %U in %q", e, c, line)
				}
			}
			if e != toJSON {
				continue
			}
			var got map[string]any
			if err := json.Unmarshal(line, &got); err != nil {
				t.Fatalf("%v: %q", err, line)
			}
			for key := range got {
				if _, known := keys[key]; !known {
					t.Fatalf("key %q in %q", key, line)
				}
			}
		}
	})
}

func TestIsPlain_agrees_with_one_byte_at_a_time(t *testing.T) {
	for size := range 20 {
		for at := range size {
			for c := range 256 {
				line := bytes.Repeat([]byte("~ "), size)[:size]
				line[at] = byte(c)
				if got, want := isPlain(line), c >= ' ' && c < 0x7f; got != want {
					t.Fatalf("isPlain(%q) = %v, want %v", line, got, want)
				}
			}
		}
	}
}

// TestFile_begins_a_line_anew_after_a_torn_one lets a write stop within a line,
// as on a full disk.
func TestFile_begins_a_line_anew_after_a_torn_one(t *testing.T) {
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	s := &file{}
	s.f.Store(in)
	in.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
	lines := bytes.Repeat([]byte("0123456\n"), 1<<16)
	whole, err := s.write(severityInfo, append([]byte("abc"), lines...))
	if err == nil || whole == 0 {
		t.Fatalf("write = %d, %v, want a part", whole, err)
	}
	in.SetWriteDeadline(time.Time{})
	read := make(chan []byte)
	go func() {
		var all bytes.Buffer
		all.ReadFrom(out)
		read <- all.Bytes()
	}()
	if n, err := s.write(severityInfo, []byte("next\n")); n != 1 || err != nil {
		t.Fatalf("write = %d, %v", n, err)
	}
	s.close()
	got := <-read
	if !bytes.HasSuffix(got, []byte("\nnext\n")) || bytes.Count(got, []byte("\n")) < whole+1 {
		t.Errorf("%d lines whole, the end is %q", whole, got[len(got)-20:])
	}
}

// poison is an error that panics when it is asked for its text.
type poison struct{}

func (poison) Error() string { panic("poison") }

func TestWriter_survives_a_panic(t *testing.T) {
	a, err := NewAccess(AccessOptions{Output: os.DevNull})
	if err != nil {
		t.Fatal(err)
	}
	bad := everyday()
	bad.Err = poison{}
	a.Record(bad)
	for deadline := time.After(10 * time.Second); a.Lost() == 0; {
		select {
		case <-deadline:
			t.Fatal("the line was not counted as lost")
		case <-time.After(time.Millisecond):
		}
	}
	a.Record(everyday())
	if err := a.Close(t.Context()); err != nil || a.Lost() != 1 {
		t.Errorf("Close = %v, Lost() = %d, want 1", err, a.Lost())
	}
}

// BenchmarkRecord measures what a request pays, while batches are taken away in
// time. -cpu shows contention.
func BenchmarkRecord(b *testing.B) {
	l := newAccessLog(AccessOptions{Size: defaultSize, Log: zap.NewNop()}, nil, newHAProxy())
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		r := everyday()
		for pb.Next() {
			l.put(r)
			select {
			case <-l.filled:
				for i := range l.shards {
					s := &l.shards[i]
					s.mu.Lock()
					s.batch.reset()
					s.mu.Unlock()
				}
			default:
			}
		}
	})
	b.ReportMetric(float64(l.lost.Load())/float64(b.N), "lost/op")
}

// BenchmarkLine measures what the writer does for a record.
func BenchmarkLine(b *testing.B) {
	for name, e := range map[string]encoder{"json": newJSON(), "haproxy": newHAProxy()} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			r, dst := everyday(), []byte(nil)
			for b.Loop() {
				dst = e.append(dst[:0], r)
			}
		})
	}
}
