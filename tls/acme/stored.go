package acme

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3/acme"
)

// errDamaged means a certificate in the store that cannot be used.
var errDamaged = errors.New("the certificate in the store is damaged")

// stored is a certificate as it was found in the store.
type stored struct {
	pair   *tls.Certificate
	issuer *issuer
	info   acme.RenewalInfo // as it was asked last
}

func (s *stored) leaf() *x509.Certificate { return s.pair.Leaf }

// fetch reads the newest certificate for a name of all authorities.
// fs.ErrNotExist when there is none, errDamaged when there is but of no use.
func (m *Manager) fetch(ctx context.Context, name string) (*stored, error) {
	var best *stored
	failure := fs.ErrNotExist
	for _, i := range m.issuers {
		s, err := m.fetchOf(ctx, i, name)
		switch {
		case err == nil && (best == nil || s.leaf().NotBefore.After(best.leaf().NotBefore)):
			best = s
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			failure = err
		}
	}
	if best == nil {
		return nil, failure
	}
	return best, nil
}

func (m *Manager) fetchOf(ctx context.Context, i *issuer, name string) (*stored, error) {
	keys := certmagic.StorageKeys
	key, err := m.storage.Load(ctx, keys.SitePrivateKey(i.key, name))
	if err != nil {
		return nil, err
	}
	chain, err := m.storage.Load(ctx, keys.SiteCert(i.key, name))
	if err != nil {
		return nil, err
	}
	about, err := m.storage.Load(ctx, keys.SiteMeta(i.key, name))
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", name, errDamaged, err)
	}
	var meta struct {
		Issued acme.Certificate `json:"issuer_data"`
	}
	if err := json.Unmarshal(about, &meta); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", name, errDamaged, err)
	}
	s := &stored{pair: &pair, issuer: i}
	if info := meta.Issued.RenewalInfo; info != nil {
		s.info = *info
	}
	return s, nil
}

// suggested tells whether the authority said when to renew. A time after the end
// of the certificate is none.
func (s *stored) suggested() bool {
	return s.info.HasWindow() && !s.info.SelectedTime.IsZero() &&
		!s.info.SuggestedWindow.End.After(s.leaf().NotAfter)
}

// window is when the certificate is to be renewed: as the authority suggests,
// else in the last third of its life, a little spread.
func (s *stored) window() (from, until time.Time) {
	if s.suggested() {
		return s.info.SuggestedWindow.Start, s.info.SuggestedWindow.End
	}
	leaf := s.leaf()
	life := leaf.NotAfter.Sub(leaf.NotBefore)
	until = leaf.NotAfter.Add(-life / 3)
	return until.Add(-life / 50), until
}

// due is the moment within the window. By age it follows from the certificate,
// so that it is the same for all who have it, and another for each certificate.
func (s *stored) due() time.Time {
	from, until := s.window()
	leaf := s.leaf()
	at := s.info.SelectedTime
	if !s.suggested() {
		serial := leaf.SerialNumber.FillBytes(make([]byte, 32))
		spread := float64(binary.BigEndian.Uint32(serial[28:])) / (1 << 32)
		at = from.Add(time.Duration(spread * float64(until.Sub(from))))
	}
	// A window that an authority sets too late must not end the service.
	life := leaf.NotAfter.Sub(leaf.NotBefore)
	if last := leaf.NotAfter.Add(-life / 20); at.After(last) {
		return last
	}
	return at
}

// ends tells whether so little is left that somebody should look.
func (s *stored) ends(now time.Time) bool {
	leaf := s.leaf()
	alarm := min(14*24*time.Hour, leaf.NotAfter.Sub(leaf.NotBefore)/4)
	return leaf.NotAfter.Sub(now) < alarm
}
