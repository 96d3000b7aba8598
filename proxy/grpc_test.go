package proxy_test

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"doorward/proxy"
)

func TestWhatIsACallOfGRPC(t *testing.T) {
	for contentType, want := range map[string]bool{
		"application/grpc": true, "application/grpc+proto": true, "Application/GRPC": true,
		"application/grpc;charset=x": true, "application/grpc-web": false, "application/grpc-web+proto": false,
		"application/grpcx": false, "application/json": false, "": false,
	} {
		head := "POST /a.B/C HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Type: " + contentType + "\r\n\r\n"
		s, _ := setup(t)
		if got := trial(t, s, stranger, head).IsGRPC(); got != want {
			t.Errorf("%q: %v", contentType, got)
		}
	}
}

func TestTimeoutsOfCalls(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"1H": time.Hour, "2M": 2 * time.Minute, "30S": 30 * time.Second, "100m": 100 * time.Millisecond,
		"7u": 7 * time.Microsecond, "99999999n": 99999999, "0S": 0, "99999999H": 1 << 62,
	} {
		if got, ok := proxy.CallTimeout(text); !ok || got != want {
			t.Errorf("%q: %v, %v, want %v", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "S", "1", "1s", "-1S", "1.5S", " 1S", "1S ", "123456789S", "1SS", "+1S"} {
		if got, ok := proxy.CallTimeout(text); ok {
			t.Errorf("%q is read as %v", text, got)
		}
	}
}

func TestStatusOfGRPC(t *testing.T) {
	for status, want := range map[int]int{
		400: 13, 401: 16, 403: 7, 404: 12, 413: 8, 429: 14, 431: 8, 501: 12, 502: 14, 503: 14, 504: 4,
		408: 2, 421: 2, 500: 2,
	} {
		if got := proxy.GRPCStatus(status); got != want {
			t.Errorf("%d is %d, want %d", status, got, want)
		}
	}
	reset := func(code http2.ErrCode) error {
		return fmt.Errorf("reading: %w", http2.StreamError{StreamID: 1, Code: code})
	}
	for _, c := range []struct {
		err  error
		want int
	}{
		{io.ErrUnexpectedEOF, 14}, {errors.New("x"), 14}, {reset(http2.ErrCodeRefusedStream), 14},
		{reset(http2.ErrCodeCancel), 1}, {reset(http2.ErrCodeEnhanceYourCalm), 8},
		{reset(http2.ErrCodeInadequateSecurity), 7}, {reset(http2.ErrCodeInternal), 13},
		{reset(http2.ErrCodeNo), 13},
	} {
		if got := proxy.GRPCCodeOf(c.err); got != c.want {
			t.Errorf("%v is %d, want %d", c.err, got, c.want)
		}
	}
}

func TestMessagesOfGRPC(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "plain ~ text": "plain ~ text", "50 %": "50 %25", "a\r\nb": "a%0D%0Ab", "✓": "%E2%9C%93",
	} {
		if got := proxy.AppendPercent(text); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}
