package h1_test

import (
	"strings"
	"testing"

	"doorward/proxy/h1"
)

// browser is what a browser sends for a page, usual what a server answers.
const (
	browser = "GET /app/dashboard?tab=all&sort=date HTTP/1.1⏎Host: app.example.com⏎" +
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0⏎" +
		"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8⏎" +
		"Accept-Language: de,en-US;q=0.7,en;q=0.3⏎Accept-Encoding: gzip, deflate, br, zstd⏎" +
		"Referer: https://app.example.com/app/⏎Connection: keep-alive⏎" +
		"Cookie: session=0123456789abcdef0123456789abcdef; theme=dark⏎" +
		"Upgrade-Insecure-Requests: 1⏎Sec-Fetch-Dest: document⏎Sec-Fetch-Mode: navigate⏎" +
		"Sec-Fetch-Site: same-origin⏎Priority: u=0, i⏎⏎"
	usual = "HTTP/1.1 200 OK⏎Server: nginx⏎Date: Sun, 22 Nov 2026 18:00:00 GMT⏎" +
		"Content-Type: text/html; charset=utf-8⏎Content-Length: 97⏎Connection: keep-alive⏎" +
		"ETag: \"67405a70-61\"⏎Cache-Control: max-age=0, private⏎⏎"
)

var wide = h1.Limits{HeadBytes: 32 << 10, HeadFields: 100, TargetBytes: 8 << 10}

func BenchmarkRequest(b *testing.B) {
	for name, text := range map[string]string{
		"browser": browser, "wrk": "GET / HTTP/1.1⏎Host: a⏎⏎",
	} {
		b.Run(name, func(b *testing.B) {
			p := h1.Parser{Limits: wide, Protected: parser.Protected}
			head := wire(text)
			var r h1.Request
			b.SetBytes(int64(len(head)))
			b.ReportAllocs()
			for b.Loop() {
				mustParse(b, &p, head, &r)
			}
		})
	}
}

func BenchmarkAnswer(b *testing.B) {
	head := wire(usual)
	var r h1.Response
	b.SetBytes(int64(len(head)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h1.ParseResponse(head, &r, wide); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkChunks(b *testing.B) {
	for name, body := range map[string]string{
		"large": "4000⏎" + strings.Repeat("x", 0x4000) + "⏎0⏎⏎",
		"tiny":  strings.Repeat("1⏎x⏎", 4000) + "0⏎⏎",
	} {
		b.Run(name, func(b *testing.B) {
			encoded := wire(body)
			buf := make([]byte, len(encoded))
			var c h1.Chunks
			b.SetBytes(int64(len(encoded)))
			b.ReportAllocs()
			for b.Loop() {
				c.Reset(wide)
				if _, _, err := c.Decode(buf[:copy(buf, encoded)]); err != nil || !c.Done() {
					b.Fatal(err)
				}
			}
		})
	}
}
