package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"

	"go.uber.org/zap"
)

// entra is Entra ID, with the tenants that the options name.
type entra struct{ *Provider }

// discover learns about each tenant on its own: its keys, under its exact issuer. With
// several tenants the browser goes to "organizations", where the account decides
// which one it is. A tenant that cannot be had takes nothing from the others.
func (p *entra) discover(ctx context.Context, last *metadata) (*metadata, error) {
	authorities, resolved := map[string]*authority{}, map[string]string{}
	if last != nil {
		maps.Copy(authorities, last.authorities)
		maps.Copy(resolved, last.resolved)
	}
	var front document
	var errs []error
	for _, name := range p.o.Tenants {
		d, tenant, err := p.tenant(ctx, name, resolved)
		if err == nil {
			resolved[name], front = tenant, d
			var from *authority
			if from, err = p.authority(ctx, d, tenant, last); from != nil {
				authorities[tenant] = from
			}
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("tenant %s: %w", name, err))
		}
	}
	if len(p.o.Tenants) > 1 {
		var err error
		if front, err = p.published(ctx, "organizations", "{tenantid}"); err != nil {
			errs, front = append(errs, err), document{}
		}
	}
	err := errors.Join(errs...)
	switch {
	case len(authorities) == 0:
		return nil, err
	case front.AuthURL == "" && last == nil:
		return nil, err
	case front.AuthURL == "":
		// What the tenants sign with is news; where to go stays what it was.
		m := *last
		m.authorities, m.resolved = authorities, resolved
		return &m, err
	}
	m := front.metadata()
	m.authorities, m.resolved = authorities, resolved
	return m, err
}

// tenant fetches the document of a tenant, and says its GUID. A domain is looked up
// once: the issuer of its document names the tenant, and from then on that is asked.
func (p *entra) tenant(
	ctx context.Context, name string, resolved map[string]string,
) (d document, tenant string, err error) {
	tenant = name
	if !guid.MatchString(name) {
		if tenant = resolved[name]; tenant == "" {
			if tenant, err = p.lookUp(ctx, name); err != nil {
				return d, "", err
			}
		}
	}
	d, err = p.published(ctx, tenant, tenant)
	return d, tenant, err
}

// published fetches the document of a tenant, whose issuer must be that of another
// name of it.
func (p *entra) published(ctx context.Context, tenant, issuer string) (document, error) {
	d, err := p.document(ctx, p.base(tenant))
	if err != nil {
		return d, err
	}
	// Userinfo is one of Graph's, and tells nothing that the ID token does not.
	d.UserinfoURL = ""
	return d, d.check(p.base(issuer), nil)
}

func (p *entra) lookUp(ctx context.Context, name string) (string, error) {
	d, err := p.document(ctx, p.base(name))
	if err != nil {
		return "", err
	}
	rest, _ := strings.CutPrefix(d.Issuer, p.o.AuthorityHost+"/")
	tenant, _ := strings.CutSuffix(rest, "/v2.0")
	if !guid.MatchString(tenant) || d.Issuer != p.base(tenant) || tenant == consumers {
		return "", unavailable("discovery: %q is not the issuer of a tenant",
			clean(d.Issuer, maxDescription))
	}
	p.o.Log.Info("tenant found", zap.String("domain", name), zap.String("tenant", tenant))
	return tenant, nil
}

// base is the issuer of a tenant, below which its document lies.
func (p *entra) base(tenant string) string {
	return p.o.AuthorityHost + "/" + tenant + "/v2.0"
}

func (p *entra) renew(ctx context.Context, m *metadata, refresh string) (*answer, error) {
	return p.renewed(ctx, m, refresh)
}

func (p *entra) claims(ctx context.Context, g grant) (*Claims, error) {
	t, err := p.idToken(ctx, g)
	if err != nil {
		return nil, err
	}
	c, err := p.account(t)
	if err != nil {
		return nil, err
	}
	c.Refresh, c.IDToken = g.Refresh, g.IDToken
	if overflows(t.claims) {
		c.Groups, err = p.memberOf(ctx, g.AccessToken)
		if c.GroupsUnknown = err != nil; err != nil {
			c.Groups = nil
			p.o.Log.Warn("groups of an account are not known: too many for its token, and Graph"+
				" does not tell them", zap.String("subject", c.Subject), zap.Error(err))
		}
	}
	return c, nil
}

// account makes claims of a token of version 2. The key of an account is the tenant and
// the object id: sub differs for each client, and all else changes hands.
func (p *entra) account(t *token) (*Claims, error) {
	object := t.claims.text("oid")
	switch {
	case t.claims.text("ver") != "2.0":
		return nil, invalid("the token is of version %q: the app registration must ask for"+
			" version 2 (requestedAccessTokenVersion)", clean(t.claims.text("ver"), maxCode))
	case !guid.MatchString(object):
		return nil, invalid("the token does not say the object id (oid): is the scope profile missing?")
	}
	c := p.common(t)
	c.Subject = t.from.tenant + "/" + object
	c.Name, c.Title = t.claims.name("preferred_username"), t.claims.name("name")
	c.Guest = guest(t.claims, t.from.tenant)
	c.Email, c.EmailVerified = entraMail(t.claims)
	if overflows(t.claims) {
		c.Groups, c.GroupsUnknown = nil, true
	}
	return c, nil
}

// guest tells whether the account is at home elsewhere: acct says so where the app
// registration asks for it, otherwise the identity provider does.
func guest(f fields, tenant string) bool {
	switch string(f["acct"]) {
	case "0", `"0"`:
		return false
	case "1", `"1"`:
		return true
	}
	home := f.text("idp")
	return home != "" && !strings.Contains(home, tenant)
}

// entraMail finds an address. Anybody can set that of their account in a tenant of
// their own, so only what Entra ID vouches for is verified.
func entraMail(f fields) (address string, verified bool) {
	if primary, _ := f.list("verified_primary_email"); len(primary) > 0 {
		if address = mail(primary[0]); address != "" {
			return address, ascii(address)
		}
	}
	address = mail(f.text("email"))
	owner := string(f["xms_edov"])
	owned := owner == "true" || owner == "1" || owner == `"1"`
	return address, address != "" && ascii(address) && owned
}

// overflows tells whether the account has more groups than fit into a token. What the
// claims name as the place of the rest is never asked.
func overflows(f fields) bool {
	var names fields
	_ = json.Unmarshal(f["_claim_names"], &names)
	return names["groups"] != nil || f.yes("hasgroups") || f.text("hasgroups") == "true"
}
