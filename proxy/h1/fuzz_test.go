package h1_test

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"doorward/proxy/h1"
)

// FuzzRequest holds every input against what the request path relies on: a head
// means the same however its bytes arrive, and the same to whom we forward it.
func FuzzRequest(f *testing.F) {
	for _, text := range append(heads, browser, "CONNECT a:1 HTTP/1.1⏎⏎", "GET / HTTP/1.1⏎X:y") {
		f.Add(wire(text))
	}
	for _, fields := range ambiguous {
		f.Add(wire("POST / HTTP/1.1⏎Host: a⏎" + fields + "⏎⏎"))
	}
	f.Fuzz(func(t *testing.T, head []byte) {
		r := new(h1.Request)
		n, err := parser.Parse(head, r)
		plausible(t, head, n, err)
		if m, again := feed(head, func(b []byte) (int, error) {
			return parser.Parse(b, new(h1.Request))
		}); m != n || (again == nil) != (err == nil) {
			t.Fatalf("at once %d, %v; byte by byte %d, %v", n, err, m, again)
		}
		if err != nil {
			return
		}
		clean(t, string(r.Method), string(r.Target), string(r.Path), string(r.Query), string(r.Host))
		line := fmt.Sprintf("%s %s HTTP/1.%d", r.Method, r.Target, r.Minor)
		text := serialise(t, line, r.Fields)
		if len(text) > limits.HeadBytes {
			return // spaces that we add make it longer than it was
		}
		second := new(h1.Request)
		if m, err := parser.Parse(text, second); m != len(text) || err != nil {
			t.Fatalf("%q gives %d, %v", text, m, err)
		}
		if !reflect.DeepEqual(r, second) {
			t.Fatalf("%q means\n%+v, and %q means\n%+v", head, r, text, second)
		}
		if r.Chunked && r.Length >= 0 {
			t.Fatal("two framings")
		}
	})
}

// FuzzResponse is FuzzRequest for answers.
func FuzzResponse(f *testing.F) {
	for _, text := range []string{usual, "HTTP/1.0 404⏎⏎", "HTTP/1.1 100 ⏎X: y⏎⏎", "ICY 200⏎⏎"} {
		f.Add(wire(text))
	}
	for _, fields := range ambiguous {
		f.Add(wire("HTTP/1.1 200 OK⏎" + fields + "⏎⏎"))
	}
	f.Fuzz(func(t *testing.T, head []byte) {
		r := new(h1.Response)
		n, err := h1.ParseResponse(head, r, limits)
		plausible(t, head, n, err)
		if m, again := feed(head, func(b []byte) (int, error) {
			return h1.ParseResponse(b, new(h1.Response), limits)
		}); m != n || (again == nil) != (err == nil) {
			t.Fatalf("at once %d, %v; byte by byte %d, %v", n, err, m, again)
		}
		if err != nil {
			return
		}
		clean(t, string(r.Reason))
		line := fmt.Sprintf("HTTP/1.%d %d %s", r.Minor, r.Status, r.Reason)
		text := serialise(t, line, r.Fields)
		if len(text) > limits.HeadBytes {
			return
		}
		second := new(h1.Response)
		if m, err := h1.ParseResponse(text, second, limits); m != len(text) || err != nil {
			t.Fatalf("%q gives %d, %v", text, m, err)
		}
		second.Reason = r.Reason // nil and empty are the same phrase
		if !reflect.DeepEqual(r, second) {
			t.Fatalf("%q means\n%+v, and %q means\n%+v", head, r, text, second)
		}
	})
}

// FuzzChunks decodes at once, byte by byte and cut in two, and what comes out
// framed anew.
func FuzzChunks(f *testing.F) {
	for text := range bodies {
		f.Add(wire(text), uint(3))
	}
	for text := range malformedChunks {
		f.Add(wire(text), uint(1))
	}
	f.Fuzz(func(t *testing.T, body []byte, cut uint) {
		var whole, cutInTwo, bytewise h1.Chunks
		whole.Reset(limits)
		data, taken, err := decode(&whole, string(body))
		if len(data) > taken || taken > len(body) || (err == nil && !whole.Done() && taken < len(body)) {
			t.Fatalf("%d bytes of data in %d taken of %d, %v", len(data), taken, len(body), err)
		}
		var everywhere []int
		for i := range body {
			everywhere = append(everywhere, i)
		}
		for _, c := range []struct {
			chunks *h1.Chunks
			cuts   []int
		}{{&cutInTwo, []int{int(cut % uint(len(body)+1))}}, {&bytewise, everywhere}} {
			c.chunks.Reset(limits)
			d, n, e := decode(c.chunks, string(body), c.cuts...)
			same := d == data && c.chunks.Done() == whole.Done() && (e == nil) == (err == nil)
			if !same || err == nil && n != taken ||
				fieldsOf(c.chunks.Trailers()) != fieldsOf(whole.Trailers()) {
				t.Fatalf("%q at once: %q, %d, %v; in pieces: %q, %d, %v", body, data, taken, err, d, n, e)
			}
		}
		if err == nil && whole.Done() {
			reframe(t, data, whole.Trailers())
		}
	})
}

// reframe frames data as we would, and decodes it again.
func reframe(t *testing.T, data string, trailers []h1.Field) {
	var b []byte
	if len(data) > 0 {
		b = append(append(h1.AppendChunkHead(b, len(data)), data...), "\r\n"...)
	}
	b = append(append(b, h1.LastChunk...), serialise(t, "", trailers)[2:]...)
	var c h1.Chunks
	c.Reset(h1.Limits{HeadBytes: 2 * limits.HeadBytes, HeadFields: limits.HeadFields})
	again, taken, err := decode(&c, string(b))
	if again != data || taken != len(b) || err != nil || !c.Done() ||
		fieldsOf(c.Trailers()) != fieldsOf(trailers) {
		t.Fatalf("%q decodes to %q, %d, %v", b, again, taken, err)
	}
}

// plausible holds for whatever a parser of heads returns.
func plausible(t *testing.T, head []byte, n int, err error) {
	switch {
	case err == nil:
		if n < 4 || n > len(head) || n > limits.HeadBytes || !bytes.HasSuffix(head[:n], []byte("\r\n\r\n")) {
			t.Fatalf("%q: the head has %d bytes", head, n)
		}
	case n != 0:
		t.Fatalf("%q: %d bytes and %v", head, n, err)
	case err == h1.ErrIncomplete:
		if len(head) >= limits.HeadBytes {
			t.Fatalf("%d bytes are not enough", len(head))
		}
	case status(err) < 400 || status(err) > 505:
		t.Fatalf("%q: %v", head, err)
	}
}

// feed parses ever longer beginnings until there is an outcome.
func feed(head []byte, parse func([]byte) (int, error)) (n int, err error) {
	for i := range len(head) + 1 {
		if n, err = parse(head[:i]); err != h1.ErrIncomplete {
			break
		}
	}
	return n, err
}

// serialise writes a head as it is forwarded.
func serialise(t *testing.T, line string, fields []h1.Field) []byte {
	b := append([]byte(line), "\r\n"...)
	for _, f := range fields {
		clean(t, string(f.Name), string(f.Value))
		b = append(append(append(b, f.Name...), ": "...), f.Value...)
		b = append(b, "\r\n"...)
	}
	return append(b, "\r\n"...)
}

// clean checks that no piece of a head can end a line or a string.
func clean(t *testing.T, pieces ...string) {
	for _, s := range pieces {
		if strings.ContainsAny(s, "\r\n\x00") {
			t.Fatalf("%q is part of an accepted head", s)
		}
	}
}
