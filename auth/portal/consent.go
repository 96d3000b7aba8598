package portal

import (
	"context"
	"net/http"
	"net/url"

	"doorward/auth/audit"
	"doorward/auth/page"
)

// Consents remembers what people have agreed to.
type Consents interface {
	// Given tells whether a user has agreed to this text of a route.
	Given(userID, route, text string) bool
	// Give remembers that a user has.
	Give(ctx context.Context, userID, route, text string) error
}

// consentAt is the page that asks for the consent to an address.
func consentAt(to address) string {
	return "/consent?" + url.Values{"return": {to.String()}}.Encode()
}

// showConsent asks what a route wants to have asked, or goes on where that was done
// or there is nothing to ask.
func (p *Portal) showConsent(w http.ResponseWriter, r *visitor) {
	s := p.member(w, r)
	if s == nil {
		return
	}
	q, err := query(r.Request)
	if err != nil {
		p.refuse(w, r, statusOf(err))
		return
	}
	to := p.address(q.Get("return"), q.Get("fragment"))
	d := to.destination
	if d.Consent == "" || p.o.Consents == nil ||
		p.o.Consents.Given(s.View().User.ID, d.Route, d.Consent) {
		redirect(w, to.String())
		return
	}
	p.o.Pages.Consent(w, r.Request, http.StatusOK, page.Consent{
		Frame: p.frame(s), App: p.app(to), Action: consentAt(to), Text: d.Consent,
		Tells: d.Tells,
	})
}

// consent takes the answer.
func (p *Portal) consent(w http.ResponseWriter, r *visitor) {
	s := p.member(w, r)
	if s == nil {
		return
	}
	q, err := query(r.Request)
	f, ferr := form(r.Request)
	if err != nil || ferr != nil {
		p.refuse(w, r, http.StatusBadRequest)
		return
	}
	to := p.address(q.Get("return"), "")
	d := to.destination
	switch {
	case d.Consent == "" || p.o.Consents == nil:
		redirect(w, "/")
		return
	case f.Get("answer") != "accept":
		p.tell(w, r, 0, page.Message{
			Kind: page.Refused, App: p.app(to), Retry: consentAt(to), Home: "/",
		})
		return
	}
	if err := p.o.Consents.Give(r.Context(), s.View().User.ID, d.Route, d.Consent); err != nil {
		p.failed(w, r, "remembering a consent", err)
		return
	}
	p.record(r, audit.Event{Kind: "consent", User: nameOf(s.View()), Detail: d.Route})
	p.o.Pages.Continue(w, r.Request, http.StatusOK, page.Continue{
		Frame: p.frame(s), URL: consentAt(to), To: p.app(to).Title,
	})
}
