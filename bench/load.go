package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"
)

// loadCommand makes this program a load generator. It is a process of its own so
// that it runs on the load's core, and does what wrk cannot: a new TLS
// connection for each request, large uploads, connections that lie idle.
const loadCommand = "load"

// client is the load generator's setting.
type client struct {
	kind        string // fresh, upload or idle
	http2       bool   // fresh and idle; else HTTP/1.1
	address     string
	host        string
	certificate string // empty: without TLS
	names       int    // so many servers' names to ask TLS for in place of the host
	conns       int
	duration    time.Duration

	tls     *tls.Config
	request []byte
}

// load runs the load generator: one line of JSON on out, an [outcome]. The kind
// idle says so when its connections are open, and holds them until in ends.
func load(args []string, in io.Reader, out io.Writer) error {
	var c client
	flags := flag.NewFlagSet(loadCommand, flag.ContinueOnError)
	flags.StringVar(&c.kind, "kind", "", "fresh, upload or idle")
	flags.BoolVar(&c.http2, "http2", false, "speak HTTP/2, over TLS alone, and not for uploads")
	flags.StringVar(&c.address, "address", "", "of the proxy")
	flags.StringVar(&c.host, "host", "", "to ask for")
	flags.StringVar(&c.certificate, "certificate", "", "PEM file to trust; empty: no TLS")
	flags.IntVar(&c.names, "names", 0, "ask TLS for one of so many names, by chance; 0: for the host")
	flags.IntVar(&c.conns, "conns", 1, "connections at a time")
	flags.DurationVar(&c.duration, "duration", time.Second, "how long")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if err := c.prepare(); err != nil {
		return err
	}
	if c.kind == "idle" {
		return c.idle(in, out)
	}
	o, err := c.work()
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(o)
}

// prepare makes the TLS settings and the request, the same bytes every time.
func (c *client) prepare() error {
	switch c.kind {
	case "fresh":
		c.request = fmt.Appendf(nil, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", c.host)
	case "idle":
		c.request = fmt.Appendf(nil, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", c.host)
	case "upload":
		c.request = fmt.Appendf(nil, "POST /upload HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n",
			c.host, bigBytes)
		c.request = append(c.request, bytes.Repeat([]byte("0123456789abcdef"), bigBytes/16)...)
	default:
		return fmt.Errorf("no load of the kind %q", c.kind)
	}
	protocol := "http/1.1"
	if c.http2 {
		protocol = "h2"
		c.request = firstFlight(c.host)
	}
	if c.certificate == "" {
		return nil
	}
	text, err := os.ReadFile(c.certificate)
	if err != nil {
		return err
	}
	trusted := x509.NewCertPool()
	if !trusted.AppendCertsFromPEM(text) {
		return fmt.Errorf("%s holds no certificate", c.certificate)
	}
	// X25519 alone, because the OpenSSL of the others knows no hybrid group and a
	// Go server would take one: the same handshake for all.
	c.tls = &tls.Config{
		RootCAs: trusted, ServerName: c.host, NextProtos: []string{protocol},
		MinVersion: tls.VersionTLS13, CurvePreferences: []tls.CurveID{tls.X25519},
	}
	return nil
}

func (c *client) dial() (net.Conn, error) {
	if c.tls == nil {
		return net.Dial("tcp", c.address)
	}
	if c.names == 0 {
		return tls.Dial("tcp", c.address, c.tls)
	}
	settings := c.tls.Clone()
	settings.ServerName = nameOf(rand.IntN(c.names))
	return tls.Dial("tcp", c.address, settings)
}

// exchange sends the request and reads the whole answer.
func (c *client) exchange(conn net.Conn, answers *bufio.Reader) error {
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := conn.Write(c.request); err != nil {
		return err
	}
	if c.http2 {
		return readStream(conn, answers)
	}
	answer, err := http.ReadResponse(answers, nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("answer %s", answer.Status)
	}
	return nil
}

// work keeps all connections busy for the duration.
func (c *client) work() (outcome, error) {
	begin := time.Now()
	end := begin.Add(c.duration)
	took := make([][]time.Duration, c.conns)
	failed := make([]error, c.conns)
	var all sync.WaitGroup
	for i := range c.conns {
		all.Go(func() { took[i], failed[i] = c.worker(end) })
	}
	all.Wait()
	if err := errors.Join(failed...); err != nil {
		return outcome{}, err
	}
	latencies := slices.Concat(took...)
	if len(latencies) == 0 {
		return outcome{}, errors.New("not one request was answered")
	}
	slices.Sort(latencies)
	return outcome{
		Requests: len(latencies),
		Seconds:  time.Since(begin).Seconds(),
		P50:      latencies[len(latencies)/2],
		P99:      latencies[len(latencies)*99/100],
	}, nil
}

// worker repeats the request until the end and returns how long each took, with
// the connection where each has its own.
func (c *client) worker(end time.Time) ([]time.Duration, error) {
	var took []time.Duration
	var conn net.Conn
	var answers *bufio.Reader
	defer func() {
		if conn != nil {
			conn.Close()
		}
	}()
	for time.Now().Before(end) {
		begin := time.Now()
		if conn == nil {
			var err error
			if conn, err = c.dial(); err != nil {
				return nil, err
			}
			answers = bufio.NewReader(conn)
		}
		if err := c.exchange(conn, answers); err != nil {
			return nil, err
		}
		if c.kind != "upload" {
			conn.Close()
			conn = nil
		}
		took = append(took, time.Since(begin))
	}
	return took, nil
}

// idle opens the connections one after the other, asks once on each, and keeps
// them.
func (c *client) idle(in io.Reader, out io.Writer) error {
	conns := make([]net.Conn, 0, c.conns)
	defer func() {
		for _, conn := range conns {
			conn.Close()
		}
	}()
	for range c.conns {
		conn, err := c.dial()
		if err != nil {
			return err
		}
		conns = append(conns, conn)
		if err := c.exchange(conn, bufio.NewReader(conn)); err != nil {
			return err
		}
	}
	if err := json.NewEncoder(out).Encode(outcome{Requests: c.conns}); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, in)
	return err
}
