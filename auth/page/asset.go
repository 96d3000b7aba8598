package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"
)

//go:embed assets/*
var assetFiles embed.FS

// kinds are fixed, since the tables of the machine may say anything. What is not
// here is no picture.
var kinds = map[string]string{
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml; charset=utf-8",
	".png":  "image/png",
	".jpg":  "image/jpeg",
	".jpeg": "image/jpeg",
	".webp": "image/webp",
	".avif": "image/avif",
	".gif":  "image/gif",
	".ico":  "image/x-icon",
}

// files are served under names that contain a hash of their content, so that
// browsers may keep them for ever.
type files struct {
	names  map[string]string // "page.css" = "page.1f2e3d.css"
	hashed map[string]file
}

type file struct {
	kind, etag string
	data       []byte
}

func newFiles(o Options) (*files, error) {
	f := &files{names: map[string]string{}, hashed: map[string]file{}}
	entries, err := fs.ReadDir(assetFiles, "assets")
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		data, err := assetFiles.ReadFile("assets/" + entry.Name())
		if err != nil {
			return nil, err
		}
		f.add(entry.Name(), path.Ext(entry.Name()), data)
	}
	return f, f.addBrand(o)
}

// addBrand adds what the configuration gives.
func (f *files) addBrand(o Options) error {
	f.names["logo"], f.names["favicon"] = f.names["logo.svg"], f.names["logo.svg"]
	b := &o.Brand
	if err := b.check(); err != nil {
		return err
	}
	pictures := []struct {
		name string
		file File
	}{{"logo", b.Logo}, {"favicon", b.Favicon}, {"background", b.Background}}
	for _, p := range pictures {
		if err := f.picture(p.name, p.file); err != nil {
			return fmt.Errorf("brand.%s: %w", p.name, err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(o.Icons)) {
		if err := f.picture("icon-"+name, o.Icons[name]); err != nil {
			return fmt.Errorf("icon %q: %w", name, err)
		}
	}
	style, err := b.style(f.names["background"])
	if err != nil {
		return err
	}
	f.add("brand.css", ".css", style)
	return nil
}

// picture adds a file of somebody else under a name of ours.
func (f *files) picture(name string, p File) error {
	if p.Name == "" && len(p.Data) == 0 {
		return nil
	}
	ext := strings.ToLower(path.Ext(p.Name))
	if kind := kinds[ext]; !strings.HasPrefix(kind, "image/") {
		return fmt.Errorf("%s: pictures are svg, png, jpg, webp, avif, gif or ico", p.Name)
	}
	if len(p.Data) == 0 {
		return fmt.Errorf("%s: the file is empty", p.Name)
	}
	f.add(name, ext, p.Data)
	return nil
}

// add keeps a file. Its name on the wire is made of ours, an extension and a hash:
// icons may have any name in the configuration.
func (f *files) add(name, ext string, data []byte) {
	sum := sha256.Sum256(data)
	hash := hex.EncodeToString(sum[:8])
	stem := strings.TrimSuffix(name, ext)
	if strings.HasPrefix(stem, "icon-") {
		stem = "icon"
	}
	hashed := stem + "." + hash + ext
	f.names[name] = hashed
	f.hashed[hashed] = file{kind: kinds[ext], etag: `"` + hash + `"`, data: data}
}

// ServeHTTP answers with a file. It looks into a map, so no name leads anywhere
// else (UI-07).
func (f *files) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	// A picture of the brand may be an SVG: opened by itself it is a document.
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	found, ok := f.hashed[name]
	if !ok {
		h.Set("Cache-Control", "no-store")
		http.Error(w, "not found", http.StatusNotFound)
		return
	}
	h.Set("Content-Type", found.kind)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("ETag", found.etag)
	// Nobody needs two parts of a small file, and many parts cost more than it.
	if strings.Contains(r.Header.Get("Range"), ",") {
		r = r.Clone(r.Context())
		r.Header.Del("Range")
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(found.data))
}
