package cookie

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"time"
)

// browserSize is how many random bytes tell a browser from all others.
const browserSize = 16

// BrowserOf returns what tells the browser from others, empty if it has nothing.
func BrowserOf(r *http.Request) string {
	value := Of(r, Browser).Value()
	var raw [browserSize + 2]byte
	if len(value) != base64.RawURLEncoding.EncodedLen(browserSize) {
		return ""
	}
	if _, err := base64.RawURLEncoding.Decode(raw[:], value); err != nil {
		return ""
	}
	return string(value)
}

// Bind is BrowserOf, which gives one to a browser without. All its tabs share it, so
// any number of them can sign in at once.
func Bind(w http.ResponseWriter, r *http.Request) string {
	if b := BrowserOf(r); b != "" {
		return b
	}
	var raw [browserSize]byte
	_, _ = rand.Read(raw[:]) // never fails, by its documentation
	b := base64.RawURLEncoding.EncodeToString(raw[:])
	Set(w, http.Cookie{Name: Browser, Value: b, MaxAge: int(Year / time.Second)})
	return b
}

// Public is what others may know of a browser: enough to recognise it, not to be it.
func Public(browser string) string {
	sum := sha256.Sum256([]byte(browser))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
