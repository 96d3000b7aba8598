package oidc

import (
	"cmp"
	"context"
	"fmt"
	"strings"
)

// openID is any provider of OpenID Connect.
type openID struct{ *Provider }

func (p *openID) discover(ctx context.Context, last *metadata) (*metadata, error) {
	d, err := p.document(ctx, p.o.Issuer)
	if err != nil {
		return nil, err
	}
	if err := d.check(p.o.Issuer, p.o.IssuerHosts); err != nil {
		return nil, err
	}
	from, err := p.authority(ctx, d, "", last)
	if from == nil {
		return nil, err
	}
	m := d.metadata()
	m.authorities[""] = from
	return m, err
}

func (p *openID) renew(ctx context.Context, m *metadata, refresh string) (*answer, error) {
	return p.renewed(ctx, m, refresh)
}

func (p *openID) claims(ctx context.Context, g grant) (*Claims, error) {
	// A refresh may come without an ID token (Core 1.0, section 12.2).
	if g.again() && g.IDToken == "" {
		return p.asked(ctx, g)
	}
	t, err := p.idToken(ctx, g)
	if err != nil {
		return nil, err
	}
	c := p.common(t)
	c.Refresh, c.IDToken = g.Refresh, g.IDToken
	known := t.claims
	if p.lacks(known) && g.m.userinfoURL != "" {
		more, err := p.userinfo(ctx, g, c.Subject)
		if err == nil {
			known = p.merge(known, more)
		} else if known[p.o.GroupsClaim] == nil {
			c.GroupsUnknown = true
		}
		if err != nil && !isUnavailable(err) {
			return nil, err
		}
	}
	p.describe(c, known)
	return c, nil
}

// asked makes claims of what the userinfo endpoint says alone.
func (p *openID) asked(ctx context.Context, g grant) (*Claims, error) {
	c := &Claims{Subject: g.subject, Issuer: p.o.Issuer, Refresh: g.Refresh}
	if g.m.userinfoURL == "" {
		c.Unchanged = true
		return c, nil
	}
	f, err := p.userinfo(ctx, g, g.subject)
	if err != nil {
		return nil, err
	}
	p.describe(c, f)
	return c, nil
}

// lacks tells whether there is reason to ask for more than the ID token says.
func (p *openID) lacks(f fields) bool {
	return f.text("preferred_username") == "" || f.text("name") == "" || f.text("email") == "" ||
		f[p.o.GroupsClaim] == nil
}

// userinfo asks the userinfo endpoint, whose answer must be about the same subject
// (Core 1.0, section 5.3.2).
func (p *openID) userinfo(ctx context.Context, g grant, subject string) (fields, error) {
	var f fields
	if err := p.web.get(ctx, g.m.userinfoURL, g.AccessToken, &f); err != nil {
		return nil, fmt.Errorf("userinfo: %w", err)
	}
	if f.text("sub") != subject {
		err := invalid("userinfo is about another subject (sub)")
		if g.again() {
			err = revoked(err)
		}
		return nil, err
	}
	return f, nil
}

// merge adds what the ID token does not say. An address and whether it is verified
// belong together.
func (p *openID) merge(known, more fields) fields {
	all := fields{}
	for _, name := range []string{"preferred_username", "name", "nickname", p.o.GroupsClaim,
		p.o.RolesClaim} {
		if all[name] = known[name]; all[name] == nil {
			all[name] = more[name]
		}
	}
	from := known
	if known.text("email") == "" {
		from = more
	}
	all["email"], all["email_verified"] = from["email"], from["email_verified"]
	return all
}

// describe fills in what a person is called, and their groups.
func (p *openID) describe(c *Claims, f fields) {
	c.Name = cmp.Or(f.name("preferred_username"), f.name("nickname"))
	c.Title = f.name("name")
	c.Email = mail(f.text("email"))
	c.EmailVerified = c.Email != "" && ascii(c.Email) && f.yes("email_verified")
	if c.Name == "" {
		c.Name, _, _ = strings.Cut(c.Email, "@")
	}
	var all bool
	c.Groups, all = f.list(p.o.GroupsClaim)
	c.GroupsUnknown = c.GroupsUnknown || !all
	c.Roles, _ = f.list(p.o.RolesClaim)
}
