package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
)

// probe asks a proxy for everything that the rows ask for and checks that it
// does the work: a proxy that skips a header would win.
func (l *lab) probe(p *proxy) error {
	trusted, err := l.roots()
	if err != nil {
		return err
	}
	if p.http2, err = speaksHTTP2(p.https, l.host()); err != nil {
		return err
	}
	failed := l.probeOver(p.http, "http://", &http.Transport{})
	failed = errors.Join(failed, l.probeOver(p.https, "https://", &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: trusted},
	}))
	if p.http2 {
		alone := new(http.Protocols)
		alone.SetHTTP2(true)
		failed = errors.Join(failed, l.probeOver(p.https, "https://", &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: trusted}, Protocols: alone,
		}))
	}
	if p.name != "nginx" { // its package cannot remove the field
		failed = errors.Join(failed, lacksServer(p.http, l.host()))
	}
	return failed
}

// roots is whom clients of the proxies trust.
func (l *lab) roots() (*x509.CertPool, error) {
	text, err := os.ReadFile(l.setting.Certificate)
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(text)
	return trusted, err
}

// speaksHTTP2 asks for it in a handshake (RFC 9113, section 3.2).
func speaksHTTP2(address, host string) (bool, error) {
	conn, err := tls.Dial("tcp", address, &tls.Config{
		ServerName: host, InsecureSkipVerify: true,
		NextProtos: []string{"h2", "http/1.1"},
	})
	if err != nil {
		return false, err
	}
	defer conn.Close()
	return conn.ConnectionState().NegotiatedProtocol == "h2", nil
}

// probeOver asks for every host at an address.
func (l *lab) probeOver(address, scheme string, over *http.Transport) (failed error) {
	over.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", address)
	}
	client := &http.Client{Timeout: patience, Transport: over}
	defer client.CloseIdleConnections()
	for _, host := range l.setting.Hosts {
		failed = errors.Join(failed, l.probeHost(client, scheme+host))
	}
	return failed
}

func (l *lab) probeHost(client *http.Client, url string) error {
	answer, body, err := get(client, url+"/")
	if err != nil {
		return err
	}
	if len(body) != smallBytes {
		return fmt.Errorf("%s/: %d bytes", url, len(body))
	}
	for name, value := range l.setting.Headers {
		if answer.Header.Get(name) != value {
			return fmt.Errorf("%s/: %s is %q", url, name, answer.Header.Get(name))
		}
	}
	if answer.TLS != nil {
		if suite := answer.TLS.CipherSuite; suite != tls.TLS_AES_128_GCM_SHA256 {
			return fmt.Errorf("%s/: the suite is %s", url, tls.CipherSuiteName(suite))
		}
	}
	_, seen, err := get(client, url+"/seen")
	if err != nil {
		return err
	}
	u := answer.Request.URL
	want := fmt.Sprintf("127.0.0.1|%s|%s|127.0.0.1", u.Scheme, u.Host)
	if string(seen) != want {
		return fmt.Errorf("%s/seen: the server got %q, not %q", url, seen, want)
	}
	_, big, err := get(client, url+"/big")
	if err == nil && len(big) != bigBytes {
		err = fmt.Errorf("%s/big: %d bytes", url, len(big))
	}
	if err != nil {
		return err
	}
	return probeUpload(client, url+"/upload")
}

func probeUpload(client *http.Client, url string) error {
	answer, err := client.Post(url, "text/plain", bytes.NewReader(make([]byte, bigBytes)))
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err == nil && (answer.StatusCode != http.StatusOK || len(body) != uploadBytes) {
		err = fmt.Errorf("%s: %s, %q", url, answer.Status, body)
	}
	return err
}

func get(client *http.Client, url string) (*http.Response, []byte, error) {
	answer, err := client.Get(url)
	if err != nil {
		return nil, nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", url, answer.Status)
	}
	return answer, body, err
}

// lacksServer looks for the field that was to be removed.
func lacksServer(address, host string) error {
	request, err := http.NewRequest(http.MethodGet, "http://"+address+"/", nil)
	if err != nil {
		return err
	}
	request.Host = host
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if server := answer.Header.Get("Server"); server != "" {
		return fmt.Errorf("the answer says Server: %s", server)
	}
	return nil
}
