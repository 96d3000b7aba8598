package h2_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"doorward/proxy/h2"
)

// TestCrowd has clients that are not ours talk over a few connections, all at once, with
// bodies of all sizes, and leave in the middle now and then.
func TestCrowd(t *testing.T) {
	o := options()
	o.Dictionary = h2.NewDictionary()
	address := listen(t, o, func(s *h2.Stream) {
		if v, _ := s.Request().Get("x-leave"); v != nil {
			linger(s)
			return
		}
		echo(s)
	})
	data := make([]byte, 1<<20)
	for i := range data {
		data[i] = byte(i * i >> 8)
	}
	var wait sync.WaitGroup
	for range 4 {
		transport := &http.Transport{
			DialContext: func(_ context.Context, network, _ string) (net.Conn, error) {
				return net.Dial(network, address)
			},
			Protocols: new(http.Protocols),
		}
		transport.Protocols.SetUnencryptedHTTP2(true)
		t.Cleanup(transport.CloseIdleConnections)
		for range 20 {
			wait.Go(func() { crowd(t, transport, data) })
		}
	}
	wait.Wait()
}

func crowd(t *testing.T, transport *http.Transport, data []byte) {
	for n := range 20 {
		body := data[:rand.IntN(1<<uint(rand.IntN(20))+1)]
		ctx, cancel := context.WithCancel(context.Background())
		req, err := http.NewRequestWithContext(ctx, "POST", "http://app.example/", bytes.NewReader(body))
		if err != nil {
			t.Error(err)
		}
		leave := n%5 == 4
		if leave {
			req.Header.Set("X-Leave", "soon")
			go cancel()
		}
		resp, err := transport.RoundTrip(req)
		if err != nil {
			if !leave {
				t.Error(err)
			}
			cancel()
			continue
		}
		want := body
		if len(body) == 0 {
			want = []byte("hello")
		}
		if got, err := io.ReadAll(resp.Body); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes for %d: %v", len(got), len(want), err)
		}
		cancel()
	}
}

// FuzzHeads sends heads over connections that share a dictionary: what arrives is what
// was sent, whatever sizes the tables have.
func FuzzHeads(f *testing.F) {
	f.Add("Server: a\nDate: b\nX-A: "+strings.Repeat("c", 300)+"\nContent-Type: text/html", uint32(4096))
	f.Add("Etag: a\nCache-Control: no-store\nSet-Cookie: a\nVary: b\nX: "+strings.Repeat("~", 4090), uint32(70))
	f.Add("a:\nA: \nB:c", uint32(0))
	dictionary := h2.NewDictionary()
	f.Fuzz(func(t *testing.T, lines string, size uint32) {
		head := "HTTP/1.1 299 x\r\n"
		want := ":status: 299\n"
		for line := range strings.SplitSeq(lines, "\n") {
			name, value, ok := strings.Cut(line, ":")
			value = strings.Trim(value, " \t")
			if !ok || name == "" || strings.ContainsAny(line, "\r\x00") || connectionField(name) {
				continue
			}
			head += name + ": " + value + "\r\n"
			want += lowerASCII(name) + ": " + value + "\n"
		}
		o := options()
		o.Dictionary = dictionary
		got := playHeads(t, o, head+"\r\n", size)
		for i, g := range got {
			if g != want {
				t.Errorf("head %d of %q:\n%q\n%q", i, head, g, want)
			}
		}
		if len(got) != 4 {
			t.Errorf("%d heads", len(got))
		}
	})
}

func connectionField(name string) bool {
	switch lowerASCII(name) {
	case "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade":
		return true
	}
	return false
}

func lowerASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 32
		}
	}
	return string(b)
}

// record is a transport that plays bytes, records what is written, and ends when all was
// answered.
type record struct {
	tape
	out  *bytes.Buffer
	done *sync.WaitGroup
}

func (r record) ReadLazy(take func() []byte, give func()) (int, error) {
	if r.Len() == 0 {
		r.done.Wait()
	}
	return r.tape.ReadLazy(take, give)
}

func (r record) Write(p []byte) (int, error) { return r.out.Write(p) }

// playHeads has four requests answered with the same head, with a table of another size
// from the third on, and spells what a decoder makes of the answers.
func playHeads(t *testing.T, o h2.Options, head string, size uint32) (heads []string) {
	var in, out bytes.Buffer
	in.WriteString(http2.ClientPreface)
	fr := http2.NewFramer(&in, nil)
	_ = fr.WriteSettings()
	for id := uint32(1); id < 9; id += 2 {
		if id == 5 {
			_ = fr.WriteSettings(http2.Setting{ID: http2.SettingHeaderTableSize, Val: size})
			_ = fr.WriteSettings(http2.Setting{ID: http2.SettingHeaderTableSize, Val: 2 * (size % 4096)})
		}
		_ = fr.WriteHeaders(http2.HeadersFrameParam{
			StreamID: id, EndStream: true, EndHeaders: true,
			BlockFragment: []byte("\x82\x86\x84\x41\x01a"), // GET http / a
		})
	}
	var done sync.WaitGroup
	done.Add(4)
	_ = h2.New(record{tape{strings.NewReader(in.String())}, &out, &done}, o, func(s *h2.Stream) {
		_ = s.Answer([]byte(head), nil, true)
		done.Done()
	}).Serve(nil)
	var b strings.Builder
	d := hpack.NewDecoder(4096, func(f hpack.HeaderField) {
		fmt.Fprintf(&b, "%s: %s\n", f.Name, f.Value)
	})
	fr = http2.NewFramer(io.Discard, &out)
	for {
		f, err := fr.ReadFrame()
		if err != nil {
			return heads
		}
		var part []byte
		var whole bool
		switch f := f.(type) {
		case *http2.HeadersFrame:
			part, whole = f.HeaderBlockFragment(), f.HeadersEnded()
		case *http2.ContinuationFrame:
			part, whole = f.HeaderBlockFragment(), f.HeadersEnded()
		default:
			continue
		}
		if _, err := d.Write(part); err != nil {
			t.Fatal(err)
		}
		if whole {
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			heads = append(heads, b.String())
			b.Reset()
		}
	}
}
