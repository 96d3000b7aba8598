package portal

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"

	"doorward/auth/audit"
	"doorward/auth/cookie"
	"doorward/auth/local"
	"doorward/auth/page"
	"doorward/auth/session"
	"doorward/auth/user"
)

// changeAge is how long somebody may take who has to change the password first.
const changeAge = 10 * time.Minute

func (p *Portal) showPassword(w http.ResponseWriter, r *visitor) {
	if s := p.withPassword(w, r); s != nil {
		p.o.Pages.Password(w, r.Request, http.StatusOK, page.Password{
			Area: p.area(s), MinLength: p.o.MinLength,
		})
	}
}

// withPassword is member for those who have a password here. For others there is no
// such page: a password would let them in past their provider.
func (p *Portal) withPassword(w http.ResponseWriter, r *visitor) *session.Session {
	s := p.member(w, r)
	if s == nil {
		return nil
	}
	if !p.o.LocalUsers || !s.View().User.HasPassword {
		p.notFound(w, r)
		return nil
	}
	return s
}

// changePassword takes another password from somebody who knows the present one.
// All sessions end; the browser that asked gets a new one.
func (p *Portal) changePassword(w http.ResponseWriter, r *visitor) {
	s := p.withPassword(w, r)
	if s == nil {
		return
	}
	f, err := form(r.Request)
	if err != nil {
		p.refuse(w, r, statusOf(err))
		return
	}
	v := page.Password{Area: p.area(s), MinLength: p.o.MinLength}
	if began := p.replacePassword(w, r, s.View().User, f, v); began != nil {
		v = page.Password{Area: p.area(began), MinLength: p.o.MinLength}
		v.Notice = page.PasswordChanged
		p.o.Pages.Password(w, r.Request, http.StatusOK, v)
	}
}

// replacePassword changes the password as the form says and begins a session. It
// answers itself, with the page v, when it returns nil.
func (p *Portal) replacePassword(
	w http.ResponseWriter, r *visitor, u *user.User, f url.Values, v page.Password,
) *session.Session {
	var problems []page.Problem
	var err error
	if f.Get("new") != f.Get("again") || f.Get("new") == "" {
		problems = []page.Problem{{Code: page.PasswordDiffers}}
	} else {
		var found []local.Problem
		found, err = p.o.Local.ChangePassword(r.Context(), local.Change{
			UserID: u.ID, Old: f.Get("current"), New: f.Get("new"), Client: r.client,
		})
		problems = p.problems(found)
	}
	status := http.StatusBadRequest
	var throttled *local.ThrottledError
	switch {
	case errors.Is(err, local.ErrWrong):
		status, problems = http.StatusForbidden, []page.Problem{{Code: page.WrongPassword}}
	case errors.As(err, &throttled):
		retryAfter(w, throttled.RetryAfter)
		status = http.StatusTooManyRequests
		problems = []page.Problem{{Code: page.Throttled, Wait: throttled.RetryAfter}}
	case errors.Is(err, local.ErrBusy):
		retryAfter(w, busyWait)
		status = http.StatusServiceUnavailable
		problems = []page.Problem{{Code: page.TooBusy, Wait: busyWait}}
	case err != nil:
		p.failed(w, r, "changing a password", err)
		return nil
	case len(problems) == 0:
		p.record(r, audit.Event{Kind: audit.PasswordChanged, User: u.Name, By: u.Name})
		return p.begin(w, r, session.Start{
			UserID: u.ID, Provider: byPassword, AuthTime: p.now(),
		})
	}
	v.Problems = problems
	p.o.Pages.Password(w, r.Request, status, v)
	return nil
}

// pledge is the proof that somebody has just given the right password, and must
// change it before there is a session. It is worth nothing without that password.
type pledge struct {
	User    string `json:"u"`
	Epoch   uint64 `json:"e"` // raised by every change: a pledge is good for one
	Browser string `json:"b"`
	Made    int64  `json:"i"`
}

// mustChange asks for another password, in place of a session.
func (p *Portal) mustChange(w http.ResponseWriter, r *visitor, v visit, u *user.User) {
	plain, err := json.Marshal(pledge{
		User: u.ID, Epoch: u.Epoch, Browser: cookie.Public(cookie.Bind(w, r.Request)), Made: p.now().Unix(),
	})
	if err != nil {
		p.failed(w, r, "asking for another password", err)
		return
	}
	action := v.at("/sign_in/password", "change", p.o.Box.Seal("change", plain, nil))
	p.o.Pages.Password(w, r.Request, http.StatusOK, p.mustPage(action, u))
}

func (p *Portal) mustPage(action string, u *user.User) page.Password {
	v := page.Password{Action: action, Must: true, MinLength: p.o.MinLength}
	v.Locale, v.Who = u.Locale, who(u)
	return v
}

// changeFirst takes the password that somebody had to change to get in.
func (p *Portal) changeFirst(w http.ResponseWriter, r *visitor) {
	q, err := query(r.Request)
	f, ferr := form(r.Request)
	if err = errors.Join(err, ferr); err != nil {
		p.refuse(w, r, statusOf(err))
		return
	}
	u := p.pledged(q.Get("change"), cookie.BrowserOf(r.Request))
	if u == nil {
		p.stale(w, r, visitOf(q).at("/sign_in"))
		return
	}
	action := visitOf(q).at("/sign_in/password", "change", q.Get("change"))
	if s := p.replacePassword(w, r, u, f, p.mustPage(action, u)); s != nil {
		p.noteSignIn(r, u.ID)
		p.arriveByForm(w, r, s, visitOf(q))
	}
}

// pledged is the user whose pledge it is, nil when it is none, or no longer.
func (p *Portal) pledged(sealed, browser string) *user.User {
	plain, err := p.o.Box.Open("change", sealed, nil)
	var given pledge
	if err != nil || json.Unmarshal(plain, &given) != nil || !p.o.LocalUsers {
		return nil
	}
	person := p.o.Directory.Person(given.User)
	age := p.now().Sub(time.Unix(given.Made, 0))
	if person == nil || age > changeAge || browser == "" || cookie.Public(browser) != given.Browser {
		return nil
	}
	if u := person.View().User; u.Epoch == given.Epoch && active(u) == nil {
		return u
	}
	return nil
}

// problems are those of a new password, as the pages say them.
func (p *Portal) problems(found []local.Problem) []page.Problem {
	codes := map[local.Code]page.Code{
		local.TooShort: page.PasswordShort, local.TooLong: page.PasswordLong,
		local.Common: page.PasswordCommon, local.Personal: page.PasswordPersonal,
		local.Unchanged: page.PasswordSame,
	}
	var all []page.Problem
	for _, one := range found {
		code := codes[one.Code]
		if code == "" {
			code = page.PasswordSimple
		}
		all = append(all, page.Problem{Code: code, Count: one.Number})
	}
	return all
}
