package pebbletest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"testing"

	"github.com/libdns/libdns"
	"github.com/miekg/dns"

	"doorward/internal/porttest"
)

// DNS is the name server of an authority: pebble-challtestsrv, and before it a
// server of ours that also says where zones begin, as DNS-01 needs to know. It
// takes records as the provider of a zone does.
type DNS struct {
	// Address is where it is asked, over UDP and TCP.
	Address string

	behind     string
	management string
}

// startDNS starts one where each host name belongs to the zone of its last two
// labels.
func startDNS(t testing.TB) *DNS {
	t.Helper()
	d := &DNS{behind: porttest.Address(t)}
	management := porttest.Address(t)
	d.management = "http://" + management
	p := start(t, "pebble-challtestsrv", nil, "-http01=", "-https01=", "-doh=",
		"-tlsalpn01=", "-defaultIPv6=", "-dnsserver", d.behind, "-management", management)
	p.until(t, func() error {
		for _, network := range []string{"udp", "tcp"} {
			question := new(dns.Msg).SetQuestion("ready.test.", dns.TypeA)
			if _, _, err := (&dns.Client{Net: network}).Exchange(question, d.behind); err != nil {
				return err
			}
		}
		c, err := net.Dial("tcp", management)
		if err == nil {
			err = c.Close()
		}
		return err
	})
	d.front(t)
	return d
}

// front listens on one port for both protocols.
func (d *DNS) front(t testing.TB) {
	t.Helper()
	l, err := net.Listen("tcp", porttest.Address(t))
	if err != nil {
		t.Fatal(err)
	}
	d.Address = l.Addr().String()
	packets, err := net.ListenPacket("udp", d.Address)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*dns.Server{{Listener: l, Net: "tcp"}, {PacketConn: packets, Net: "udp"}} {
		s.Handler = dns.HandlerFunc(d.answer)
		started := make(chan struct{})
		s.NotifyStartedFunc = func() { close(started) }
		go func() { _ = s.ActivateAndServe() }()
		<-started
		t.Cleanup(func() { _ = s.Shutdown() })
	}
}

// answer says where zones begin, and passes the rest on.
func (d *DNS) answer(w dns.ResponseWriter, question *dns.Msg) {
	reply := new(dns.Msg).SetReply(question)
	if q := question.Question[0]; q.Qtype == dns.TypeSOA {
		if dns.CountLabel(q.Name) == 2 {
			reply.Answer = append(reply.Answer, &dns.SOA{
				Hdr: dns.RR_Header{Name: q.Name, Rrtype: dns.TypeSOA, Class: dns.ClassINET},
				Ns:  "ns." + q.Name, Mbox: "master." + q.Name, Serial: 1,
			})
		}
	} else if passed, _, err := (&dns.Client{Net: "tcp"}).Exchange(question, d.behind); err == nil {
		reply = passed
	} else {
		reply.Rcode = dns.RcodeServerFailure
	}
	_ = w.WriteMsg(reply)
}

// AppendRecords writes TXT records.
func (d *DNS) AppendRecords(
	ctx context.Context, zone string, records []libdns.Record,
) ([]libdns.Record, error) {
	for _, r := range records {
		rr := r.RR()
		name := libdns.AbsoluteName(rr.Name, zone)
		if err := d.set(ctx, "/set-txt", map[string]string{"host": name, "value": rr.Data}); err != nil {
			return nil, err
		}
	}
	return records, nil
}

// DeleteRecords removes all TXT records of a name, for the server knows no less.
func (d *DNS) DeleteRecords(
	ctx context.Context, zone string, records []libdns.Record,
) ([]libdns.Record, error) {
	for _, r := range records {
		name := libdns.AbsoluteName(r.RR().Name, zone)
		if err := d.set(ctx, "/clear-txt", map[string]string{"host": name}); err != nil {
			return nil, err
		}
	}
	return records, nil
}

// SetCNAME makes a name another one for target.
func (d *DNS) SetCNAME(t testing.TB, name, target string) {
	t.Helper()
	record := map[string]string{"host": dns.Fqdn(name), "target": dns.Fqdn(target)}
	if err := d.set(t.Context(), "/set-cname", record); err != nil {
		t.Fatal(err)
	}
}

// TXT are the texts that a name has now.
func (d *DNS) TXT(t testing.TB, name string) []string {
	t.Helper()
	question := new(dns.Msg).SetQuestion(dns.Fqdn(name), dns.TypeTXT)
	answer, _, err := new(dns.Client).ExchangeContext(t.Context(), question, d.Address)
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, record := range answer.Answer {
		if txt, ok := record.(*dns.TXT); ok {
			texts = append(texts, txt.Txt...)
		}
	}
	return texts
}

func (d *DNS) set(ctx context.Context, path string, record map[string]string) error {
	text, err := json.Marshal(record)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, d.management+path,
		bytes.NewReader(text))
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", path, answer.Status)
	}
	return nil
}
