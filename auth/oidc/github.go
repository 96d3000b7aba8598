package oidc

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"go.uber.org/zap"
)

const (
	gitHubPage  = 100
	gitHubPages = 20
	// byAccess marks what Refresh gets where there is no refresh token: the access
	// token itself, which lasts until somebody revokes it.
	byAccess = "access:"
)

// gitHub is github.com or a GitHub Enterprise Server: OAuth without OpenID Connect, so
// that who it is has to be asked over its API.
type gitHub struct{ *Provider }

// discover asks nobody: GitHub publishes nothing of itself, its addresses are known.
func (p *gitHub) discover(context.Context, *metadata) (*metadata, error) {
	base := p.o.AuthorityHost + "/login/oauth"
	return &metadata{
		authURL: base + "/authorize", tokenURL: base + "/access_token",
		authorities: map[string]*authority{"": {issuer: base}},
	}, nil
}

// renew uses a refresh token where the app has them (GitHub Apps), and otherwise sees
// whether the access token still opens anything.
func (p *gitHub) renew(ctx context.Context, m *metadata, refresh string) (*answer, error) {
	if access, ok := strings.CutPrefix(refresh, byAccess); ok {
		return &answer{AccessToken: access}, nil
	}
	return p.renewed(ctx, m, refresh)
}

func (p *gitHub) claims(ctx context.Context, g grant) (*Claims, error) {
	var who struct {
		ID    int64  `json:"id"`
		Login string `json:"login"`
		Name  string `json:"name"`
	}
	if err := p.get(ctx, g, "/user", &who); err != nil {
		var status *statusError
		if g.again() && errors.As(err, &status) && status.status == http.StatusUnauthorized {
			return nil, revoked(status)
		}
		return nil, err
	}
	if who.ID <= 0 {
		return nil, invalid("GitHub does not say which user it is")
	}
	c := &Claims{
		Subject: strconv.FormatInt(who.ID, 10), Issuer: g.m.authorities[""].issuer,
		Name: clean(who.Login, maxName), Title: clean(who.Name, maxName),
		LoginHint: clean(who.Login, maxName), Refresh: g.Refresh,
	}
	if c.Refresh == "" && p.o.Recheck > 0 {
		c.Refresh = byAccess + g.AccessToken
	}
	c.Email = p.email(ctx, g)
	c.EmailVerified = c.Email != "" && ascii(c.Email)
	var err error
	if c.Groups, err = p.groups(ctx, g); err != nil {
		c.Groups, c.GroupsUnknown = nil, true
		p.o.Log.Warn("groups of an account are not known: GitHub does not tell them",
			zap.String("subject", c.Subject), zap.Error(err))
	}
	return c, nil
}

// email is the primary address, when it is verified, and empty when GitHub does not
// tell it. Others are not looked at: the person chose this one.
func (p *gitHub) email(ctx context.Context, g grant) string {
	var all []struct {
		Email    string `json:"email"`
		Primary  bool   `json:"primary"`
		Verified bool   `json:"verified"`
	}
	if p.get(ctx, g, "/user/emails", &all) != nil {
		return ""
	}
	for _, each := range all {
		if each.Primary && each.Verified {
			return mail(each.Email)
		}
	}
	return ""
}

// groups are the organizations and teams, "org" and "org/team".
func (p *gitHub) groups(ctx context.Context, g grant) ([]string, error) {
	type org struct {
		Login string `json:"login"`
	}
	type team struct {
		Slug string `json:"slug"`
		Org  org    `json:"organization"`
	}
	orgs, err := pages[org](ctx, p, g, "/user/orgs")
	if err != nil {
		return nil, err
	}
	teams, err := pages[team](ctx, p, g, "/user/teams")
	if err != nil {
		return nil, err
	}
	var all []string
	for _, o := range orgs {
		all = append(all, o.Login)
	}
	for _, t := range teams {
		all = append(all, t.Org.Login, t.Org.Login+"/"+t.Slug)
	}
	all = slices.DeleteFunc(all, func(name string) bool {
		return strings.Trim(name, "/") != name || name == "" || clean(name, maxValue) != name
	})
	slices.Sort(all)
	return slices.Compact(all), nil
}

// pages reads all pages of a list.
func pages[T any](ctx context.Context, p *gitHub, g grant, path string) ([]T, error) {
	var all []T
	for page := 1; page <= gitHubPages; page++ {
		var some []T
		address := fmt.Sprintf("%s?per_page=%d&page=%d", path, gitHubPage, page)
		if err := p.get(ctx, g, address, &some); err != nil {
			return nil, err
		}
		if all = append(all, some...); len(some) < gitHubPage {
			return all, nil
		}
	}
	return nil, unavailable("%s has more than %d pages", path, gitHubPages)
}

func (p *gitHub) get(ctx context.Context, g grant, path string, v any) error {
	return p.web.get(ctx, p.o.GraphURL+path, g.AccessToken, v)
}
