package local

import (
	"encoding/base64"
	"strconv"
	"strings"
	"time"
)

const (
	// deviceLife is how long a browser stays known without signing in.
	deviceLife = 180 * 24 * time.Hour
	// maxMarks is how many users one browser is known for.
	maxMarks = 4
	// maxDevice is the length of a cookie that is looked at.
	maxDevice     = 1024
	devicePurpose = "device"
)

// devices makes and reads the cookie of known browsers: a mark per user, each a
// random name, the time, and a signature that binds both to the user. The cookie
// signs nobody in. It only keeps strangers' failures from being held against the
// owner, and has a count of its own.
type devices struct {
	signer Signer
	now    func() time.Time
}

type mark struct{ name, at, mac string }

func (m mark) String() string { return m.name + "." + m.at + "." + m.mac }

// known returns the name of the mark that the cookie has for the user, empty when
// there is none.
func (d devices) known(cookie, userID string) string {
	if d.signer == nil || userID == "" {
		return ""
	}
	for _, m := range d.marks(cookie) {
		if d.signer.Check(devicePurpose, m.mac, userID, m.name, m.at) {
			return m.name
		}
	}
	return ""
}

// remember returns the cookie with a mark for the user, and those of others.
func (d devices) remember(cookie, userID string) string {
	if d.signer == nil {
		return ""
	}
	fresh := mark{
		name: base64.RawURLEncoding.EncodeToString(randomBytes(16)),
		at:   strconv.FormatInt(d.now().Unix(), 36),
	}
	fresh.mac = d.signer.MAC(devicePurpose, userID, fresh.name, fresh.at)
	list := []string{fresh.String()}
	for _, m := range d.marks(cookie) {
		if len(list) < maxMarks && !d.signer.Check(devicePurpose, m.mac, userID, m.name, m.at) {
			list = append(list, m.String())
		}
	}
	return strings.Join(list, "~")
}

// marks reads a cookie, which may be anything. Its signatures are not checked yet.
func (d devices) marks(cookie string) []mark {
	if len(cookie) > maxDevice {
		return nil
	}
	var list []mark
	for text := range strings.SplitSeq(cookie, "~") {
		parts := strings.Split(text, ".")
		if len(parts) != 3 || len(list) == maxMarks {
			continue
		}
		at, err := strconv.ParseInt(parts[1], 36, 64)
		age := d.now().Sub(time.Unix(at, 0))
		if err == nil && age < deviceLife {
			list = append(list, mark{parts[0], parts[1], parts[2]})
		}
	}
	return list
}
