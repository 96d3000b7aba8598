package tls

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// The files of the internal authority. The first holds root and key together,
// so that no crash can leave one without the other; the second is a copy of the
// root for clients to trust.
const (
	rootFile   = "internal-ca.pem"
	publicFile = "internal-ca.crt"
)

// openAuthority returns the authority whose root is in dir, made if need be, or
// one in memory when dir is empty. It is kept itself when its root is the same.
func openAuthority(dir string, kept *authority, now time.Time) (*authority, error) {
	if dir == "" {
		if kept != nil && kept.source == "" {
			return kept, nil
		}
		root, key, err := newRoot(now)
		return newAuthority(root, key, ""), err
	}
	if err := privateFolder(dir); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, rootFile)
	root, key, err := readRoot(path, now)
	if errors.Is(err, fs.ErrNotExist) {
		root, key, err = makeRoot(dir, now)
	}
	if err != nil {
		return nil, err
	}
	if kept != nil && kept.source == path && kept.root.Equal(root) {
		return kept, nil
	}
	return newAuthority(root, key, path), nil
}

func newAuthority(root *x509.Certificate, key crypto.Signer, source string) *authority {
	return &authority{root: root, key: key, source: source, leaves: map[string]*leaf{}}
}

// readRoot reads the root and its key, and refuses a file that others could
// have written or read: whoever has the key can impersonate every site to the
// clients that trust the root.
func readRoot(path string, now time.Time) (*x509.Certificate, crypto.Signer, error) {
	fault := func(err error, mend string) error {
		return &FileError{File: path, Err: err, Mend: mend}
	}
	info, err := os.Lstat(path)
	if err != nil {
		return nil, nil, fault(errors.Unwrap(err), "")
	}
	if !info.Mode().IsRegular() {
		return nil, nil, fault(errors.New("not a regular file"), "remove it to have it made anew")
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, nil, fault(ErrKeyReadable, "chmod 600 "+path)
	}
	data, _, err := readFile(path)
	if err != nil {
		return nil, nil, fault(err, "")
	}
	content := splitPEM(path, data)
	if len(content.certificates) != 1 || len(content.keys) != 1 {
		return nil, nil, fault(errors.New("not the root of an internal authority"),
			"restore it, or remove it to have a new one made")
	}
	c, err := newCertificate(content, content, issuers{})
	if err != nil {
		return nil, nil, err
	}
	switch root := c.leaf(); {
	case !root.IsCA:
		return nil, nil, fault(errors.New("not an authority's certificate"), "")
	case now.After(root.NotAfter):
		return nil, nil, fault(errors.New("expired on "+day(root.NotAfter)),
			"remove it to have a new one made")
	}
	return c.leaf(), c.pair.PrivateKey.(crypto.Signer), nil
}

// makeRoot makes a root and stores it in dir.
func makeRoot(dir string, now time.Time) (*x509.Certificate, crypto.Signer, error) {
	root, key, err := newRoot(now)
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, fmt.Errorf("key of the internal root: %w", err)
	}
	public := encodeCertificate(root)
	secret := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if err := writeFile(dir, rootFile, append(secret, public...), 0o600); err != nil {
		return nil, nil, err
	}
	if err := writeFile(dir, publicFile, public, 0o644); err != nil {
		return nil, nil, err
	}
	return root, key, nil
}

// privateFolder makes dir when it is missing, and refuses one that others may
// write to, or that is a symbolic link somebody may turn elsewhere.
func privateFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("folder of the internal authority: %w", err)
	}
	info, err := os.Lstat(dir)
	switch {
	case err != nil:
		return fmt.Errorf("folder of the internal authority: %w", err)
	case !info.IsDir():
		return &FileError{File: dir, Err: errors.New("not a folder"),
			Mend: "name the folder itself"}
	case info.Mode().Perm()&0o022 != 0:
		return &FileError{File: dir, Err: errors.New("others may write to it"),
			Mend: "chmod 700 " + dir}
	}
	return nil
}

// writeFile puts a file into dir in one step: whoever reads sees the old content
// or the new, also after a crash.
func writeFile(dir, name string, data []byte, mode fs.FileMode) (err error) {
	// CreateTemp opens with O_EXCL and 0600, so it follows no link and nobody
	// else can read the file at any time.
	f, err := os.CreateTemp(dir, "."+name+"-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := f.Chmod(mode); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), filepath.Join(dir, name)); err != nil {
		return err
	}
	return syncFolder(dir)
}

// syncFolder makes a rename in dir last. Some file systems cannot sync a folder
// and say so.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) {
		return err
	}
	return nil
}
