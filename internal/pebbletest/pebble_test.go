package pebbletest_test

import (
	"net"
	"net/url"
	"testing"

	"github.com/libdns/libdns"

	"doorward/internal/pebbletest"
)

func TestStart_gives_an_authority_and_its_dns(t *testing.T) {
	p := pebbletest.Start(t, pebbletest.Options{})
	if p.Roots(t) == nil {
		t.Error("no roots")
	}
	record := libdns.RR{Name: "_acme-challenge", Type: "TXT", Data: "text"}
	records := []libdns.Record{record}
	if _, err := p.DNS.AppendRecords(t.Context(), "a.test.", records); err != nil {
		t.Fatal(err)
	}
	if got := p.DNS.TXT(t, "_acme-challenge.a.test"); len(got) != 1 || got[0] != "text" {
		t.Errorf("TXT %q, want text", got)
	}
	if _, err := p.DNS.DeleteRecords(t.Context(), "a.test.", records); err != nil {
		t.Fatal(err)
	}
	if got := p.DNS.TXT(t, "_acme-challenge.a.test"); len(got) != 0 {
		t.Errorf("TXT %q after it was deleted", got)
	}
}

func TestAgain_is_where_the_first_was(t *testing.T) {
	p := pebbletest.Start(t, pebbletest.Options{})
	p.Stop()
	p.Stop()
	u, err := url.Parse(p.Directory)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := net.Dial("tcp", u.Host); err == nil {
		_ = c.Close()
		t.Error("a stopped authority listens")
	}
	if again := p.Again(t); again.Directory != p.Directory || again.CAFile != p.CAFile {
		t.Errorf("%s with %s, want %s with %s",
			again.Directory, again.CAFile, p.Directory, p.CAFile)
	}
}
