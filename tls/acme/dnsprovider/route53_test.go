package dnsprovider_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"doorward/tls/acme/dnsprovider"
)

func TestRoute53(t *testing.T) {
	z := newZone()
	base := serve(t, z.route53)
	o := dnsprovider.Options{
		Provider: dnsprovider.Route53, AccessKeyID: "AKIDTEST", SecretAccessKey: "s3cr3t", Base: base,
	}
	exercise(t, provider(t, o), z)
	if !strings.Contains(z.seen[0], "hostedzonesbyname") {
		t.Errorf("the zone was not looked up: %q", z.seen)
	}
	o.HostedZoneID = "Z1"
	z.seen = nil
	exercise(t, provider(t, o), z)
	if strings.Contains(strings.Join(z.seen, " "), "hostedzonesbyname") {
		t.Errorf("a zone that is named was looked up: %q", z.seen)
	}
	o.HostedZoneID, o.AccessKeyID = "", "AKIDOTHER"
	_, err := provider(t, o).AppendRecords(context.Background(), "example.com.", text("x"))
	if err == nil || !strings.HasSuffix(err.Error(), "Route 53 answers AccessDenied") {
		t.Errorf("a user without rights: %v", err)
	}
	o.AccessKeyID = "AKIDTEST"
	_, err = provider(t, o).AppendRecords(context.Background(), "other.example.", text("x"))
	if err == nil || !strings.Contains(err.Error(), "no public zone") {
		t.Errorf("a zone of somebody else: %v", err)
	}
}

// signature is what a signed request has (AWS Signature Version 4).
var signature = regexp.MustCompile(`^AWS4-HMAC-SHA256 Credential=AKIDTEST/\d{8}/us-east-1/` +
	`route53/aws4_request, SignedHeaders=\S*host\S*;x-amz-date, Signature=[0-9a-f]{64}$`)

// route53 imitates what Route 53 answers.
func (z *zone) route53(w http.ResponseWriter, r *http.Request) {
	z.mu.Lock()
	defer z.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	z.note("%s %s %s", r.Method, r.URL, body)
	const (
		top  = `<?xml version="1.0"?>`
		name = "_acme-challenge.example.com"
	)
	if !signature.MatchString(r.Header.Get("Authorization")) {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, top+`<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>`)
		return
	}
	switch {
	case strings.HasSuffix(r.URL.Path, "/hostedzonesbyname"):
		fmt.Fprint(w, top+`<ListHostedZonesByNameResponse><HostedZones>`+
			`<HostedZone><Id>/hostedzone/Z0</Id><Name>example.com.</Name>`+
			`<Config><PrivateZone>true</PrivateZone></Config></HostedZone>`+
			`<HostedZone><Id>/hostedzone/Z1</Id><Name>example.com.</Name></HostedZone>`+
			`</HostedZones></ListHostedZonesByNameResponse>`)
	case !strings.HasPrefix(r.URL.Path, "/2013-04-01/hostedzone/Z1/rrset"):
		w.WriteHeader(http.StatusNotFound)
	case r.Method == http.MethodGet:
		// Behind the last name there may be others.
		sets := "<ResourceRecordSet><Name>b." + name + ".</Name><Type>TXT</Type></ResourceRecordSet>"
		if len(z.texts[name]) > 0 {
			sets = "<ResourceRecordSet><Name>" + name + ".</Name><Type>TXT</Type><TTL>300</TTL>" +
				"<ResourceRecords>" + values(z.texts[name]) + "</ResourceRecords></ResourceRecordSet>"
		}
		fmt.Fprint(w, top+"<ListResourceRecordSetsResponse><ResourceRecordSets>"+sets+
			"</ResourceRecordSets></ListResourceRecordSetsResponse>")
	default:
		z.changeRoute53(w, name, string(body))
	}
}

func values(texts []string) (out string) {
	for _, text := range texts {
		out += "<ResourceRecord><Value>&#34;" + text + "&#34;</Value></ResourceRecord>"
	}
	return out
}

// changeRoute53 takes a change. A set that is removed has to be named as it is.
func (z *zone) changeRoute53(w http.ResponseWriter, name, body string) {
	const top = `<ChangeResourceRecordSetsRequest xmlns="https://route53.amazonaws.com/doc/2013-04-01/">`
	_, texts, _ := strings.Cut(body, "<ResourceRecords>")
	texts, _, _ = strings.Cut(texts, "</ResourceRecords>")
	switch {
	case strings.HasPrefix(body, top) && strings.Contains(body, "<Action>UPSERT</Action>"):
		z.texts[name] = nil
		for part := range strings.SplitSeq(texts, "<Value>&#34;") {
			if text, _, ok := strings.Cut(part, "&#34;</Value>"); ok {
				z.texts[name] = append(z.texts[name], text)
			}
		}
	case strings.Contains(body, "<Action>DELETE</Action>") && texts == values(z.texts[name]) &&
		strings.Contains(body, "<Name>"+name+".</Name><Type>TXT</Type><TTL>300</TTL>"):
		z.texts[name] = nil
	default:
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `<InvalidChangeBatch><Messages><Message>values do not match</Message>`+
			`</Messages></InvalidChangeBatch>`)
	}
}
