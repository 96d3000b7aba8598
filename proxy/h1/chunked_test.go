package h1_test

import (
	"strings"
	"testing"

	"doorward/proxy/h1"
)

// decode feeds a body in pieces that end where cuts say.
func decode(c *h1.Chunks, body string, cuts ...int) (data string, taken int, err error) {
	from := 0
	for _, to := range append(cuts, len(body)) {
		piece := []byte(body[from:to])
		from = to
		n, k, err := c.Decode(piece)
		data += string(piece[:n])
		taken += k
		if err != nil {
			return data, taken, err
		}
		if c.Done() {
			break
		}
	}
	return data, taken, nil
}

func fieldsOf(fields []h1.Field) (s string) {
	for _, f := range fields {
		s += string(f.Name) + "=" + string(f.Value) + ";"
	}
	return s
}

var bodies = map[string]struct{ data, trailers string }{
	"0⏎⏎":                {"", ""},
	"000⏎⏎":              {"", ""},
	"0;x⏎⏎":              {"", ""},
	"5⏎hello⏎0⏎⏎":        {"hello", ""},
	"5⏎hel⏎⏎0⏎⏎":         {"hel\r\n", ""},
	"1⏎a⏎2⏎bc⏎3⏎def⏎0⏎⏎": {"abcdef", ""},
	"00a⏎0123456789⏎A;x=\"y\"⏎0123456789⏎0⏎⏎": {"01234567890123456789", ""},
	"2;\té ;;⏎ab⏎0⏎⏎":                         {"ab", ""},
	"1⏎a⏎0⏎X: y⏎⏎":                            {"a", "X=y;"},
	"1⏎a⏎0⏎X: y⏎Z:⏎⏎":                         {"a", "X=y;Z=;"},
	"0⏎X:GET /smug HTTP/1.1⏎H: a⏎⏎":           {"", "X=GET /smug HTTP/1.1;H=a;"},
}

// A body is the same wherever the packets of the network divide it.
func TestChunksAtEverySplit(t *testing.T) {
	var c h1.Chunks
	for text, want := range bodies {
		body := string(wire(text))
		next := body + "GET / HTTP/1.1\r\n"
		for i := range len(body) + 1 {
			for j := i; j <= len(body); j++ {
				c.Reset(limits)
				data, taken, err := decode(&c, next, i, j)
				if err != nil || !c.Done() || data != want.data || taken != len(body) {
					t.Fatalf("%q cut at %d and %d: %q, %d of %d bytes, %v",
						text, i, j, data, taken, len(body), err)
				}
				if got := fieldsOf(c.Trailers()); got != want.trailers {
					t.Fatalf("%q cut at %d and %d: trailers %q", text, i, j, got)
				}
			}
		}
	}
}

func TestChunksAreNotDoneEarly(t *testing.T) {
	for text := range bodies {
		body := string(wire(text))
		for i := range body {
			var c h1.Chunks
			c.Reset(limits)
			if _, taken, err := decode(&c, body[:i]); err != nil || c.Done() || taken != i {
				t.Errorf("%q: %d of %d bytes: took %d, done %v, %v",
					text, i, len(body), taken, c.Done(), err)
			}
		}
	}
}

// malformedChunks maps bodies to what may be decoded before the fault.
var malformedChunks = map[string]string{
	"⏎": "", "0x2⏎": "", "+2⏎": "", "-2⏎": "", " 2⏎": "", "2 ⏎": "", "2\t⏎": "", "0_2e⏎": "",
	"2;⏎": "", "1FFFFFFFFFFFFFFFF⏎": "", "0000000000000001⏎": "", "2\v⏎": "", "２⏎": "", "g⏎": "",
	";x⏎": "", "2,⏎": "", "2\nab": "", "2\rab": "", "2\r\r\nab": "", "\n2⏎": "", "⏎2⏎ab": "",
	"2;\nxx⏎ab⏎": "", "2;a\rb⏎": "", "2;a\r\r\n": "", "5\r\r;ABCD⏎": "", "2;\x00⏎": "",
	"2;\x7f⏎": "", "2;a\x01⏎": "",
	"2⏎abXX0⏎⏎": "ab", "2⏎ab\n0⏎⏎": "ab", "2⏎ab\r0⏎⏎": "ab", "2⏎ab\r\r\n": "ab", "2⏎ab0⏎⏎": "ab",
}

func TestMalformedChunks(t *testing.T) {
	for text, before := range malformedChunks {
		body := string(wire(text))
		for cut := range body {
			var c h1.Chunks
			c.Reset(limits)
			data, _, err := decode(&c, body, cut)
			if status(err) != 400 || data != before || c.Done() {
				t.Errorf("%q cut at %d: %q, done %v, %v", text, cut, data, c.Done(), err)
			}
		}
	}
}

// To some parsers a line end inside quotes ends no line.
func TestLineEndInQuotedExtension(t *testing.T) {
	for text, bad := range map[string]bool{
		"1;a=\"⏎X⏎0⏎⏎": true, "1;\"⏎": true, "1;a=\"\\\"⏎": true, "1;a=\"b\"\"⏎": true,
		"1;a=\"b\"⏎X⏎0⏎⏎": false, "1;a=\"\\\"\"⏎X⏎0⏎⏎": false, "1;a=\\⏎X⏎0⏎⏎": false,
	} {
		var c h1.Chunks
		c.Reset(limits)
		_, _, err := decode(&c, string(wire(text)))
		if (status(err) == 400) != bad || c.Done() == bad {
			t.Errorf("%q: done %v, %v", text, c.Done(), err)
		}
	}
}

