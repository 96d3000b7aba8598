package tls_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"net"
	"strings"
	"testing"

	doortls "doorward/tls"
)

const (
	recordHandshake   = 22
	recordApplication = 23
)

// record frames a payload as one TLS record.
func record(kind byte, payload []byte) []byte {
	head := []byte{kind, 3, 3, 0, 0}
	binary.BigEndian.PutUint16(head[3:], uint16(len(payload)))
	return append(head, payload...)
}

// splitting sends every handshake record in pieces of one byte each.
type splitting struct{ net.Conn }

func (s splitting) Write(p []byte) (int, error) {
	var out []byte
	for rest := p; len(rest) >= 5; {
		end := 5 + int(binary.BigEndian.Uint16(rest[3:]))
		if rest[0] == recordHandshake {
			for _, b := range rest[5:end] {
				out = append(out, record(recordHandshake, []byte{b})...)
			}
		} else {
			out = append(out, rest[:end]...)
		}
		rest = rest[end:]
	}
	_, err := s.Conn.Write(out)
	return len(p), err
}

// recording keeps what was read and written, for what the hellos hold.
type recording struct {
	net.Conn
	read, written bytes.Buffer
}

func (r *recording) Write(p []byte) (int, error) {
	r.written.Write(p)
	return r.Conn.Write(p)
}

// hello returns the client's hello without the head of its record.
func (r *recording) hello() []byte {
	b := r.written.Bytes()
	return bytes.Clone(b[5 : 5+int(binary.BigEndian.Uint16(b[3:]))])
}

func (r *recording) Read(p []byte) (int, error) {
	n, err := r.Conn.Read(p)
	r.read.Write(p[:n])
	return n, err
}

// rawClient has completed a handshake with crypto/tls and can then seal records
// that crypto/tls would never send. It speaks AES-128-GCM with SHA-256.
type rawClient struct {
	conn   *recording
	server *tls.Conn
	keys   map[string][]byte // by label, as NSS key log files name them
	random []byte            // of the client
}

func newRawClient(t *testing.T, m *doortls.Manager, version uint16) *rawClient {
	t.Helper()
	clientEnd, serverEnd := loopback(t)
	t.Cleanup(func() { clientEnd.Close(); serverEnd.Close() })
	var log bytes.Buffer
	c := &rawClient{conn: &recording{Conn: clientEnd}, keys: map[string][]byte{}}
	config := asking("a.example")
	config.MaxVersion, config.KeyLogWriter = version, &log
	config.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}
	client := tls.Client(c.conn, config)
	c.server = tls.Server(serverEnd, m.ServerConfig())
	done := make(chan error, 1)
	go func() { done <- c.server.Handshake() }()
	if err := client.Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if s := client.ConnectionState().CipherSuite; s != tls.TLS_AES_128_GCM_SHA256 &&
		s != tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 {
		t.Skipf("negotiated %s, this test seals AES-128-GCM only", tls.CipherSuiteName(s))
	}
	for line := range strings.Lines(log.String()) {
		f := strings.Fields(line)
		c.random, _ = hex.DecodeString(f[1])
		c.keys[f[0]], _ = hex.DecodeString(f[2])
	}
	return c
}

func gcm(t *testing.T, key []byte) cipher.AEAD {
	t.Helper()
	b, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCM(b)
	if err != nil {
		t.Fatal(err)
	}
	return aead
}

// seal12 protects a TLS 1.2 handshake message as the client's record after its
// Finished (RFC 5246, sections 5, 6.3; RFC 5288).
func (c *rawClient) seal12(t *testing.T, message []byte) []byte {
	t.Helper()
	serverRandom := c.conn.read.Bytes()[11:43]
	seed := append(append([]byte("key expansion"), serverRandom...), c.random...)
	block, a := []byte(nil), seed
	mac := func(data ...[]byte) []byte {
		h := hmac.New(sha256.New, c.keys["CLIENT_RANDOM"])
		for _, d := range data {
			h.Write(d)
		}
		return h.Sum(nil)
	}
	for len(block) < 40 {
		a = mac(a)
		block = append(block, mac(a, seed)...)
	}
	explicit := []byte{0, 0, 0, 0, 0, 0, 0, 1}
	extra := append(bytes.Clone(explicit), recordHandshake, 3, 3)
	extra = binary.BigEndian.AppendUint16(extra, uint16(len(message)))
	nonce := append(bytes.Clone(block[32:36]), explicit...)
	return record(recordHandshake, gcm(t, block[:16]).Seal(explicit, nonce, message, extra))
}

// keyUpdates gives n records, each with a TLS 1.3 KeyUpdate (RFC 8446, sections
// 4.6.3, 5.2, 7.1, 7.2).
func (c *rawClient) keyUpdates(t *testing.T, n int) []byte {
	t.Helper()
	secret := c.keys["CLIENT_TRAFFIC_SECRET_0"]
	expand := func(label string, size int) []byte {
		info := append([]byte{0, byte(size), byte(len("tls13 " + label))}, "tls13 "+label...)
		out, err := hkdf.Expand(sha256.New, secret, string(append(info, 0)), size)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	var out []byte
	for range n {
		head := []byte{recordApplication, 3, 3, 0, 5 + 1 + 16}
		inner := []byte{24, 0, 0, 1, 0, recordHandshake}
		out = append(out, head...)
		out = gcm(t, expand("key", 16)).Seal(out, expand("iv", 12), inner, head)
		secret = expand("traffic upd", 32)
	}
	return out
}

// answers sends bytes and returns what the server makes of them when it reads.
func (c *rawClient) answers(t *testing.T, b []byte) error {
	t.Helper()
	go c.conn.Write(b)
	n, err := c.server.Read(make([]byte, 1))
	if n > 0 || err == nil {
		t.Fatal("the server took bytes for content")
	}
	return err
}
