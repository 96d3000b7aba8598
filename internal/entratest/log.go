package entratest

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Request is one that was asked, with what came of it.
type Request struct {
	// Part is what was asked for.
	Part Part
	// Method, Host and Path are those of the request line.
	Method, Host, Path string
	// Query and Form are its parameters, Header its fields.
	Query, Form url.Values
	Header      http.Header
	// At is when it came, by the provider's clock.
	At time.Time
	// Status is that of the answer, 0 while there is none.
	Status int
}

// requestLog has a lock of its own, since answers are written under the
// server's.
type requestLog struct {
	mu   sync.Mutex
	kept []*Request
}

// Requests are those of a part so far, in the order they came.
func (s *Server) Requests(p Part) []Request {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	var found []Request
	for _, r := range s.log.kept {
		if p == All || r.Part == p {
			found = append(found, *r)
		}
	}
	return found
}

// Count is how many there are.
func (s *Server) Count(p Part) int { return len(s.Requests(p)) }

// Forget empties the list of requests.
func (s *Server) Forget() {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	s.log.kept = nil
}

// watch keeps the request and lets the part fail that is to.
func (s *Server) watch(p Part, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
		_ = r.ParseForm() // a body that is no form has no parameters
		part, answer := p, next
		if strings.HasSuffix(r.Host, ".windows.net") {
			part, answer = Unknown, http.NotFound
		}
		w = &statusWriter{ResponseWriter: w, note: s.note(part, r)}
		if !s.fails(part, w, r) {
			answer(w, r)
		}
	}
}

// note keeps a request and returns how its status is added.
func (s *Server) note(p Part, r *http.Request) func(int) {
	kept := &Request{
		Part: p, Method: r.Method, Host: r.Host, Path: r.URL.Path, Query: r.URL.Query(),
		Form: r.PostForm, Header: r.Header.Clone(), At: s.Now(),
	}
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	s.log.kept = append(s.log.kept, kept)
	return func(status int) {
		s.log.mu.Lock()
		defer s.log.mu.Unlock()
		if kept.Status == 0 {
			kept.Status = status
		}
	}
}

type statusWriter struct {
	http.ResponseWriter
	note func(int)
}

// WriteHeader keeps the status.
func (w *statusWriter) WriteHeader(status int) {
	w.note(status)
	w.ResponseWriter.WriteHeader(status)
}

// Write stands for a status of 200 where none was given.
func (w *statusWriter) Write(b []byte) (int, error) {
	w.note(http.StatusOK)
	return w.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
