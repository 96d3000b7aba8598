package local

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/text/unicode/norm"
)

// What new hashes have, as RFC 9106 section 4 recommends.
const (
	saltSize = 16
	tagSize  = 32
)

// The bounds of what is verified. Who can write a hash into the store must not be
// able to take the machine with it; bcrypt at 14 and PBKDF2 at its bound take a
// second or so, 128 MiB of argon2id hold for several at once.
const (
	minMemory     = 1024 // KiB
	maxMemory     = 128 * 1024
	maxTime       = 16
	maxThreads    = 16
	maxBcrypt     = 14
	minIterations = 10_000
	maxIterations = 3_000_000
	maxHash       = 512 // bytes of text
)

// hash is a password's hash of some kind.
type hash interface {
	matches(password string) bool
	// cheaper tells whether it should be replaced by one of that cost.
	cheaper(than cost) bool
}

// cost is the parameters of argon2id.
type cost struct {
	memory  uint32 // KiB
	time    uint32
	threads uint8
}

func (c cost) bounded() cost {
	return cost{
		memory:  min(max(c.memory, minMemory), maxMemory),
		time:    min(max(c.time, 1), maxTime),
		threads: min(max(c.threads, 1), maxThreads),
	}
}

// argon is a hash of argon2id.
type argon struct {
	cost
	salt, tag []byte
}

func (a argon) String() string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		a.memory, a.time, a.threads,
		base64.RawStdEncoding.EncodeToString(a.salt), base64.RawStdEncoding.EncodeToString(a.tag))
}

func (a argon) hash(password string, size int) []byte {
	return argon2.IDKey([]byte(password), a.salt, a.time, a.memory, a.threads, uint32(size))
}

func (a argon) matches(password string) bool {
	tag := a.hash(norm.NFKC.String(password), len(a.tag))
	return subtle.ConstantTimeCompare(tag, a.tag) == 1
}

func (a argon) cheaper(than cost) bool {
	return a.memory < than.memory || a.time < than.time ||
		len(a.salt) < saltSize || len(a.tag) < tagSize
}

// parse reads a hash of a kind that is known.
func parse(text string) (hash, error) {
	kind := ""
	if len(text) <= maxHash {
		kind, _, _ = strings.Cut(strings.TrimPrefix(text, "$"), "$")
	}
	switch kind {
	case "argon2id":
		return parseArgon(text)
	case "2a", "2b", "2y":
		return parseBcrypt(text)
	case "pbkdf2_sha256":
		return parseDjango(text)
	}
	return nil, fmt.Errorf("%w: neither argon2id nor bcrypt nor pbkdf2_sha256", ErrUnknownHash)
}

func parseArgon(text string) (hash, error) {
	fields := strings.Split(text, "$")
	if len(fields) != 6 || fields[0] != "" || fields[2] != "v=19" {
		return nil, malformed("argon2id")
	}
	memory, ok1 := parameter(fields[3], 0, "m", maxMemory)
	passes, ok2 := parameter(fields[3], 1, "t", maxTime)
	threads, ok3 := parameter(fields[3], 2, "p", maxThreads)
	if !ok1 || !ok2 || !ok3 || strings.Count(fields[3], ",") != 2 || memory < minMemory {
		return nil, fmt.Errorf("%w: argon2id takes m=%d to %d, t=1 to %d, p=1 to %d",
			ErrUnknownHash, minMemory, maxMemory, maxTime, maxThreads)
	}
	a := argon{cost: cost{memory, passes, uint8(threads)}}
	var err1, err2 error
	a.salt, err1 = base64.RawStdEncoding.Strict().DecodeString(fields[4])
	a.tag, err2 = base64.RawStdEncoding.Strict().DecodeString(fields[5])
	if err1 != nil || err2 != nil || len(a.salt) < 8 || len(a.tag) < 16 {
		return nil, malformed("argon2id")
	}
	return a, nil
}

// parameter reads "name=number" at the index of a list with commas.
func parameter(list string, index int, name string, most uint64) (uint32, bool) {
	fields := strings.Split(list, ",")
	if index >= len(fields) {
		return 0, false
	}
	digits, ok := strings.CutPrefix(fields[index], name+"=")
	n, err := strconv.ParseUint(digits, 10, 32)
	return uint32(n), ok && err == nil && n >= 1 && n <= most
}

func malformed(kind string) error { return fmt.Errorf("%w: malformed %s", ErrUnknownHash, kind) }

// blowfish is a hash of bcrypt.
type blowfish string

func parseBcrypt(text string) (hash, error) {
	n, err := bcrypt.Cost([]byte(text))
	if err != nil || len(text) != 60 || n > maxBcrypt {
		return nil, fmt.Errorf("%w: bcrypt takes 60 characters and a cost of 4 to %d",
			ErrUnknownHash, maxBcrypt)
	}
	return blowfish(text), nil
}

// matches refuses what bcrypt would cut off.
func (b blowfish) matches(password string) bool {
	return len(password) <= 72 &&
		bcrypt.CompareHashAndPassword([]byte(b), []byte(password)) == nil
}

func (blowfish) cheaper(cost) bool { return true }

// django is a hash of Django's default kind.
type django struct {
	iterations int
	salt       string
	tag        []byte
}

func parseDjango(text string) (hash, error) {
	fields := strings.Split(text, "$")
	if len(fields) != 4 || fields[2] == "" {
		return nil, malformed("pbkdf2_sha256")
	}
	n, err := strconv.Atoi(fields[1])
	if err != nil || n < minIterations || n > maxIterations {
		return nil, fmt.Errorf("%w: pbkdf2_sha256 takes %d to %d iterations",
			ErrUnknownHash, minIterations, maxIterations)
	}
	tag, err := base64.StdEncoding.Strict().DecodeString(fields[3])
	if err != nil || len(tag) != sha256.Size {
		return nil, malformed("pbkdf2_sha256")
	}
	return django{n, fields[2], tag}, nil
}

func (d django) matches(password string) bool {
	tag, err := pbkdf2.Key(sha256.New, password, []byte(d.salt), d.iterations, len(d.tag))
	return err == nil && subtle.ConstantTimeCompare(tag, d.tag) == 1
}

func (django) cheaper(cost) bool { return true }
