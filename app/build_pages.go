package app

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"doorward/config"
	"doorward/proxy"
)

// maxPage bounds files that are answered from memory.
const maxPage = 16 << 20

// pages reads error pages.
func pages(files config.ErrorPages) (proxy.Pages, error) {
	out := proxy.Pages{}
	var errs []error
	for status, name := range files {
		body, err := readPage(name)
		if err != nil {
			errs = append(errs, fmt.Errorf("error_pages.%d: %w", status, err))
			continue
		}
		out[status] = proxy.Page{ContentType: contentType(name, "", body), Body: body}
	}
	return out, errors.Join(errs...)
}

func readPage(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	body, err := io.ReadAll(io.LimitReader(f, maxPage+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxPage {
		return nil, fmt.Errorf("%s: larger than %d MiB", name, maxPage>>20)
	}
	return body, nil
}

// ownMaintenancePage stands for those who configured none.
const ownMaintenancePage = `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Maintenance</title>
<h1>Back soon</h1>
<p>This application is being maintained. Please try again in a few minutes.</p>
`

// maintenancePage is what clients see while every server of a backend is in
// maintenance.
func maintenancePage(b *config.Backend) (proxy.Page, error) {
	name := b.MaintenancePage
	if name == "" {
		return proxy.Page{
			ContentType: "text/html; charset=utf-8", Body: []byte(ownMaintenancePage),
		}, nil
	}
	body, err := readPage(name)
	if err != nil {
		return proxy.Page{}, fmt.Errorf("maintenance_page: %w", err)
	}
	return proxy.Page{ContentType: contentType(name, "", body), Body: body}, nil
}

func contentType(name, given string, body []byte) string {
	if given != "" {
		return given
	}
	if t := mime.TypeByExtension(filepath.Ext(name)); t != "" {
		return t
	}
	return http.DetectContentType(body)
}

// fixedAnswer is the handler of a route with respond.
type fixedAnswer struct {
	status      int
	contentType string
	body        []byte
	changed     time.Time
}

func newFixedAnswer(r *config.Respond) (*fixedAnswer, error) {
	f := &fixedAnswer{status: r.Status, body: []byte(r.Body), contentType: r.ContentType}
	if r.File == "" {
		if f.contentType == "" {
			f.contentType = "text/plain; charset=utf-8"
		}
		return f, nil
	}
	body, err := readPage(r.File)
	if err != nil {
		return nil, fmt.Errorf("respond.file: %w", err)
	}
	if info, err := os.Stat(r.File); err == nil {
		f.changed = info.ModTime()
	}
	f.body = body
	f.contentType = contentType(r.File, r.ContentType, body)
	return f, nil
}

// ServeHTTP implements http.Handler. A file with status 200 is served with
// ranges and conditions.
func (f *fixedAnswer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", f.contentType)
	if f.status == http.StatusOK && !f.changed.IsZero() {
		http.ServeContent(w, r, "", f.changed, bytes.NewReader(f.body))
		return
	}
	w.WriteHeader(f.status)
	_, _ = w.Write(f.body)
}
