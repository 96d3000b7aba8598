package tls

import (
	"errors"
	"fmt"
	"time"
)

// Reasons a file is refused, to be found with errors.Is in the error of Load.
var (
	// ErrVersion means a protocol version older than TLS 1.2 was asked for.
	ErrVersion = errors.New("not safe any more, use 1.2 or 1.3")
	// ErrName means an internal name that is neither a host name, nor "*." and a
	// host name, nor an address.
	ErrName = errors.New(`not a host name, "*." and a host name, or an address`)
	// ErrKeyReadable means every user of the machine can read a private key.
	ErrKeyReadable = errors.New("the private key is readable by every user")
	// ErrKeyEncrypted means a private key is protected by a passphrase.
	ErrKeyEncrypted = errors.New("the private key is encrypted")
	// ErrKeyMissing means a certificate comes without its private key.
	ErrKeyMissing = errors.New("no private key in it or beside it")
	// ErrKeyMismatch means the private key belongs to none of the certificates,
	// for example because only one of two files was replaced.
	ErrKeyMismatch = errors.New("the private key does not belong to the certificate")
	// ErrKeyWeak means a key too short, or of a kind TLS does not sign with.
	ErrKeyWeak = errors.New("the key is too weak or of an unknown kind")
	// ErrNotPEM means a file without one block of PEM.
	ErrNotPEM = errors.New("no PEM in it")
	// ErrNotAuthority means a certificate that may not sign others, where only those
	// of CAs belong.
	ErrNotAuthority = errors.New("not the certificate of a CA")
	// ErrNotCertificate means a block of PEM of another kind where only
	// certificates belong.
	ErrNotCertificate = errors.New("something other than certificates in it")
	// ErrKeyThere means a private key where only certificates belong.
	ErrKeyThere = errors.New("a private key in it, which nobody needs here")
	// ErrDamaged means a block of PEM that cannot be read.
	ErrDamaged = errors.New("a damaged block of PEM in it")
	// ErrFileTooLarge means a file of more than 1 MiB.
	ErrFileTooLarge = errors.New("larger than 1 MiB")
)

// FileError says which file is at fault, why, and how to mend it.
type FileError struct {
	// File is the path as configured or found.
	File string
	// Err is the reason.
	Err error
	// Mend tells what to do about it; empty where the reason says enough.
	Mend string
}

// Error gives the file, the reason and the mend in one line.
func (e *FileError) Error() string {
	if e.Mend == "" {
		return fmt.Sprintf("%s: %v", e.File, e.Err)
	}
	return fmt.Sprintf("%s: %v (%s)", e.File, e.Err, e.Mend)
}

// Unwrap returns the reason.
func (e *FileError) Unwrap() error { return e.Err }

// Warning is something legal but unwise about a file.
type Warning struct {
	// File is the path; empty when no single file is meant.
	File string
	// Text says what it is, and what to do about it.
	Text string
}

// String gives the file and the text in one line.
func (w Warning) String() string {
	if w.File == "" {
		return w.Text
	}
	return w.File + ": " + w.Text
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }
