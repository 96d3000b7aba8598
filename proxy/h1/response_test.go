package h1_test

import (
	"strings"
	"testing"

	"doorward/proxy/h1"
)

// answer reads a whole answer head that must be right.
func answer(t testing.TB, text string) *h1.Response {
	t.Helper()
	r := new(h1.Response)
	head := wire(text)
	n, err := h1.ParseResponse(head, r, limits)
	if err != nil || n != len(head) {
		t.Fatalf("ParseResponse(%q) = %d, %v; want %d, nil", text, n, err, len(head))
	}
	return r
}

func TestStatusLine(t *testing.T) {
	for line, w := range map[string]struct {
		status, minor int
		reason        string
	}{
		"HTTP/1.1 200 OK":              {200, 1, "OK"},
		"HTTP/1.0 404 Not Found":       {404, 0, "Not Found"},
		"HTTP/1.1 100":                 {100, 1, ""},
		"HTTP/1.1 999 ":                {999, 1, ""},
		"HTTP/1.1 200  two\tspaces é ": {200, 1, " two\tspaces é "},
	} {
		r := answer(t, line+"⏎⏎")
		if r.Status != w.status || r.Minor != w.minor || string(r.Reason) != w.reason {
			t.Errorf("%q: %d, HTTP/1.%d, %q", line, r.Status, r.Minor, r.Reason)
		}
	}
	for _, line := range []string{
		"", " HTTP/1.1 200 OK", "HTTP/1.1", "HTTP/1.1 ", "HTTP/1.1 20", "HTTP/1.1 99", "HTTP/1.1 099 X",
		"HTTP/1.1 20O OK", "HTTP/1.1 2000 OK", "HTTP/1.1 -20 OK", "HTTP/1.1  200 OK",
		"HTTP/1.1\t200 OK", "HTTP/1.1 200\tOK", "HTTP/1.1 200OK", "HTTP/1.2 200 OK",
		"HTTP/2.0 200 OK", "HTTP/0.9 200 OK", "http/1.1 200 OK", "ICY 200 OK", "<html><body>",
		"HTTP/1.1 200 O\x00K", "HTTP/1.1 200 O\rK", "HTTP/1.1 200 \x7f", "HTTP/1.1 200 OK\nX: y",
		"⏎HTTP/1.1 200 OK",
	} {
		if _, err := h1.ParseResponse(wire(line+"⏎⏎"), new(h1.Response), limits); status(err) == 0 {
			t.Errorf("%q gives %v", line, err)
		}
	}
}

func TestBodyOfAnAnswer(t *testing.T) {
	for head, w := range map[string][2]h1.Body{ // after GET, after HEAD
		"HTTP/1.1 200 OK":                                      {h1.UntilClose, h1.NoBody},
		"HTTP/1.0 200 OK":                                      {h1.UntilClose, h1.NoBody},
		"HTTP/1.1 200 OK⏎Content-Length: 0":                    {h1.NoBody, h1.NoBody},
		"HTTP/1.1 200 OK⏎Content-Length: 5":                    {h1.ByLength, h1.NoBody},
		"HTTP/1.1 200 OK⏎Transfer-Encoding: chunked":           {h1.ByChunks, h1.NoBody},
		"HTTP/1.1 100 Continue⏎Content-Length: 5":              {h1.NoBody, h1.NoBody},
		"HTTP/1.1 204 No Content⏎Content-Length: 5":            {h1.NoBody, h1.NoBody},
		"HTTP/1.1 304 Not Modified⏎Transfer-Encoding: chunked": {h1.NoBody, h1.NoBody},
		"HTTP/1.1 404 Not Found⏎Transfer-Encoding: chunked":    {h1.ByChunks, h1.NoBody},
	} {
		r := answer(t, head+"⏎⏎")
		if got := [2]h1.Body{r.BodyOf(false), r.BodyOf(true)}; got != w {
			t.Errorf("%q: %v, want %v", head, got, w)
		}
	}
}

func TestAnswerLimits(t *testing.T) {
	fields := func(n int) string { return "HTTP/1.1 200 OK⏎" + strings.Repeat("A: b⏎", n) + "⏎" }
	bytes := func(n int) string {
		const rest = "HTTP/1.1 200 OK⏎A: ⏎⏎"
		return strings.Replace(rest, "A: ", "A: "+strings.Repeat("x", n-len(wire(rest))), 1)
	}
	for name, c := range map[string]struct {
		head func(int) string
		most int
	}{"fields": {fields, limits.HeadFields}, "bytes": {bytes, limits.HeadBytes}} {
		answer(t, c.head(c.most))
		_, err := h1.ParseResponse(wire(c.head(c.most+1)), new(h1.Response), limits)
		if status(err) != 431 {
			t.Errorf("%s: one more than %d gives %v", name, c.most, err)
		}
	}
	endless := []byte("HTTP/1.1 200 " + strings.Repeat("x", limits.HeadBytes))
	if _, err := h1.ParseResponse(endless, new(h1.Response), limits); status(err) != 431 {
		t.Errorf("an endless line gives %v", err)
	}
}

func TestAnswerTakesNothingBehindTheHead(t *testing.T) {
	head := wire("HTTP/1.1 200 OK⏎Content-Length: 2⏎⏎")
	var r h1.Response
	n, err := h1.ParseResponse(append(head, "okHTTP/1.1 200\n"...), &r, limits)
	if err != nil || n != len(head) || r.Length != 2 {
		t.Errorf("ParseResponse = %d, %v, length %d", n, err, r.Length)
	}
}
