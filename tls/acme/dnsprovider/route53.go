package dnsprovider

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"
)

// hosted are zones at Route 53.
type hosted struct {
	client *route53.Client
	zone   string // the zone's id; empty: it is looked up
}

func newRoute53(o Options) Provider {
	options := route53.Options{
		Region: "us-east-1", // the service is everywhere and signs as if it were there
		Credentials: credentials.NewStaticCredentialsProvider(
			o.AccessKeyID, o.SecretAccessKey, ""),
		HTTPClient: o.Client,
	}
	if o.Base != "" {
		options.BaseEndpoint = aws.String(o.Base)
	}
	return &editor{sets: &hosted{route53.New(options), o.HostedZoneID}}
}

func (h *hosted) get(ctx context.Context, zone, name string) ([]string, string, error) {
	id, err := h.find(ctx, zone)
	if err != nil {
		return nil, "", err
	}
	out, err := h.client.ListResourceRecordSets(ctx, &route53.ListResourceRecordSetsInput{
		HostedZoneId: aws.String(id), StartRecordName: aws.String(name),
		StartRecordType: types.RRTypeTxt, MaxItems: aws.Int32(1),
	})
	if err != nil {
		return nil, "", err
	}
	for _, set := range out.ResourceRecordSets {
		if set.Type != types.RRTypeTxt || !sameName(aws.ToString(set.Name), name) {
			continue
		}
		var texts []string
		for _, r := range set.ResourceRecords {
			texts = append(texts, strings.Trim(aws.ToString(r.Value), `"`))
		}
		return texts, strings.Join(texts, " "), nil
	}
	return nil, "", nil
}

// put replaces the set. One that is removed has to be told as it was.
func (h *hosted) put(ctx context.Context, zone, name, state string, texts []string) error {
	action := types.ChangeActionUpsert
	if len(texts) == 0 {
		if state == "" {
			return nil
		}
		action, texts = types.ChangeActionDelete, strings.Split(state, " ")
	}
	id, err := h.find(ctx, zone)
	if err != nil {
		return err
	}
	set := &types.ResourceRecordSet{
		Name: aws.String(name), Type: types.RRTypeTxt, TTL: aws.Int64(ttl),
	}
	for _, text := range texts {
		set.ResourceRecords = append(set.ResourceRecords,
			types.ResourceRecord{Value: aws.String(`"` + text + `"`)})
	}
	_, err = h.client.ChangeResourceRecordSets(ctx, &route53.ChangeResourceRecordSetsInput{
		HostedZoneId: aws.String(id),
		ChangeBatch: &types.ChangeBatch{
			Changes: []types.Change{{Action: action, ResourceRecordSet: set}},
		},
	})
	return err
}

// find returns the id of the public zone of that name.
func (h *hosted) find(ctx context.Context, zone string) (string, error) {
	if h.zone != "" {
		return h.zone, nil
	}
	out, err := h.client.ListHostedZonesByName(ctx, &route53.ListHostedZonesByNameInput{
		DNSName: aws.String(zone), MaxItems: aws.Int32(10),
	})
	if err != nil {
		return "", fmt.Errorf("look for the zone: %w", err)
	}
	for _, z := range out.HostedZones {
		if sameName(aws.ToString(z.Name), zone) && (z.Config == nil || !z.Config.PrivateZone) {
			return strings.TrimPrefix(aws.ToString(z.Id), "/hostedzone/"), nil
		}
	}
	return "", errNoZone
}

var errNoZone = errors.New("no public zone of that name, or no right to see it")

// sameName compares names of the DNS, with or without the dot at their end.
func sameName(a, b string) bool {
	return strings.EqualFold(strings.TrimSuffix(a, "."), strings.TrimSuffix(b, "."))
}
