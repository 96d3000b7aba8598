package stats

import (
	"crypto/hmac"
	"net/http"
	"strings"

	"go.uber.org/zap"
)

// maxForm is how long the form of a button may be, in bytes.
const maxForm = 8 << 10

// act is a button. A page of a stranger can make a browser send such a request,
// but not from our origin and not with our token: both are asked for, since old
// browsers, and browsers on plain HTTP, do not always tell the origin.
func (p *Page) act(w http.ResponseWriter, r *http.Request, user string) {
	switch {
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		refuse(w, http.StatusMethodNotAllowed)
		return
	case !p.actions, p.origin.Check(r) != nil:
		refuse(w, http.StatusForbidden)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		refuse(w, http.StatusBadRequest)
		return
	}
	form := r.PostForm
	if !hmac.Equal([]byte(form.Get("token")), []byte(p.token(user))) {
		refuse(w, http.StatusForbidden)
		return
	}
	state := form.Get("state")
	if state != "ready" && state != "drain" && state != "maint" {
		refuse(w, http.StatusBadRequest)
		return
	}
	by := user
	if by == "" {
		by = clientOf(r).String()
	}
	f := filterOf(form)
	err := p.steward.SetAdmin(form.Get("backend"), form.Get("server"), state, by)
	if err != nil {
		p.log.Warn("stats page: a button", zap.String("by", by), zap.Error(err))
		flash := form.Get("server") + " was not set to " + state + ": " + err.Error()
		p.show(w, shown{http.StatusConflict, user, f, flash})
		return
	}
	http.Redirect(w, r, f.address()+fragment(form.Get("row")), http.StatusSeeOther)
}

// fragment points at the row that the button belongs to.
func fragment(row string) string {
	if row == "" || strings.Trim(row, "bs0123456789") != "" {
		return ""
	}
	return "#" + row
}
