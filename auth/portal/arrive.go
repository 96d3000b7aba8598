package portal

import (
	"net/http"
	"net/url"
	"strings"

	"doorward/auth/cookie"
	"doorward/auth/page"
	"doorward/auth/session"
)

// arrive sends somebody who is signed in to where they wanted to go.
//
// A host of its own cookie gets a code, which only the browser that was sent here
// by that host can redeem there. Hosts that share our cookie need none. An address
// that our gate did not sign gets none either: its gate will send the visitor back
// with one that is.
func (p *Portal) arrive(w http.ResponseWriter, r *visitor, s *session.Session, v visit) {
	to := p.address(v.Return, v.Fragment)
	if to.own || !p.signed(v) {
		redirect(w, to.String())
		return
	}
	browser := cookie.Bind(w, r.Request)
	if p.o.Loops.Circles(browser, v.Return) {
		p.o.Loops.Forget(browser, v.Return)
		p.o.Log.Warn("a browser signs in again and again, and does not get through")
		p.o.Pages.Message(w, r.Request, 0, page.Message{
			Frame: p.frame(s), Kind: page.Loop, App: p.app(to), Retry: to.String(), Home: "/",
		})
		return
	}
	if p.shares(to.host()) {
		redirect(w, to.String())
		return
	}
	code, err := p.o.Sessions.Handoff(r.Context(), s, session.Handoff{
		Host: to.host(), Bind: v.Bind, Return: to.String(),
	})
	if err != nil {
		p.failed(w, r, "handing a session to "+to.host(), err)
		return
	}
	redirect(w, "https://"+to.url.Host+"/.doorward/handoff?code="+url.QueryEscape(code))
}

// arriveByForm is arrive as the answer to a form. Another host is reached by way of
// a page: Chromium holds every redirect after a form against the form-action of the
// page it was on, and nobody knows where an application redirects to.
func (p *Portal) arriveByForm(w http.ResponseWriter, r *visitor, s *session.Session, v visit) {
	to := p.address(v.Return, v.Fragment)
	if to.own {
		redirect(w, to.String())
		return
	}
	p.o.Pages.Continue(w, r.Request, http.StatusOK, page.Continue{
		Frame: p.frame(s), URL: withQuery(v.at("/sign_in")), To: p.app(to).Title,
	})
}

// shares tells whether a host gets the cookie of this one.
func (p *Portal) shares(host string) bool {
	domain := p.o.CookieDomain
	return domain != "" && (host == domain || strings.HasSuffix(host, "."+domain))
}
