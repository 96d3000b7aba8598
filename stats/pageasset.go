package stats

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

//go:embed assets/*
var assetFiles embed.FS

//go:embed templates/*.html
var templates embed.FS

// assetPath is where the files of the page are.
const assetPath = "/assets/"

// assetKinds are fixed, since the tables of the machine may say anything.
var assetKinds = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml; charset=utf-8",
}

// assets are files under names that contain a hash of their content, so that
// browsers may keep them for ever.
type assets struct {
	names map[string]string // "page.css" = "page.1f2e3d.css"
	files map[string]asset  // by the name with the hash
}

type asset struct {
	kind string
	data []byte
}

func newAssets() *assets {
	a := &assets{names: map[string]string{}, files: map[string]asset{}}
	entries, _ := fs.ReadDir(assetFiles, "assets")
	for _, entry := range entries {
		name := entry.Name()
		data, _ := assetFiles.ReadFile("assets/" + name)
		sum := sha256.Sum256(data)
		ext := path.Ext(name)
		hashed := strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:6]) + ext
		a.names[name] = hashed
		a.files[hashed] = asset{kind: assetKinds[ext], data: data}
	}
	return a
}

// address is where a file is, by its plain name.
func (a *assets) address(name string) string { return assetPath + a.names[name] }

// serve answers with a file. It looks into a map, so no name leads anywhere else
// (UI-07). Ranges and conditions are left aside: the files are small, and their
// names say all about their age.
func (a *assets) serve(w http.ResponseWriter, name string) {
	file, ok := a.files[name]
	if !ok {
		refuse(w, http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", file.kind)
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	_, _ = w.Write(file.data)
}
