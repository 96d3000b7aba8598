package auth

import (
	"errors"
	"net/http"
	"net/url"
	"time"

	"go.uber.org/zap"

	"doorward/auth/assert"
	"doorward/auth/cookie"
	"doorward/auth/page"
	"doorward/auth/policy"
	"doorward/auth/user"
	"doorward/internal/gate"
)

// refuse is the answer to those whom the rule does not let in: a page for people, and
// never a redirect, which would come back here.
func (g *Gate) refuse(q *gate.Question, h holder, asked policy.Asked) gate.Verdict {
	e := g.o.Rule.Explain(h.view, h.mfa, h.provider, asked)
	if h.view != nil {
		g.tell(q, h.view, e.Decision)
	}
	return g.forbid(q, h.view, e)
}

// tellEvery is how often a refusal of the same user is told of: a page that asks again
// and again is one event.
const tellEvery = time.Minute

func (g *Gate) tell(q *gate.Question, v *user.View, decision policy.Decision) {
	if g.d.Told == nil {
		return
	}
	now := g.d.Now()
	if last, ok := v.Cache.Get(&g.o).(time.Time); ok && now.Sub(last) < tellEvery {
		return
	}
	v.Cache.Put(&g.o, now)
	g.d.Told(Refusal{v.User, g.o.Name, decision, q.Client})
}

// forbid is the answer to a refusal that was explained. The explanation shares nothing
// with the question.
func (g *Gate) forbid(q *gate.Question, v *user.View, e policy.Explanation) gate.Verdict {
	kind, at := askerOf(q), g.d.placeOf(q)
	return gate.Verdict{Status: http.StatusForbidden, Answer: http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			unstored(w)
			w.Header().Set("Vary", "Cookie, Accept, Authorization, Sec-Fetch-Mode, Sec-Fetch-Dest")
			switch kind {
			case program:
				writeJSON(w, r, http.StatusForbidden, problem{
					Error: "forbidden", Reason: e.Decision.String(), Rule: e.Rule,
					Missing: e.Missing, MissingRoles: e.MissingRoles,
				})
			case frame:
				g.d.Pages.Message(w, r, http.StatusForbidden, page.Message{
					Frame: page.Frame{SignIn: g.d.signIn, Framed: true}, Kind: kinds[e.Decision],
					App: g.o.App, Whole: at.address(),
				})
			default:
				g.d.Pages.Message(w, r, http.StatusForbidden, g.message(w, r, at, v, e))
			}
		})}
}

// message is the page that says why, and what else can be done.
func (g *Gate) message(
	w http.ResponseWriter, r *http.Request, at place, v *user.View, e policy.Explanation,
) page.Message {
	m := page.Message{
		Frame: g.d.frame(v), Kind: kinds[e.Decision], App: g.o.App, Rule: e.Rule,
		Home: g.d.signIn + "/",
	}
	for _, group := range e.Missing {
		m.Missing = append(m.Missing, g.d.Title(group))
	}
	m.Missing = append(m.Missing, e.MissingRoles...)
	if v == nil || !at.secure {
		return m
	}
	browser := cookie.Bind(w, r)
	m.Another = g.d.start(browser, at.address(), "another", "1")
	switch e.Decision {
	case policy.NeedsMFA:
		m.Retry = g.d.start(browser, at.address(), "fresh", "1", "provider", g.o.Provider)
	case policy.WrongProvider:
		provider := g.o.Provider
		if provider == "" && len(e.Providers) > 0 {
			provider = e.Providers[0]
		}
		m.Retry = g.d.start(browser, at.address(), "fresh", "1", "provider", provider)
	}
	return m
}

// kinds are the messages for decisions.
var kinds = map[policy.Decision]page.Kind{
	policy.NotMember: page.NotMember, policy.NeedsMFA: page.NeedsMFA,
	policy.WrongNetwork: page.WrongNetwork, policy.WrongMethod: page.WrongMethod,
	policy.WrongProvider: page.WrongProvider,
}

// frame is what our pages say about who sees them.
func (d *Doors) frame(v *user.View) page.Frame {
	f := page.Frame{SignIn: d.signIn}
	if v != nil {
		f.Locale = v.User.Locale
		f.Who = &page.Who{Name: v.User.Display(), Login: v.User.Name, Email: v.User.Email}
	}
	return f
}

// unspeakable refuses a user about whom the server cannot be told all that it must know:
// less would be somebody else (security case DOS-25).
func (g *Gate) unspeakable(q *gate.Question, v *user.View, err error) gate.Verdict {
	if errors.Is(err, assert.ErrTooLarge) {
		g.d.Log.Warn("a user is turned away: too many groups to tell the server of",
			zap.String("route", g.o.Name), zap.String("user", v.User.Name),
			zap.Int("groups", len(v.Groups)))
		return g.forbid(q, v, policy.Explanation{Rule: g.o.Rule.Name()})
	}
	g.d.Log.Error("the server cannot be told who the user is",
		zap.String("route", g.o.Name), zap.Error(err))
	return g.later(q)
}

// askConsent sends people to where they are asked; programs cannot agree to anything.
func (g *Gate) askConsent(q *gate.Question) gate.Verdict {
	at := g.d.placeOf(q)
	where := g.d.signIn + "/consent?" + url.Values{"return": {at.address()}}.Encode()
	if askerOf(q) == visit {
		return gate.Verdict{Answer: http.HandlerFunc(
			func(w http.ResponseWriter, _ *http.Request) {
				unstored(w)
				w.Header().Set("Location", where)
				w.WriteHeader(http.StatusFound)
			})}
	}
	return gate.Verdict{Status: http.StatusForbidden, Answer: http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			unstored(w)
			writeJSON(w, r, http.StatusForbidden, problem{
				Error: "consent_required", Rule: g.o.Name, Consent: where,
			})
		})}
}
