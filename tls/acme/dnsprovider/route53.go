package dnsprovider

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// hosted are zones at Route 53. The service's own client is a sixth of the whole
// program, for three requests.
type hosted struct {
	o      Options
	signer *v4.Signer
	base   string
}

func newRoute53(o Options) Provider {
	base := cmp.Or(o.Base, "https://route53.amazonaws.com") + "/2013-04-01"
	return &editor{sets: &hosted{o, v4.NewSigner(), base}}
}

// awsSet is the set of records of one name.
type awsSet struct {
	Name   string
	Type   string
	TTL    int
	Values []string `xml:"ResourceRecords>ResourceRecord>Value"`
}

type awsChange struct {
	XMLName xml.Name `xml:"https://route53.amazonaws.com/doc/2013-04-01/ ChangeResourceRecordSetsRequest"`
	Action  string   `xml:"ChangeBatch>Changes>Change>Action"`
	Set     awsSet   `xml:"ChangeBatch>Changes>Change>ResourceRecordSet"`
}

// get returns the texts as they are written there, without the outer quotes, and as
// the state the whole set.
func (h *hosted) get(ctx context.Context, zone, name string) ([]string, string, error) {
	id, err := h.find(ctx, zone)
	if err != nil {
		return nil, "", err
	}
	query := url.Values{"name": {name}, "type": {"TXT"}, "maxitems": {"1"}}
	var found struct {
		Sets []awsSet `xml:"ResourceRecordSets>ResourceRecordSet"`
	}
	err = h.ask(ctx, http.MethodGet, "/hostedzone/"+id+"/rrset?"+query.Encode(), nil, &found)
	if err != nil {
		return nil, "", err
	}
	// The list begins at the name and goes on behind it.
	if len(found.Sets) == 0 || found.Sets[0].Type != "TXT" || !sameName(found.Sets[0].Name, name) {
		return nil, "", nil
	}
	state, err := xml.Marshal(found.Sets[0])
	var texts []string
	for _, value := range found.Sets[0].Values {
		texts = append(texts, strings.Trim(value, `"`))
	}
	return texts, string(state), err
}

// put replaces the set. One that is removed has to be told as it was.
func (h *hosted) put(ctx context.Context, zone, name, state string, texts []string) error {
	change := awsChange{Action: "UPSERT", Set: awsSet{Name: name, Type: "TXT", TTL: ttl}}
	for _, text := range texts {
		change.Set.Values = append(change.Set.Values, `"`+text+`"`)
	}
	if len(texts) == 0 {
		if state == "" {
			return nil
		}
		change = awsChange{Action: "DELETE"}
		if err := xml.Unmarshal([]byte(state), &change.Set); err != nil {
			return err
		}
	}
	body, err := xml.Marshal(change)
	if err != nil {
		return err
	}
	id, err := h.find(ctx, zone)
	if err != nil {
		return err
	}
	return h.ask(ctx, http.MethodPost, "/hostedzone/"+id+"/rrset/", body, nil)
}

// find returns the id of the public zone of that name.
func (h *hosted) find(ctx context.Context, zone string) (string, error) {
	if h.o.HostedZoneID != "" {
		return url.PathEscape(h.o.HostedZoneID), nil
	}
	var found struct {
		Zones []struct {
			ID      string `xml:"Id"`
			Name    string
			Private bool `xml:"Config>PrivateZone"`
		} `xml:"HostedZones>HostedZone"`
	}
	query := url.Values{"dnsname": {zone}, "maxitems": {"10"}}
	err := h.ask(ctx, http.MethodGet, "/hostedzonesbyname?"+query.Encode(), nil, &found)
	if err != nil {
		return "", fmt.Errorf("look for the zone: %w", err)
	}
	for _, z := range found.Zones {
		if sameName(z.Name, zone) && !z.Private {
			return url.PathEscape(strings.TrimPrefix(z.ID, "/hostedzone/")), nil
		}
	}
	return "", errNoZone
}

var errNoZone = errors.New("no public zone of that name, or no right to see it")

// longestAnswer bounds an answer of the service.
const longestAnswer = 1 << 20

// ask sends a signed request and reads the answer, unless into is nil.
func (h *hosted) ask(ctx context.Context, method, path string, body []byte, into any) error {
	r, err := http.NewRequestWithContext(ctx, method, h.base+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/xml")
	}
	digest := sha256.Sum256(body)
	// The service is everywhere, and signed for as if it were there.
	err = h.signer.SignHTTP(ctx, aws.Credentials{
		AccessKeyID: h.o.AccessKeyID, SecretAccessKey: h.o.SecretAccessKey,
	}, r, hex.EncodeToString(digest[:]), "route53", "us-east-1", time.Now())
	if err != nil {
		return err
	}
	answer, err := h.o.Client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, longestAnswer))
	switch {
	case err != nil:
		return err
	case answer.StatusCode != http.StatusOK:
		return refused(answer.StatusCode, text)
	case into == nil:
		return nil
	}
	return xml.Unmarshal(text, into)
}

// refused is an answer that is not 200, in one line.
func refused(status int, text []byte) error {
	var said struct {
		Code     string   `xml:"Error>Code"`
		Messages []string `xml:"Messages>Message"` // of a change that cannot be
	}
	// What is not XML says nothing.
	_ = xml.Unmarshal(text, &said)
	if len(said.Messages) > 0 {
		said.Code = strings.Join(said.Messages, " ")
	}
	return errors.New("Route 53 answers " + cmp.Or(said.Code, http.StatusText(status)))
}

// sameName compares names of the DNS, with or without the dot at their end.
func sameName(a, b string) bool {
	return strings.EqualFold(strings.TrimSuffix(a, "."), strings.TrimSuffix(b, "."))
}
