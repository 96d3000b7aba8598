package dnsprovider

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/dns/armdns"
)

// zones are zones at Azure DNS.
type zones struct {
	client *armdns.RecordSetsClient
	group  string
}

func newAzure(o Options) (Provider, error) {
	options := &arm.ClientOptions{
		ClientOptions:         azcore.ClientOptions{Transport: o.Client},
		DisableRPRegistration: true,
	}
	if o.Base != "" {
		options.Cloud = cloud.Configuration{
			ActiveDirectoryAuthorityHost: o.Login,
			Services: map[cloud.ServiceName]cloud.ServiceConfiguration{
				cloud.ResourceManager: {Endpoint: o.Base, Audience: audience},
			},
		}
		options.InsecureAllowCredentialWithHTTP = strings.HasPrefix(o.Base, "http:")
	}
	client, err := armdns.NewRecordSetsClient(o.SubscriptionID, newTokens(o), options)
	if err != nil {
		return nil, err
	}
	return &editor{sets: &zones{client, o.ResourceGroup}}, nil
}

func (z *zones) get(ctx context.Context, zone, name string) ([]string, string, error) {
	r, err := z.client.Get(ctx, z.group, trim(zone), relative(name, zone),
		armdns.RecordTypeTXT, nil)
	var missing *azcore.ResponseError
	switch {
	case errors.As(err, &missing) && missing.StatusCode == http.StatusNotFound &&
		missing.ErrorCode != "ParentResourceNotFound" && missing.ErrorCode != "ResourceGroupNotFound":
		return nil, "", nil
	case err != nil:
		return nil, "", brief(err)
	}
	var texts []string
	if r.Properties != nil {
		for _, record := range r.Properties.TxtRecords {
			text := ""
			for _, part := range record.Value {
				text += *part
			}
			texts = append(texts, text)
		}
	}
	state := ""
	if r.Etag != nil {
		state = *r.Etag
	}
	return texts, state, nil
}

// put replaces the set, unless somebody changed it meanwhile.
func (z *zones) put(ctx context.Context, zone, name, state string, texts []string) error {
	name = relative(name, zone)
	if len(texts) == 0 {
		if state == "" {
			return nil
		}
		_, err := z.client.Delete(ctx, z.group, trim(zone), name, armdns.RecordTypeTXT,
			&armdns.RecordSetsClientDeleteOptions{IfMatch: &state})
		return brief(err)
	}
	lifetime := int64(ttl)
	set := armdns.RecordSet{Properties: &armdns.RecordSetProperties{TTL: &lifetime}}
	for _, text := range texts {
		set.Properties.TxtRecords = append(set.Properties.TxtRecords,
			&armdns.TxtRecord{Value: []*string{&text}})
	}
	options := &armdns.RecordSetsClientCreateOrUpdateOptions{}
	if any := "*"; state == "" {
		options.IfNoneMatch = &any
	} else {
		options.IfMatch = &state
	}
	_, err := z.client.CreateOrUpdate(ctx, z.group, trim(zone), name,
		armdns.RecordTypeTXT, set, options)
	return brief(err)
}

// brief makes one line of an error of Azure's, which has a page.
func brief(err error) error {
	var long *azcore.ResponseError
	if !errors.As(err, &long) {
		return err
	}
	if long.ErrorCode == "" {
		return errors.New("Azure answers " + http.StatusText(long.StatusCode))
	}
	return errors.New("Azure answers " + long.ErrorCode)
}

func trim(name string) string { return strings.TrimSuffix(name, ".") }

// relative is a name as seen from its zone; the zone itself is "@".
func relative(name, zone string) string {
	name, zone = trim(name), trim(zone)
	if strings.EqualFold(name, zone) {
		return "@"
	}
	return strings.TrimSuffix(name, "."+zone)
}
