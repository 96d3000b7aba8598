package local

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"runtime"
	"time"

	"golang.org/x/text/unicode/norm"
)

// HashOptions is the cost of a hash, and how many are made at once.
type HashOptions struct {
	// Memory is in KiB; 0 is 19 MiB. Time is how often all of it is gone through; 0
	// is 2. Threads is how many do it together; 0 is 1. What [CheckHash] would not
	// take is brought into its bounds.
	Memory  uint32
	Time    uint32
	Threads uint8
	// Concurrent is how many hashes are made at once, each with Memory; 0 is half
	// of the processors, but one at least.
	Concurrent int
	// Queue is how many may wait, of known browsers and of others; 0 is 100.
	// QueueTime is how long; 0 is two seconds.
	Queue     int
	QueueTime time.Duration
}

// Hasher hashes and verifies passwords with argon2id (RFC 9106), a few at a time.
// Its methods may be called by many goroutines.
type Hasher struct {
	cost  cost
	queue queue
	dummy string
}

// NewHasher makes a Hasher.
func NewHasher(o HashOptions) *Hasher {
	c := cost{
		memory:  cmp.Or(o.Memory, 19*1024),
		time:    cmp.Or(o.Time, 2),
		threads: cmp.Or(o.Threads, 1),
	}.bounded()
	h := &Hasher{cost: c}
	h.Configure(o)
	// A tag of random bytes is no password's, and costs as much to find that out.
	a := argon{cost: c, salt: randomBytes(saltSize), tag: randomBytes(tagSize)}
	h.dummy = a.String()
	return h
}

// Configure changes how many hashes are made at once and how many wait how long: what a
// hash costs stays. Those under way are not ended.
func (h *Hasher) Configure(o HashOptions) {
	h.queue.bound(
		cmp.Or(max(0, o.Concurrent), runtime.GOMAXPROCS(0)/2, 1),
		cmp.Or(max(0, o.Queue), 100),
		cmp.Or(max(0, o.QueueTime), 2*time.Second),
	)
}

// Hash returns the hash of a password, with its salt and cost, in the PHC format.
// Compatibility forms of characters are made one before (NFKC), so that keyboards
// do not matter. ErrBusy when too many hashes are being made.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	if err := checkLength(password); err != nil {
		return "", err
	}
	a := argon{cost: h.cost, salt: randomBytes(saltSize)}
	err := h.queue.do(ctx, true, func() {
		a.tag = a.hash(norm.NFKC.String(password), tagSize)
	})
	if err != nil {
		return "", err
	}
	return a.String(), nil
}

// Verify tells whether the password is the one of the hash, and whether it should be
// hashed anew since it is of another kind or cheaper than it would be now. Besides
// argon2id it knows bcrypt and Django's pbkdf2_sha256, for users that come from
// elsewhere. ErrUnknownHash for others, ErrBusy when too many are being looked at.
func (h *Hasher) Verify(ctx context.Context, phc, password string) (ok, rehash bool, err error) {
	return h.verify(ctx, phc, password, false)
}

func (h *Hasher) verify(
	ctx context.Context, phc, password string, known bool,
) (ok, rehash bool, err error) {
	hash, err := parse(phc)
	if err != nil {
		return false, false, err
	}
	if checkLength(password) != nil {
		return false, false, nil
	}
	err = h.queue.do(ctx, known, func() { ok = hash.matches(password) })
	return ok, ok && hash.cheaper(h.cost), err
}

// CheckHash tells whether a hash can be verified here: a known kind, at a cost that
// neither is next to nothing nor stops the machine. ErrUnknownHash if not.
func CheckHash(phc string) error {
	_, err := parse(phc)
	return err
}

// errLength is a password that is none.
var errLength = errors.New("a password has 1 to 1024 bytes")

func checkLength(password string) error {
	if password == "" || len(password) > MaxPassword {
		return fmt.Errorf("%w, this one %d", errLength, len(password))
	}
	return nil
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails, by its documentation
	return b
}
