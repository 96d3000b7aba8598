package proxy_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"doorward/proxy"
)

// memory is a connection of which all bytes have arrived, in pieces.
type memory struct {
	net.Conn
	in    []byte
	piece int
}

func (m *memory) Read(p []byte) (int, error) {
	if len(m.in) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(m.piece, len(p))], m.in)
	m.in = m.in[n:]
	return n, nil
}

func (*memory) SetReadDeadline(time.Time) error { return nil }

func (*memory) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 7} }

// readHeader returns the address that the bytes give, and what follows the
// header.
func readHeader(in []byte, piece int) (netip.AddrPort, []byte, error) {
	m := &memory{in: bytes.Clone(in), piece: piece}
	peer, conn, err := proxy.ReadProxyHeader(m, time.Minute)
	if err != nil {
		return peer, nil, err
	}
	var rest []byte
	for b := make([]byte, 64); ; {
		n, err := conn.Read(b)
		rest = append(rest, b[:n]...)
		if errors.Is(err, io.EOF) {
			return peer, rest, nil
		}
	}
}

const signature = "\r\n\r\n\x00\r\nQUIT\n"

var proxyHeaders = map[string]string{ // to the address they give, "" is none
	"PROXY TCP4 1.2.3.4 5.6.7.8 1111 443\r\n":                                                   "1.2.3.4:1111",
	"PROXY TCP6 2001:db8::1 ::1 1111 443\r\n":                                                   "[2001:db8::1]:1111",
	"PROXY TCP6 ::ffff:1.2.3.4 ::1 1111 443\r\n":                                                "1.2.3.4:1111",
	"PROXY UNKNOWN\r\n":                                                                         "10.0.0.1:7",
	"PROXY UNKNOWN whatever 1 2 3\r\n":                                                          "10.0.0.1:7",
	signature + "\x21\x11\x00\x0c\x01\x02\x03\x04\x05\x06\x07\x08\x04\x57\x01\xbb":              "1.2.3.4:1111",
	signature + "\x21\x11\x00\x10\x01\x02\x03\x04\x05\x06\x07\x08\x04\x57\x01\xbb\x04\x00\x01x": "1.2.3.4:1111",
	signature + "\x20\x00\x00\x00":                                                              "10.0.0.1:7", // LOCAL
	signature + "\x20\x11\x00\x0c\x01\x02\x03\x04\x05\x06\x07\x08\x04\x57\x01\xbb":              "10.0.0.1:7",
	signature + "\x21\x00\x00\x00":                                                              "",
	"PROXY TCP4 127.0.0.1 10.0.0.1 1 99999\r\n":                                                 "",
	"PROXY TCP4 1.2.3.4 5.6.7.8 1111\r\n":                                                       "",
	"PROXY TCP4 a b c d\r\n":                                                                    "",
	"PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n":                                                       "",
	"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n":                                                          "",
	"PROXY  TCP4 1.2.3.4 5.6.7.8 1 2\r\n":                                                       "",
	"PROXY TCP4 " + strings.Repeat("1", 200) + "\r\n":                                           "",
	"GET / HTTP/1.1\r\n":                                                                        "",
	"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03":                                              "",
	signature + "\x21\x11\xff\xff\x01":                                                          "",
	signature + "\x21\x11\x00\x04\x01\x02\x03\x04":                                              "",
	signature + "\x21\x31\x00\x0c\x01\x02\x03\x04\x05\x06\x07\x08\x04\x57\x01\xbb":              "",
	signature + "\x31\x11\x00\x0c\x01\x02\x03\x04\x05\x06\x07\x08\x04\x57\x01\xbb":              "",
	signature + "\x22\x11\x00\x0c\x01\x02\x03\x04\x05\x06\x07\x08\x04\x57\x01\xbb":              "",
	"": "",
}

func TestProxyHeader(t *testing.T) {
	for header, want := range proxyHeaders {
		for _, piece := range []int{1 << 16, 16} {
			const next = "GET / HTTP/1.1\r\n"
			peer, rest, err := readHeader([]byte(header+next), piece)
			if want == "" {
				if err == nil {
					t.Errorf("%q gives %v", header, peer)
				}
				continue
			}
			// Version 1 has to come in one piece, as its specification asks of senders.
			if err != nil && piece < len(header) && strings.HasPrefix(header, "PROXY") {
				continue
			}
			if err != nil || peer.String() != want || string(rest) != next {
				t.Errorf("%q gives %v, then %q, %v", header, peer, rest, err)
			}
		}
	}
}

// FuzzProxyHeader: no panic, no byte behind the header lost or seen twice, and
// never an address that is not one.
func FuzzProxyHeader(f *testing.F) {
	for header := range proxyHeaders {
		f.Add([]byte(header), []byte("GET / HTTP/1.1\r\n"))
	}
	f.Fuzz(func(t *testing.T, header, next []byte) {
		peer, rest, err := readHeader(append(bytes.Clone(header), next...), 1<<16)
		if !peer.IsValid() || peer.Addr().Is4In6() || peer.Addr().Zone() != "" {
			t.Fatalf("%q gives %v", header, peer)
		}
		all := append(bytes.Clone(header), next...)
		if err == nil && (len(rest) > len(all)-8 || !bytes.HasSuffix(all, rest)) {
			t.Fatalf("%q is followed by %q", all, rest)
		}
	})
}
