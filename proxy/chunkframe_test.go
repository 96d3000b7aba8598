package proxy_test

import (
	"fmt"
	"strings"
	"testing"

	"doorward/proxy"
	"doorward/proxy/h1"
)

func TestFramesOfChunks(t *testing.T) {
	trailer := []h1.Field{{Name: []byte("X-A"), Value: []byte("b")}}
	long := []h1.Field{{Name: []byte("X-Long"), Value: []byte(strings.Repeat("v", 1000))}}
	for _, c := range []struct {
		data     string
		last     bool
		trailers []h1.Field
		want     string
	}{
		{"hello", false, nil, "5\r\nhello\r\n"},
		{"hello", false, trailer, "5\r\nhello\r\n"},
		{"hello", true, nil, "5\r\nhello\r\n0\r\n\r\n"},
		{"hello", true, trailer, "5\r\nhello\r\n0\r\nX-A: b\r\n\r\n"},
		{"", false, nil, ""}, // a chunk of nothing would be the last
		{"", true, nil, "0\r\n\r\n"},
		{"", true, long, "0\r\nX-Long: " + string(long[0].Value) + "\r\n\r\n"},
	} {
		if got := proxy.FrameChunk(c.data, c.last, c.trailers); got != c.want {
			t.Errorf("%q, last %t: %q, want %q", c.data, c.last, got, c.want)
		}
	}
	// Whatever fits a bulk buffer has room for its size line.
	for _, n := range []int{1, 15, 16, 255, 4096, 65510} {
		data := strings.Repeat("x", n)
		if got, want := proxy.FrameChunk(data, false, nil), fmt.Sprintf("%x\r\n%s\r\n", n, data); got != want {
			t.Errorf("%d bytes: %.20q, want %.20q", n, got, want)
		}
	}
}

func TestAppendedChunks(t *testing.T) {
	for _, c := range []struct {
		data    string
		chunked bool
		want    string
	}{
		{"hello", true, "head5\r\nhello\r\n"},
		{"hello", false, "headhello"},
		{"", true, "head"},
		{"", false, "head"},
	} {
		if got := proxy.AppendChunk("head", c.data, c.chunked); got != c.want {
			t.Errorf("%q: %q, want %q", c.data, got, c.want)
		}
	}
}

// Of trailers only those pass that would pass as header fields too.
func TestTrailersThatPass(t *testing.T) {
	changes := request(t, proxy.ChangeList{Remove: []string{"X-Secret"}})
	var all []h1.Field
	for _, name := range []string{
		"X-Sum", "X-Forwarded-For", "x-real-ip", "X-Secret", "X-Under_score", "Proxy", "Server-Timing",
	} {
		all = append(all, h1.Field{Name: []byte(name), Value: []byte("v")})
	}
	var names []string
	for _, f := range proxy.Passing(all, changes) {
		names = append(names, string(f.Name))
	}
	if got := strings.Join(names, " "); got != "X-Sum Server-Timing" {
		t.Errorf("%s pass", got)
	}
}