func TestTrailersRefused(t *testing.T) {
	for _, text := range []string{
		"Content-Length: 5⏎⏎", "Transfer-Encoding: chunked⏎⏎", "Transfer_Encoding: chunked⏎⏎",
		"Host: x⏎⏎", "Authorization: x⏎⏎", "Cookie: x⏎⏎", "Connection: close⏎⏎", "TE: x⏎⏎",
		"Trailer: x⏎⏎", "Upgrade: x⏎⏎", "Keep-Alive: x⏎⏎", "Expect: x⏎⏎", "X: y⏎host: x⏎⏎",
		"X⏎⏎", " X: y⏎⏎", "X: y⏎ z⏎⏎", "X : y⏎⏎", ": y⏎⏎", "X: \x00⏎⏎", "X: a\rb⏎⏎",
		"X: y\n", "\n", "\r\r\n⏎", "X: y⏎\n",
	} {
		body := string(wire("0⏎" + text))
		for cut := range body {
			var c h1.Chunks
			c.Reset(limits)
			if _, _, err := decode(&c, body, cut); status(err) != 400 || len(c.Trailers()) > 0 {
				t.Errorf("%q cut at %d gives %v, trailers %v", text, cut, err, c.Trailers())
			}
		}
	}
}

func TestChunkLimits(t *testing.T) {
	trailers := func(n int) string { return "0⏎" + strings.Repeat("A: b⏎", n) + "⏎" }
	section := func(n int) string { return "0⏎A: " + strings.Repeat("x", n-7) + "⏎⏎" }
	extension := func(n int) string { return "0;" + strings.Repeat("x", n) + "⏎⏎" }
	digits := func(n int) string { return strings.Repeat("0", n) + "⏎⏎" }
	extensions := func(n int) string {
		full := "1;" + strings.Repeat("x", 255) + "⏎a⏎"
		return strings.Repeat(full, n/255) + "1;" + strings.Repeat("x", n%255) + "⏎a⏎0⏎⏎"
	}
	for name, c := range map[string]struct {
		body   func(int) string
		most   int
		status int
	}{
		"trailers":        {trailers, limits.HeadFields, 431},
		"trailer section": {section, limits.HeadBytes, 431},
		"extension":       {extension, 256, 400},
		"extensions":      {extensions, 16 << 10, 400},
		"digits":          {digits, 15, 400},
	} {
		for n, want := range map[int]int{c.most: 0, c.most + 1: c.status} {
			body := string(wire(c.body(n)))
			for cut := 0; cut < len(body); cut += 1 + len(body)/50 {
				var chunks h1.Chunks
				chunks.Reset(limits)
				_, _, err := decode(&chunks, body, cut)
				if status(err) != want || chunks.Done() != (want == 0) {
					t.Errorf("%s: %d cut at %d gives %v, done %v", name, n, cut, err, chunks.Done())
				}
			}
		}
	}
}

// A body that never ends must not be kept: what is held of it is the trailers.
func TestEndlessTrailersAreRefusedEarly(t *testing.T) {
	var c h1.Chunks
	c.Reset(limits)
	piece := []byte("0\r\nA: ")
	for total := 0; ; total += len(piece) {
		if _, _, err := c.Decode(piece); err != nil {
			if status(err) != 431 {
				t.Errorf("the error is %v", err)
			}
			return
		}
		if total > 2*limits.HeadBytes {
			t.Fatalf("%d bytes of trailers are taken", total)
		}
		piece = []byte(strings.Repeat("x", 100))
	}
}

func TestLargestChunk(t *testing.T) {
	var c h1.Chunks
	c.Reset(limits)
	if _, _, err := decode(&c, "fffffffffffffff\r\n"); err != nil {
		t.Fatal(err)
	}
	piece := strings.Repeat("x", 1<<16)
	for range 64 {
		if data, taken, err := decode(&c, piece); len(data) != len(piece) ||
			taken != len(piece) || err != nil {
			t.Fatalf("%d bytes of data, %d taken, %v", len(data), taken, err)
		}
	}
}

func TestResetForgets(t *testing.T) {
	var c h1.Chunks
	for _, half := range []string{"f", "f\r\nabc", "0\r\nX: y", "1;ext", "0\r\nX: y\r\n\r\n", "zz"} {
		c.Reset(limits)
		_, _, _ = decode(&c, half)
		c.Reset(limits)
		data, _, err := decode(&c, "2\r\nok\r\n0\r\n\r\n")
		if data != "ok" || err != nil || !c.Done() || len(c.Trailers()) > 0 {
			t.Errorf("after %q: %q, %v, trailers %v", half, data, err, c.Trailers())
		}
	}
}

func TestAppendChunkHead(t *testing.T) {
	for n, want := range map[int]string{
		0: "0\r\n", 1: "1\r\n", 15: "f\r\n", 16: "10\r\n", 65536: "10000\r\n", 0xabcdef: "abcdef\r\n",
	} {
		if got := string(h1.AppendChunkHead([]byte("x"), n)); got != "x"+want {
			t.Errorf("AppendChunkHead(%d) = %q", n, got)
		}
	}
}
