package portal

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"go.uber.org/zap"

	"doorward/auth/audit"
	"doorward/auth/oidc"
	"doorward/auth/page"
	"doorward/auth/session"
	"doorward/auth/user"
)

// busyWait is when to try again what was too much at once.
const busyWait = 3 * time.Second

// frame is what every page has, for whoever has the session; nil is nobody.
func (p *Portal) frame(s *session.Session) page.Frame {
	if s == nil {
		return page.Frame{}
	}
	u := s.View().User
	return page.Frame{Locale: u.Locale, Who: who(u)}
}

func who(u *user.User) *page.Who {
	return &page.Who{Name: u.Display(), Login: u.Name, Email: u.Email}
}

func nameOf(v *user.View) string { return v.User.Name }

// app is what visitors call the place they want to go to; zero for pages of ours.
func (p *Portal) app(to address) page.App {
	if to.own {
		return page.App{}
	}
	title := to.destination.Title
	if title == "" {
		title = to.url.Host
	}
	return page.App{Title: title, URL: to.url.Scheme + "://" + to.url.Host}
}

// tell shows a message to the visitor, whoever that is.
func (p *Portal) tell(w http.ResponseWriter, r *visitor, status int, m page.Message) {
	m.Frame = p.frame(p.session(r))
	p.o.Pages.Message(w, r.Request, status, m)
}

// refuse answers a request that no page of ours makes.
func (p *Portal) refuse(w http.ResponseWriter, r *visitor, status int) {
	p.tell(w, r, status, page.Message{Kind: page.Stale, Home: "/"})
}

func (p *Portal) notFound(w http.ResponseWriter, r *visitor) {
	p.tell(w, r, 0, page.Message{Kind: page.NotFound, Home: "/"})
}

// stale tells that a sign-in cannot go on, and where to begin again.
func (p *Portal) stale(w http.ResponseWriter, r *visitor, retry string) {
	if retry == "" {
		retry = "/sign_in"
	}
	p.tell(w, r, 0, page.Message{Kind: page.Stale, Retry: retry})
}

// failed tells of a mistake that is not the visitor's. The log has what it was.
func (p *Portal) failed(w http.ResponseWriter, r *visitor, doing string, err error) {
	if errors.Is(err, context.Canceled) {
		return // nobody reads the answer
	}
	p.o.Log.Error("sign-in: "+doing, zap.Error(err))
	p.tell(w, r, 0, page.Message{Kind: page.Failed, Home: "/"})
}

// warn logs what went wrong beside the way.
func (p *Portal) warn(doing string, err error) {
	p.o.Log.Warn("sign-in: "+doing, zap.Error(err))
}

// providerFailed tells what a provider, or the way to it, had to say.
func (p *Portal) providerFailed(
	w http.ResponseWriter, r *visitor, pr *Provider, retry string, err error,
) {
	p.o.Log.Warn("sign-in with a provider", zap.String("provider", pr.Name), zap.Error(err))
	var refusal *oidc.CallbackError
	m := page.Message{Kind: page.ProviderError, Provider: pr.Title, Retry: retry}
	switch {
	case errors.As(err, &refusal):
		m.Detail, m.Hint = refusal.Code, refusal.Hint
		if refusal.Description != "" {
			m.Detail += ": " + refusal.Description
		}
	case errors.Is(err, oidc.ErrTenant):
		m.Kind = page.NoAccount
	case errors.Is(err, oidc.ErrUnavailable):
		_, why := pr.ready()
		p.providerDown(w, r, pr, retry, why)
		return
	}
	p.tell(w, r, 0, m)
}

func (p *Portal) providerDown(
	w http.ResponseWriter, r *visitor, pr *Provider, retry, why string,
) {
	p.tell(w, r, 0, page.Message{
		Kind: page.ProviderDown, Provider: pr.Title, Detail: why, Retry: retry,
	})
}

// record writes an event down, with who asked. It never holds a request up.
func (p *Portal) record(r *visitor, e audit.Event) {
	if p.o.Audit == nil {
		return
	}
	e.At, e.Client = p.now(), r.client.String()
	p.o.Audit.Record(r.Context(), e)
}

func retryAfter(w http.ResponseWriter, wait time.Duration) {
	w.Header().Set("Retry-After", strconv.Itoa(int((wait+time.Second-1)/time.Second)))
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
