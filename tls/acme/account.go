package acme

import (
	"cmp"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/mholt/acmez/v3"
	"github.com/mholt/acmez/v3/acme"
	"go.uber.org/zap"

	"doorward/state"
)

// account is our account at an authority, as it is kept.
type account struct {
	Account  acme.Account `json:"account"`
	Key      []byte       `json:"key"` // PKCS #8
	Email    string       `json:"email"`
	External string       `json:"external"` // key id of the account it is bound to
}

// usable is the account with its key, as the library wants it.
func (a *account) usable() (acme.Account, error) {
	key, err := x509.ParsePKCS8PrivateKey(a.Key)
	if err != nil {
		return acme.Account{}, fmt.Errorf("account key: %w", err)
	}
	used := a.Account
	used.PrivateKey, _ = key.(crypto.Signer)
	return used, nil
}

// account returns our account, registered now if need be.
func (i *issuer) account(ctx context.Context, client *acmez.Client) (acme.Account, error) {
	kept, err := i.keptAccount(ctx)
	if err != nil {
		return acme.Account{}, err
	}
	if i.current(kept) {
		return kept.usable()
	}
	name := "account/" + i.key
	if err := i.storage.Lock(ctx, name); err != nil {
		return acme.Account{}, err
	}
	defer i.unlock(ctx, name)
	// Somebody else may have registered while we waited.
	if kept, err = i.keptAccount(ctx); err != nil {
		return acme.Account{}, err
	}
	switch {
	case i.current(kept):
		return kept.usable()
	case kept != nil && kept.External == i.externalID() &&
		kept.Account.Status == acme.StatusValid:
		return i.rename(ctx, client, kept)
	default:
		return i.register(ctx, client, kept)
	}
}

// current tells whether an account is what the options ask for.
func (i *issuer) current(a *account) bool {
	return a != nil && a.Account.Status == acme.StatusValid &&
		a.Email == i.email && a.External == i.externalID()
}

// register makes a new account. Its key is kept before the authority hears of
// it, and used again if nobody came to write the rest: an account whose key is
// forgotten is lost.
func (i *issuer) register(
	ctx context.Context, client *acmez.Client, kept *account,
) (acme.Account, error) {
	fresh := kept
	if kept == nil || kept.Account.Status != "" || kept.External != i.externalID() {
		key, err := newAccountKey()
		if err != nil {
			return acme.Account{}, err
		}
		fresh = &account{Key: key, External: i.externalID()}
	}
	fresh.Email = i.email
	if err := i.keepAccount(ctx, fresh); err != nil {
		return acme.Account{}, err
	}
	asked, err := fresh.usable()
	if err != nil {
		return acme.Account{}, err
	}
	asked.Contact, asked.TermsOfServiceAgreed = i.contact(), true
	if e := i.external; e != nil {
		binding := acme.EAB{KeyID: e.KeyID, MACKey: e.HMACKey}
		err := asked.SetExternalAccountBinding(ctx, client.Client, binding)
		if err != nil {
			return acme.Account{}, err
		}
	}
	fresh.Account, err = client.NewAccount(ctx, asked)
	if err != nil {
		return acme.Account{}, fmt.Errorf("new account: %w", err)
	}
	fresh.Account.ExternalAccountBinding = nil
	fresh.Account.Status = cmp.Or(fresh.Account.Status, acme.StatusValid)
	if err := i.keepAccount(ctx, fresh); err != nil {
		return acme.Account{}, err
	}
	i.log.Info("account registered", zap.String("ca", i.host),
		zap.String("account", fresh.Account.Location))
	return fresh.usable()
}

func newAccountKey() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	return x509.MarshalPKCS8PrivateKey(key)
}

// rename tells the authority another address to write to.
func (i *issuer) rename(
	ctx context.Context, client *acmez.Client, kept *account,
) (acme.Account, error) {
	used, err := kept.usable()
	if err != nil {
		return acme.Account{}, err
	}
	change := used
	change.Contact = i.contact()
	if _, err := client.UpdateAccount(ctx, change); err != nil {
		return acme.Account{}, fmt.Errorf("contact of the account: %w", err)
	}
	kept.Email = i.email
	return used, i.keepAccount(ctx, kept)
}

// lost tells whether an order failed because the authority does not know the
// account any more, or has closed it.
func (i *issuer) lost(
	ctx context.Context, client *acmez.Client, used acme.Account, failure error,
) bool {
	var problem acme.Problem
	if !errors.As(failure, &problem) {
		return false
	}
	switch problem.Type {
	case acme.ProblemTypeAccountDoesNotExist:
		return true
	case acme.ProblemTypeUnauthorized:
		// That may be about a challenge just as well: the account tells.
		known, err := client.GetAccount(ctx, used)
		if err == nil {
			return known.Status != acme.StatusValid
		}
		return errors.As(err, &problem) && (problem.Type == acme.ProblemTypeUnauthorized ||
			problem.Type == acme.ProblemTypeAccountDoesNotExist)
	}
	return false
}

// forget gives up an account that is lost. Another one that somebody registered
// meanwhile stays.
func (i *issuer) forget(ctx context.Context, lost acme.Account) error {
	entry, err := i.storage.store.Get(ctx, accountPrefix+i.key)
	if err != nil {
		return err
	}
	var kept account
	if json.Unmarshal(entry.Value, &kept) == nil && kept.Account.Location != lost.Location {
		return nil
	}
	_, err = i.storage.store.Write(ctx, state.Delete(entry.Key).If(entry.Version))
	if errors.Is(err, state.ErrConflict) {
		return nil
	}
	return err
}

// keptAccount is the account in the store, nil for none or one that cannot be
// read.
func (i *issuer) keptAccount(ctx context.Context) (*account, error) {
	entry, err := i.storage.store.Get(ctx, accountPrefix+i.key)
	if errors.Is(err, state.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var kept account
	if err := json.Unmarshal(entry.Value, &kept); err != nil {
		i.log.Warn("the account in the store is damaged; another is registered",
			zap.String("ca", i.host))
		return nil, nil
	}
	return &kept, nil
}

func (i *issuer) keepAccount(ctx context.Context, a *account) error {
	value, err := json.Marshal(a)
	if err != nil {
		return err
	}
	_, err = i.storage.store.Set(ctx, accountPrefix+i.key, value, 0)
	return err
}

func (i *issuer) contact() []string {
	if i.email == "" {
		return nil
	}
	return []string{"mailto:" + i.email}
}

func (i *issuer) externalID() string {
	if i.external == nil {
		return ""
	}
	return i.external.KeyID
}

func (i *issuer) unlock(ctx context.Context, name string) {
	if err := i.storage.Unlock(context.WithoutCancel(ctx), name); err != nil {
		i.log.Warn("lock not given back", zap.Error(err))
	}
}
