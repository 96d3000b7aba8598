package tls

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// maxFile bounds one file of PEM. The longest chains are far below it.
const maxFile = 1 << 20

// loader walks the configured paths and gathers what it finds; what is wrong is
// collected too, so that one run names every fault.
type loader struct {
	now      time.Time
	earlier  map[digest]*certificate // of the Manager before
	parsed   map[digest]*certificate
	issuers  issuers
	files    map[string]*pemFile // read so far; nil: at fault, and said so
	used     map[string]bool     // as certificate or as key
	keys     []string            // files that hold a key and no certificate
	found    []*certificate
	warnings []Warning
	errs     []error
}

func newLoader(parsed map[digest]*certificate, previous *Manager) *loader {
	l := &loader{
		now:     time.Now(),
		parsed:  parsed,
		issuers: issuers{},
		files:   map[string]*pemFile{},
		used:    map[string]bool{},
	}
	if previous != nil {
		l.earlier = previous.parsed
	}
	return l
}

func (l *loader) fail(file string, err error, mend string) {
	l.errs = append(l.errs, &FileError{File: file, Err: withoutPath(err), Mend: mend})
}

// withoutPath leaves out the path, which stands in front of the line; os would
// repeat it.
func withoutPath(err error) error {
	if pathErr := (*fs.PathError)(nil); errors.As(err, &pathErr) {
		return pathErr.Err
	}
	return err
}

func (l *loader) warn(file, text string) {
	l.warnings = append(l.warnings, Warning{File: file, Text: text})
}

// path loads one configured path.
func (l *loader) path(path string) {
	path = filepath.Clean(path)
	info, err := os.Stat(path)
	switch {
	case err != nil:
		l.fail(path, err, "")
	case info.IsDir():
		if !l.folder(path, true) {
			l.warn(path, "no certificate in this folder")
		}
	default:
		l.file(path, false)
	}
}

// folder loads the certificates of a folder in the order of their names, and
// those of its sub-folders when deep. It reports whether there were any, be they
// at fault.
func (l *loader) folder(dir string, deep bool) (some bool) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		l.fail(dir, err, "")
		return true
	}
	files := make([]string, 0, len(entries))
	for _, e := range entries {
		name := e.Name()
		if strings.HasPrefix(name, ".") {
			continue // also the double folders of a mounted Kubernetes secret
		}
		info, err := os.Stat(filepath.Join(dir, name))
		switch {
		case err == nil && info.IsDir():
			if deep && l.folder(filepath.Join(dir, name), false) {
				some = true
			}
		case isPEMName(name):
			files = append(files, name)
		}
	}
	// certbot writes the same certificate three ways; fullchain.pem is the whole.
	if slices.Contains(files, "fullchain.pem") {
		files = slices.DeleteFunc(files, func(name string) bool {
			return name == "cert.pem" || name == "chain.pem"
		})
	}
	for _, name := range files {
		if l.file(filepath.Join(dir, name), true) {
			some = true
		}
	}
	return some
}

func isPEMName(name string) bool {
	switch filepath.Ext(name) {
	case ".pem", ".crt", ".cer", ".key":
		return true
	}
	return false
}

// file loads the certificate that begins with path and reports whether there is
// one, be it at fault. In a folder, files that hold neither a server's
// certificate nor a key are passed over.
func (l *loader) file(path string, inFolder bool) bool {
	content := l.read(path)
	if content == nil || l.used[path] {
		return true
	}
	if len(content.certificates) == 0 {
		switch {
		case len(content.keys) > 0:
			l.keys = append(l.keys, path)
		case !inFolder: // there, parameters and requests may lie about
			l.fail(path, ErrNotPEM, "expected a certificate")
		}
		return false
	}
	l.used[path] = true
	key := content
	if len(content.keys) == 0 {
		beside := keyBeside(path)
		if beside == "" {
			return l.withoutKey(content, inFolder)
		}
		l.used[beside] = true
		if key = l.read(beside); key == nil {
			return true
		}
	}
	l.add(content, key)
	return true
}

// withoutKey judges a file of certificates that has no key: in a folder, a
// chain of authorities may lie about.
func (l *loader) withoutKey(content *pemFile, inFolder bool) bool {
	if inFolder && content.onlyAuthorities() {
		return false
	}
	l.fail(content.path, ErrKeyMissing,
		"put it into the file, or into "+keyNames(content.path)[0])
	return true
}

// keyBeside finds the file with the key of the certificate at path, "" when
// there is none.
func keyBeside(path string) string {
	for _, candidate := range keyNames(path) {
		if _, err := os.Stat(candidate); err == nil {
			return candidate
		}
	}
	return ""
}

// keyNames lists where the key of a certificate may be: as HAProxy, OpenSSL
// users, certbot and mkcert name it.
func keyNames(path string) []string {
	base := strings.TrimSuffix(path, filepath.Ext(path))
	names := []string{base + ".key", path + ".key", base + "-key.pem"}
	if filepath.Base(path) == "fullchain.pem" {
		names = append([]string{filepath.Join(filepath.Dir(path), "privkey.pem")}, names...)
	}
	return names
}

// lonelyKeys warns of keys that no certificate asked for.
func (l *loader) lonelyKeys() {
	for _, path := range l.keys {
		if !l.used[path] {
			l.warn(path, "a private key without a certificate beside it")
		}
	}
}

// read takes in one file, once, and checks who else may read its key. It
// returns nil when the file is at fault, which is then among the errors.
func (l *loader) read(path string) *pemFile {
	if content, done := l.files[path]; done {
		return content
	}
	l.files[path] = nil
	data, mode, err := readFile(path)
	if err != nil {
		l.fail(path, err, "")
		return nil
	}
	content := splitPEM(path, data)
	switch {
	case content.blocks == 0:
		l.fail(path, ErrNotPEM, "convert DER with: openssl x509 -inform der")
		return nil
	case len(content.keys) > 0 && mode&0o007 != 0:
		l.fail(path, ErrKeyReadable, "chmod 600 "+path)
		return nil
	case len(content.keys) > 0 && mode&0o070 != 0:
		l.warn(path, "the private key is readable by its group; "+
			"chmod 600 unless that is meant")
	}
	l.files[path] = content
	return content
}

// readFile returns the bytes and the permissions of a regular file.
func readFile(path string) ([]byte, fs.FileMode, error) {
	// Looked at before it is opened: opening a pipe would wait for its writer.
	if info, err := os.Stat(path); err != nil {
		return nil, 0, err
	} else if !info.Mode().IsRegular() {
		return nil, 0, fmt.Errorf("not a regular file (%s)", info.Mode().Type())
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = ErrFileTooLarge
	}
	return data, info.Mode().Perm(), err
}
