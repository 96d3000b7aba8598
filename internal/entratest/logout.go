package entratest

import (
	"net/http"
	"net/url"
	"slices"
	"testing"
)

// logout answers the end-session endpoint: it ends the browser's session, tells
// the apps of it in frames, and leads back to an address that an app registered.
// Without a hint it asks which account is meant.
func (s *Server) logout(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	open, next := s.open(r), r.URL.Query().Get("post_logout_redirect_uri")
	if !s.registered(next) {
		next = "" // Entra does not say that it goes nowhere
	}
	if open == nil {
		s.page(w, http.StatusOK, view{Kind: "signed-out", Next: next})
		return
	}
	hint := r.URL.Query().Get("logout_hint")
	if hint != loginHint(open.account) && r.PostForm.Get("out") == "" {
		s.page(w, http.StatusOK, view{Kind: "pick", Name: open.account.Username})
		return
	}
	frames := s.end(open)
	http.SetCookie(w, &http.Cookie{Name: sessionCookie, Path: "/", MaxAge: -1, Secure: true,
		HttpOnly: true, SameSite: http.SameSiteNoneMode})
	if len(frames) == 0 && next != "" {
		http.Redirect(w, r, next, http.StatusFound)
		return
	}
	s.page(w, http.StatusOK, view{Kind: "signed-out", Frames: frames, Next: next})
}

// registered says whether any app may be gone back to there.
func (s *Server) registered(address string) bool {
	return slices.ContainsFunc(s.apps, func(a *App) bool { return a.redirects(address) })
}

// end ends a session and returns where the apps are told: with its sid, and
// without the iss that the standard asks for.
func (s *Server) end(open *session) (frames []string) {
	for id, other := range s.sessions {
		if other == open {
			delete(s.sessions, id)
		}
	}
	for _, app := range open.apps {
		if u, err := url.Parse(app.LogoutURL); err == nil && app.LogoutURL != "" {
			q := u.Query()
			q.Set("sid", open.id)
			u.RawQuery = q.Encode()
			frames = append(frames, u.String())
		}
	}
	return frames
}

// EndSessions ends a user's sessions as signing out elsewhere does, and returns
// the addresses that a browser would then open in frames, without cookies.
func (s *Server) EndSessions(t testing.TB, user string) (frames []string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.mustUser(t, user)
	var open []*session
	for _, one := range s.sessions {
		if one.account == a {
			open = append(open, one)
		}
	}
	for _, one := range open {
		frames = append(frames, s.end(one)...)
	}
	return frames
}
