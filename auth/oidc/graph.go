package oidc

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// graphPatience is how long Graph may ask us to wait before the only second try.
const graphPatience = 2 * time.Second

// memberOf asks Graph for the ids of all security groups that the owner of the access
// token is in, also by way of others, which needs User.Read.
func (p *entra) memberOf(ctx context.Context, accessToken string) ([]string, error) {
	got, err := p.memberObjects(ctx, accessToken)
	if err != nil {
		return nil, err
	}
	if got.try() && got.retryAfter <= graphPatience {
		if err := wait(ctx, max(got.retryAfter, time.Second)); err != nil {
			return nil, unavailable("graph: %w", err)
		}
		if got, err = p.memberObjects(ctx, accessToken); err != nil {
			return nil, err
		}
	}
	if !got.ok() {
		return nil, unavailable("graph: %w", &statusError{"getMemberObjects", got.status})
	}
	var f fields
	if json.Unmarshal(got.body, &f) != nil || f["value"] == nil {
		return nil, unavailable("graph: an answer without ids")
	}
	groups, all := f.list("value")
	if !all {
		return nil, unavailable("graph: more than %d groups", maxGroups)
	}
	return groups, nil
}

func (p *entra) memberObjects(ctx context.Context, accessToken string) (*reply, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost,
		p.o.GraphURL+"/v1.0/me/getMemberObjects", strings.NewReader(`{"securityEnabledOnly":true}`))
	if err != nil {
		return nil, unavailable("graph: not an address")
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+accessToken)
	return p.web.do(r)
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
